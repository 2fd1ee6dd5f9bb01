//! What scores a sequence: an embedding if the sequence is one of tokens, a network, a linear layer if there is one.

use std::fmt;
use std::path::Path;

use datafusion::common::{DataFusionError, Result, exec_err};
use ndarray::Array2;
use ndarray_rnn::io::{StateDict, onnx, pt, safetensors};
use ndarray_rnn::{
    Architecture, Embedding, Gru, GruConfig, Linear, Lstm, LstmConfig, Nonlinearity, PackedSequence,
    Parameters, Recurrent, Rnn, RnnConfig,
};

use crate::network::Network;

/// Which network a file holds. A file of arrays does not say the nonlinearity of an `Rnn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `torch.nn.RNN` with this nonlinearity.
    Rnn(Nonlinearity),
    /// `torch.nn.LSTM`.
    Lstm,
    /// `torch.nn.GRU`.
    Gru,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.safetensors`.
    Safetensors,
    /// torch's `.pt` or `.pth`.
    Pt,
    /// `.onnx`.
    Onnx,
}

/// Under which names a model's parts are in torch's state dict, each with its dot: `"rnn."` for
/// `rnn.weight_ih_l0`.
///
/// In an ONNX model the network is found without a name; an embedding and a linear layer are found by theirs, which
/// `torch.onnx.export` keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    network: String,
    embedding: Option<String>,
    head: Option<String>,
}

/// A network with what stands before and behind it.
pub struct Model {
    embedding: Option<Embedding<f32>>,
    network: Box<dyn Network>,
    head: Option<Linear<f32>>,
    fingerprint: u64,
}

impl Names {
    /// A network that reads features, such as `Names::new("")` for the state dict of a `torch.nn.LSTM`.
    pub fn new(network: &str) -> Self {
        Self { network: network.into(), embedding: None, head: None }
    }

    /// The network reads the vectors of tokens.
    pub fn embedding(self, prefix: &str) -> Self {
        Self { embedding: Some(prefix.into()), ..self }
    }

    /// A linear layer reads the network's outputs.
    pub fn head(self, prefix: &str) -> Self {
        Self { head: Some(prefix.into()), ..self }
    }
}

impl Format {
    /// The format that the ending of a path says.
    ///
    /// # Errors
    /// If it has another ending.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("pt" | "pth") => Ok(Self::Pt),
            Some("onnx") => Ok(Self::Onnx),
            _ => exec_err!("{}: expected a file .safetensors, .pt, .pth or .onnx", path.display()),
        }
    }
}

impl Model {
    /// A model of its parts.
    ///
    /// # Errors
    /// If the embedding's vectors are not as wide as the network's input, or the network's outputs not as wide as the
    /// input of the linear layer.
    pub fn new<C: Architecture>(
        embedding: Option<Embedding<f32>>,
        network: Recurrent<C, f32>,
        head: Option<Linear<f32>>,
    ) -> Result<Self> {
        if let Some(actual) = embedding.as_ref().map(|embedding| embedding.config().embedding_dim)
            && actual != network.input_size()
        {
            return exec_err!(
                "{network}: expected an embedding of {} features, got {actual}",
                network.input_size()
            );
        }
        if let Some(actual) = head.as_ref().map(|head| head.config().in_features)
            && actual != network.output_size()
        {
            return exec_err!(
                "{network}: expected a head of {} features, got {actual}",
                network.output_size()
            );
        }
        let mut hash = Fnv::new();
        hash.text(&network.to_string());
        hash.parameters("network", &network);
        embedding.iter().for_each(|embedding| hash.parameters("embedding", embedding));
        head.iter().for_each(|head| hash.parameters("head", head));
        Ok(Self { embedding, network: Box::new(network), head, fingerprint: hash.0 })
    }

    /// The model of a file, whose format its ending says.
    ///
    /// # Errors
    /// For a file that cannot be read; as [`from_bytes`](Self::from_bytes).
    pub fn read(path: impl AsRef<Path>, kind: Kind, names: &Names) -> Result<Self> {
        let path = path.as_ref();
        let format = Format::of(path)?;
        let named = |error: DataFusionError| error.context(path.display().to_string());
        let bytes = std::fs::read(path).map_err(|error| named(error.into()))?;
        Self::from_bytes(&bytes, format, kind, names).map_err(named)
    }

    /// The model of a file's bytes.
    ///
    /// Of an ONNX model only the recurrent nodes are read, and the arrays of the given names: what else its graph
    /// computes is not.
    ///
    /// # Errors
    /// As the readers of `ndarray_rnn::io`, and as [`new`](Self::new).
    pub fn from_bytes(bytes: &[u8], format: Format, kind: Kind, names: &Names) -> Result<Self> {
        let dict = match format {
            Format::Safetensors => safetensors::from_bytes(bytes),
            Format::Pt => pt::from_bytes(bytes),
            Format::Onnx => onnx::from_bytes(bytes),
        }
        .map_err(external)?;
        if format != Format::Onnx {
            return Self::from_state_dict(&dict, kind, names);
        }
        let graph = onnx::Model::<f32>::from_bytes(bytes).map_err(external)?;
        match kind {
            Kind::Rnn(expected) => {
                let rnn = graph.to_network::<RnnConfig>().map_err(external)?;
                let actual = rnn.config().nonlinearity;
                if actual != expected {
                    return exec_err!("{rnn}: expected the nonlinearity {expected}, got {actual}");
                }
                Self::around(rnn, &dict, names)
            }
            Kind::Lstm => Self::around(graph.to_network::<LstmConfig>().map_err(external)?, &dict, names),
            Kind::Gru => Self::around(graph.to_network::<GruConfig>().map_err(external)?, &dict, names),
        }
    }

    /// The model of arrays under torch's names.
    ///
    /// # Errors
    /// As `from_state_dict` of the parts, and as [`new`](Self::new).
    pub fn from_state_dict(dict: &StateDict, kind: Kind, names: &Names) -> Result<Self> {
        let part = dict.under(&names.network);
        match kind {
            Kind::Rnn(with) => {
                Self::around(Rnn::from_state_dict(&part, with).map_err(external)?, dict, names)
            }
            Kind::Lstm => Self::around(Lstm::from_state_dict(&part).map_err(external)?, dict, names),
            Kind::Gru => Self::around(Gru::from_state_dict(&part).map_err(external)?, dict, names),
        }
    }

    /// A network with the layers that a dict holds for it.
    fn around<C: Architecture>(network: Recurrent<C, f32>, dict: &StateDict, names: &Names) -> Result<Self> {
        let embedding =
            names.embedding.as_ref().map(|name| Embedding::from_state_dict(&dict.under(name), None));
        let head = names.head.as_ref().map(|name| Linear::from_state_dict(&dict.under(name)));
        Self::new(embedding.transpose().map_err(external)?, network, head.transpose().map_err(external)?)
    }

    /// How many tokens there are; `None` if the model reads features.
    pub fn tokens(&self) -> Option<usize> {
        self.embedding.as_ref().map(|embedding| embedding.config().num_embeddings)
    }

    /// How many features a step has.
    pub fn input_size(&self) -> usize {
        self.network.input_size()
    }

    /// How many numbers a result has.
    pub fn output_size(&self) -> usize {
        self.head.as_ref().map_or(self.network.output_size(), |head| head.config().out_features)
    }

    /// A number of the bits of every parameter and of the options: models of one number give the same bits.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The vectors of tokens.
    pub(crate) fn embed(&self, tokens: &PackedSequence<usize>) -> ndarray_rnn::Result<PackedSequence<f32>> {
        let embedding = self.embedding.as_ref().ok_or(ndarray_rnn::Error::Unsupported {
            operation: "embed",
            reason: "the model has no embedding",
        })?;
        tokens.with_data(embedding.forward(&tokens.data().column(0))?)
    }

    /// A result for every sequence, (N, output_size).
    pub(crate) fn last(&self, input: &PackedSequence<f32>) -> ndarray_rnn::Result<Array2<f32>> {
        let last = self.network.last(input)?;
        match &self.head {
            Some(head) => head.forward(&last),
            None => Ok(last),
        }
    }

    /// A result for every step of every sequence, each (its length, output_size).
    pub(crate) fn outputs(&self, input: &PackedSequence<f32>) -> ndarray_rnn::Result<Vec<Array2<f32>>> {
        let outputs = self.network.outputs(input)?;
        match &self.head {
            Some(head) => outputs.with_data(head.forward(outputs.data())?)?.to_sequences(),
            None => outputs.to_sequences(),
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("tokens", &self.tokens())
            .field("network", &self.network.to_string())
            .field("output_size", &self.output_size())
            .finish_non_exhaustive()
    }
}

/// An error of the crate as one of the engine.
pub(crate) fn external(error: ndarray_rnn::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The hash FNV-1a, which unlike the standard library's is the same in every version.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0 =
            bytes.iter().fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn parameters(&mut self, part: &str, model: &impl Parameters<Elem = f32>) {
        self.text(part);
        for (name, value) in model.named_parameters() {
            self.text(&name);
            value.shape().iter().for_each(|&size| self.bytes(&(size as u64).to_le_bytes()));
            value.iter().for_each(|number| self.bytes(&number.to_bits().to_le_bytes()));
        }
    }
}
