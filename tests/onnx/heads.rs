//! Models with an embedding before the network and a linear layer behind it: ONNX Runtime ran the same bytes.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayD};
use ndarray_rnn::io::onnx::{self, Export, Model};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Error, Linear, LinearConfig, Recurrent, RnnConfig, manual_seed,
};

use crate::common::{TestResult, largest_difference};
use crate::exports::Exported;

/// A network and what stands around it, with the options of some bits.
pub(crate) struct Case<C: Exported> {
    pub(crate) name: String,
    network: Recurrent<C, f32>,
    embedding: Option<Embedding<f32>>,
    linear: Option<Linear<f32>>,
    last: bool,
    lens: bool,
}

impl<C: Exported> Case<C> {
    fn new(bits: u32) -> TestResult<Self> {
        let flag = |bit: u32| bits >> bit & 1 == 1;
        let rng = &mut manual_seed(bits);
        let [both_ways, batch_first, last] = [0, 1, 2].map(flag);
        // There is a head wherever there are not the last outputs alone.
        let (embedded, headed) = (bits.count_ones() % 2 == 1, bits != 4 && bits != 7);
        let config = C::of_bits([bits.is_multiple_of(3), both_ways, batch_first, false]);
        let width = if both_ways { 6 } else { 3 };
        let head = LinearConfig::new(width, 2).bias(bits != 3);
        Ok(Self {
            name: format!("{}head-{bits}", C::PREFIX),
            network: Recurrent::new(config, rng)?,
            embedding: embedded.then(|| Embedding::new(EmbeddingConfig::new(7, 4), rng)).transpose()?,
            linear: headed.then(|| Linear::new(head, rng)).transpose()?,
            last,
            lens: both_ways,
        })
    }

    pub(crate) fn bytes(&self) -> TestResult<Vec<u8>> {
        let mut export = Export::new(&self.network).sequence_lens(self.lens).last(self.last);
        if let Some(embedding) = &self.embedding {
            export = export.embedding(embedding);
        }
        if let Some(linear) = &self.linear {
            export = export.linear(linear);
        }
        // One model of each kind holds text beside the graph.
        let metadata = if self.name.ends_with('0') { metadata() } else { BTreeMap::new() };
        Ok(export.metadata(&metadata).to_bytes()?)
    }

    fn compare(&self) -> TestResult {
        let golden = crate::golden()?;
        let name = |part: &str| format!("ours.{}.{part}", self.name);
        let bytes = self.bytes()?;
        assert!(bytes == golden.bytes(&name("model"))?, "{}: not the bytes of the fixture", self.name);
        let input = match &self.embedding {
            None => crate::exports::three_axes(&golden, &name("input"))?,
            Some(embedding) => {
                let indices = golden.integers(&name("input"))?.into_iter().map(|i| i as usize).collect();
                let shape = if self.name.ends_with(['2', '3', '6', '7']) { (3, 5) } else { (5, 3) };
                embedding.forward(&Array2::from_shape_vec(shape, indices)?)?
            }
        };
        let run = self.network.run(&input);
        let run = if self.lens { run.lengths(&[2, 5, 1]) } else { run };
        let rows = if self.last { run.last()?.0.into_dyn() } else { run.forward()?.0.into_dyn() };
        let output = match &self.linear {
            Some(linear) => linear.forward(&rows)?,
            None => rows,
        };
        let expected: ArrayD<f32> = golden.array(&name("output"))?;
        assert!(largest_difference(&output, &expected) < 1e-6, "{}: output", self.name);

        assert_eq!(Model::from_bytes(&bytes)?.to_network::<C>()?, self.network, "{}", self.name);
        let dict = onnx::from_bytes(&bytes)?;
        let cases = golden.metadata["ours"].as_array().ok_or("no list of cases")?;
        let case = cases.iter().find(|case| case["name"] == self.name).ok_or("no such case")?;
        assert_eq!(serde_json::to_value(dict.metadata())?, case["metadata"]);
        assert_eq!(dict.metadata().len(), if self.name.ends_with('0') { 2 } else { 0 });
        if let Some(linear) = &self.linear {
            assert_eq!(&Linear::<f32>::from_state_dict(&dict.under("linear."))?, linear);
        }
        if let Some(embedding) = &self.embedding {
            assert_eq!(dict.get("embedding.weight").map(|weight| weight.shape().to_vec()), Some(vec![7, 4]));
            assert_eq!(
                Embedding::<f32>::from_state_dict(&dict.under("embedding."), None)?.weight(),
                embedding.weight()
            );
        }
        Ok(())
    }
}

fn metadata() -> BTreeMap<String, String> {
    [("epoch", "17"), ("author", "J\u{f6}rg")].map(|(key, value)| (key.into(), value.into())).into()
}

pub(crate) fn cases<C: Exported>() -> TestResult<Vec<Case<C>>> {
    (0..8).map(Case::new).collect()
}

#[test]
fn onnx_runtime_computes_the_same() -> TestResult {
    fn of_kind<C: Exported>() -> TestResult {
        cases::<C>()?.iter().try_for_each(Case::compare)
    }
    of_kind::<RnnConfig>()?;
    of_kind::<ndarray_rnn::LstmConfig>()?;
    of_kind::<ndarray_rnn::GruConfig>()
}

#[test]
fn widths_must_fit() -> TestResult {
    let rng = &mut manual_seed(0);
    let rnn = Recurrent::<RnnConfig, f32>::new(RnnConfig::new(4, 3).bidirectional(true), rng)?;
    let (embedding, head) =
        (Embedding::new(EmbeddingConfig::new(7, 5), rng)?, Linear::new(LinearConfig::new(3, 2), rng)?);
    let width = |array, size, expected, actual| Some(Error::Width { array, size, expected, actual });
    let error = Export::new(&rnn).embedding(&embedding).to_bytes().err();
    assert_eq!(error, width("embedding.weight", "input_size", 4, 5));
    let error = Export::new(&rnn).linear(&head).to_bytes().err();
    assert_eq!(error, width("linear.weight", "the network's output", 6, 3));
    Ok(())
}
