//! Configurations from a [`StateDict`] alone: every size follows from the names and shapes of the arrays.

use super::{StateDict, Tensor};
use crate::embedding::EmbeddingConfig;
use crate::error::{Error, Result, expect_shape};
use crate::linear::LinearConfig;
use crate::recurrent::{
    GruCellConfig, GruConfig, Kind, LstmCellConfig, LstmConfig, Nonlinearity, RnnCellConfig, RnnConfig, Sizes,
};

/// A kind of recurrent network, known by the number of its gates.
#[derive(Debug, Clone, Copy)]
struct Gates {
    count: usize,
    /// How an error calls the weights.
    weights: &'static str,
    /// The types of a network and of a cell.
    models: [&'static str; 2],
}

const RNN: Gates = Gates { count: 1, weights: "an RNN's weights (one gate)", models: ["Rnn", "RnnCell"] };
const GRU: Gates = Gates { count: 3, weights: "a GRU's weights (three gates)", models: ["Gru", "GruCell"] };
const LSTM: Gates =
    Gates { count: 4, weights: "an LSTM's weights (four gates)", models: ["Lstm", "LstmCell"] };

impl StateDict {
    /// The configuration of a network of these names and shapes. What they do not say has its default.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig};
    ///
    /// let config = RnnConfig::new(4, 2).num_layers(3).bidirectional(true).bias(false).batch_first(true);
    /// let mut dict = StateDict::new();
    /// dict.add("", &Rnn::<f32>::zeros(config.clone())?)?;
    /// assert_eq!(dict.rnn_config(Nonlinearity::Tanh)?.batch_first(true), config);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`](crate::Rnn::from_state_dict).
    pub fn rnn_config(&self, nonlinearity: Nonlinearity) -> Result<RnnConfig> {
        Ok(RnnConfig::of_sizes(&self.network(RNN)?).nonlinearity(nonlinearity))
    }

    /// As [`rnn_config`](Self::rnn_config), of an [`Lstm`](crate::Lstm).
    ///
    /// # Errors
    /// As [`Lstm::from_state_dict`](crate::Lstm::from_state_dict).
    pub fn lstm_config(&self) -> Result<LstmConfig> {
        Ok(LstmConfig::of_sizes(&self.network(LSTM)?))
    }

    /// As [`rnn_config`](Self::rnn_config), of a [`Gru`](crate::Gru).
    ///
    /// # Errors
    /// As [`Gru::from_state_dict`](crate::Gru::from_state_dict).
    pub fn gru_config(&self) -> Result<GruConfig> {
        Ok(GruConfig::of_sizes(&self.network(GRU)?))
    }

    pub(super) fn rnn_cell_config(&self, nonlinearity: Nonlinearity) -> Result<RnnCellConfig> {
        Ok(RnnCellConfig::of_sizes(&self.cell(RNN)?).nonlinearity(nonlinearity))
    }

    pub(super) fn lstm_cell_config(&self) -> Result<LstmCellConfig> {
        Ok(LstmCellConfig::of_sizes(&self.cell(LSTM)?))
    }

    pub(super) fn gru_cell_config(&self) -> Result<GruCellConfig> {
        Ok(GruCellConfig::of_sizes(&self.cell(GRU)?))
    }

    pub(super) fn linear_config(&self) -> Result<LinearConfig> {
        let [out_features, in_features] = matrix(self, "weight")?;
        Ok(LinearConfig::new(in_features, out_features).bias(self.get("bias").is_some()))
    }

    pub(super) fn embedding_config(&self, padding_idx: Option<usize>) -> Result<EmbeddingConfig> {
        let [num_embeddings, embedding_dim] = matrix(self, "weight")?;
        Ok(EmbeddingConfig { padding_idx, ..EmbeddingConfig::new(num_embeddings, embedding_dim) })
    }

    /// What the weights say of a network of a kind. Every weight is checked before a network takes memory: one that passes
    /// is no larger than the dict, so no small file makes a large network.
    fn network(&self, kind: Gates) -> Result<Sizes> {
        let present = |name: String| self.get(&name).is_some();
        let sizes = Sizes {
            num_layers: (1..).take_while(|k| present(format!("weight_ih_l{k}"))).count() + 1,
            bias: present("bias_ih_l0".into()),
            num_directions: 1 + usize::from(present("weight_ih_l0_reverse".into())),
            ..self.first(kind, ["weight_ih_l0", "weight_hh_l0", "weight_hr_l0"], kind.models[0])?
        };
        let rows = kind.count.saturating_mul(sizes.hidden_size);
        for k in 0..sizes.num_layers {
            for reverse in ["", "_reverse"].into_iter().take(sizes.num_directions) {
                self.expect(format!("weight_ih_l{k}{reverse}"), [rows, sizes.layer_input_size(k)])?;
                self.expect(format!("weight_hh_l{k}{reverse}"), [rows, sizes.features()])?;
                if sizes.proj_size > 0 {
                    self.expect(format!("weight_hr_l{k}{reverse}"), [sizes.proj_size, sizes.hidden_size])?;
                }
            }
        }
        Ok(sizes)
    }

    /// What the weights say of a cell of a kind.
    fn cell(&self, kind: Gates) -> Result<Sizes> {
        let bias = self.get("bias_ih").is_some();
        let sizes = self.first(kind, ["weight_ih", "weight_hh", "weight_hr"], kind.models[1])?;
        let rows = kind.count.saturating_mul(sizes.hidden_size);
        self.expect("weight_ih".into(), [rows, sizes.input_size])?;
        self.expect("weight_hh".into(), [rows, sizes.hidden_size])?;
        Ok(Sizes { bias, ..sizes })
    }

    /// What the first weights say, under their names. Fails if they are those of another kind.
    fn first(&self, kind: Gates, [ih, hh, hr]: [&'static str; 3], model: &'static str) -> Result<Sizes> {
        let [_, input_size] = matrix(self, ih)?;
        let [rows, features] = matrix(self, hh)?;
        let projection = self.get(hr).map(|_| matrix(self, hr)).transpose()?;
        let [proj_size, hidden_size] = projection.unwrap_or([0, features]);
        let is = |gates: &Gates| {
            let fits = gates.count.checked_mul(hidden_size) == Some(rows) && hidden_size > 0;
            fits && (projection.is_none() || gates.count == LSTM.count)
        };
        match [RNN, GRU, LSTM].into_iter().find(is) {
            Some(actual) if actual.count != kind.count => {
                let of_cell = usize::from(model == kind.models[1]);
                let (weights, actual) = (actual.weights, actual.models[of_cell]);
                Err(Error::WrongKind { weights, actual, expected: model })
            }
            _ => Ok(Sizes { proj_size, ..Sizes::of_cell(input_size, hidden_size, false) }),
        }
    }

    fn expect(&self, name: String, expected: [usize; 2]) -> Result<()> {
        match self.get(&name) {
            Some(tensor) => expect_shape(&name, &expected, tensor.shape()),
            None if self.skipped().contains_key(&name) => Err(self.missing(&name)),
            None => Err(Error::MissingParameter { name, expected: expected.into() }),
        }
    }
}

/// The shape of a matrix.
pub(super) fn matrix(state_dict: &StateDict, name: &'static str) -> Result<[usize; 2]> {
    let shape = state_dict.get(name).map(Tensor::shape).ok_or_else(|| state_dict.missing(name))?;
    shape.try_into().map_err(|_| Error::Rank { array: name, expected: 2, actual: shape.len() })
}
