//! Reading the golden fixtures.

use std::str::FromStr;

use ndarray::ArrayD;
use ndarray_rnn::{Nonlinearity, Parameters, RnnCellConfig, RnnConfig};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::kinds::Shape;
use super::{Real, TestResult};

/// One fixture file.
pub(crate) struct Golden {
    tensors: SafeTensors<'static>,
    /// The value of the metadata's one key.
    pub(crate) metadata: Value,
}

impl Golden {
    /// The fixture from a file's bytes.
    pub(crate) fn parse(bytes: &'static [u8]) -> TestResult<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header.metadata().as_ref().and_then(|map| map.values().next());
        let metadata = text.map_or(Ok(Value::Null), |text| serde_json::from_str(text))?;
        Ok(Self { tensors: SafeTensors::deserialize(bytes)?, metadata })
    }

    /// The metadata's list of cases, numbered.
    pub(crate) fn cases(&self) -> TestResult<Vec<Case>> {
        Case::list(&self.metadata)
    }

    /// One of the metadata's lists of cases, numbered.
    pub(crate) fn group(&self, name: &str) -> TestResult<Vec<Case>> {
        Case::list(&self.metadata[name])
    }

    /// The tensors' names, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.tensors.names().into_iter().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// A tensor, which must be of this type.
    pub(crate) fn array<A: Real>(&self, name: &str) -> TestResult<ArrayD<A>> {
        let tensor = self.tensors.tensor(name)?;
        assert_eq!(tensor.dtype().to_string().to_lowercase(), A::NAME, "the type of {name}");
        let values: TestResult<_> = tensor.data().chunks_exact(size_of::<A>()).map(A::read).collect();
        Ok(ArrayD::from_shape_vec(tensor.shape(), values?)?)
    }

    /// A flat tensor of the gradients of all parameters, each shaped as its parameter.
    pub(crate) fn parameters<A: Real>(
        &self,
        name: &str,
        like: &impl Parameters<Elem = A>,
    ) -> TestResult<Vec<(String, ArrayD<A>)>> {
        let mut flat = self.array::<A>(name)?.into_iter();
        let shaped = like.named_parameters().into_iter().map(|(name, like)| {
            let values = flat.by_ref().take(like.len()).collect();
            Ok((name, ArrayD::from_shape_vec(like.shape(), values)?))
        });
        let shaped = shaped.collect::<TestResult<_>>()?;
        assert_eq!(flat.next(), None, "{name} holds more than the parameters");
        Ok(shaped)
    }

    /// A file's bytes.
    pub(crate) fn bytes(&self, name: &str) -> TestResult<&'static [u8]> {
        let tensor = self.tensors.tensor(name)?;
        assert_eq!(tensor.dtype(), Dtype::U8, "the type of {name}");
        Ok(tensor.data())
    }

    /// A list of 32-bit lengths.
    pub(crate) fn lengths(&self, name: &str) -> TestResult<Vec<usize>> {
        let tensor = self.tensors.tensor(name)?;
        assert_eq!(tensor.dtype(), Dtype::I32, "the type of {name}");
        tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| Ok(i32::from_le_bytes(bytes.try_into()?).try_into()?))
            .collect()
    }

    /// A list of whole numbers.
    pub(crate) fn integers(&self, name: &str) -> TestResult<Vec<i64>> {
        let tensor = self.tensors.tensor(name)?;
        assert_eq!(tensor.dtype(), Dtype::I64, "the type of {name}");
        tensor.data().chunks_exact(8).map(|bytes| Ok(i64::from_le_bytes(bytes.try_into()?))).collect()
    }
}

/// What one network or cell of a fixture is made of.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) index: usize,
    pub(crate) value: Value,
}

impl Case {
    /// The cases of a list, numbered.
    pub(crate) fn list(list: &Value) -> TestResult<Vec<Self>> {
        let cases = list.as_array().ok_or("no list of cases")?;
        Ok(cases.iter().cloned().enumerate().map(|(index, value)| Self { index, value }).collect())
    }

    pub(crate) fn is(&self, key: &str, text: &str) -> bool {
        self.value[key] == text
    }

    pub(crate) fn size(&self, key: &str) -> TestResult<usize> {
        let value = self.value[key].as_u64().ok_or_else(|| format!("no {key} in {self:?}"))?;
        Ok(value.try_into()?)
    }

    pub(crate) fn flag(&self, key: &str) -> TestResult<bool> {
        Ok(self.value[key].as_bool().ok_or_else(|| format!("no {key} in {self:?}"))?)
    }

    /// A number; `None` if the case has none.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.value[key].as_f64()
    }

    /// A text; `None` if the case has none.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.value[key].as_str()
    }

    /// A value written as text.
    pub(crate) fn parse<T: FromStr<Err: std::error::Error + 'static>>(&self, key: &str) -> TestResult<T> {
        Ok(self.value[key].as_str().ok_or_else(|| format!("no {key} in {self:?}"))?.parse()?)
    }

    /// The number of sequences; `None` if there is a single sequence without a batch axis.
    pub(crate) fn batch(&self) -> TestResult<Option<usize>> {
        if self.value["batch"].is_null() { Ok(None) } else { self.size("batch").map(Some) }
    }

    /// The lengths of the sequences; `None` if all are as long as the longest.
    pub(crate) fn lengths(&self) -> TestResult<Option<Vec<usize>>> {
        Ok(serde_json::from_value(self.value["lengths"].clone())?)
    }

    /// What a network of any kind is made of; the default of what the case does not have.
    pub(crate) fn shape(&self) -> TestResult<Shape> {
        Ok(Shape {
            input_size: self.size("input_size")?,
            hidden_size: self.size("hidden_size")?,
            proj_size: self.size("proj_size")?,
            num_layers: self.size("num_layers")?,
            bias: self.flag("bias")?,
            batch_first: self.value["batch_first"] == true,
            dropout: self.number("dropout").unwrap_or(0.0),
            bidirectional: self.flag("bidirectional")?,
        })
    }

    fn nonlinearity(&self) -> Nonlinearity {
        if self.is("nonlinearity", "relu") { Nonlinearity::Relu } else { Nonlinearity::Tanh }
    }

    /// The configuration of an RNN; `batch_first` is false if the case does not have it.
    pub(crate) fn rnn_config(&self) -> TestResult<RnnConfig> {
        Ok(RnnConfig::new(self.size("input_size")?, self.size("hidden_size")?)
            .num_layers(self.size("num_layers")?)
            .nonlinearity(self.nonlinearity())
            .bias(self.flag("bias")?)
            .batch_first(self.value["batch_first"] == true)
            .dropout(self.number("dropout").unwrap_or(0.0))
            .bidirectional(self.flag("bidirectional")?))
    }

    pub(crate) fn cell_config(&self) -> TestResult<RnnCellConfig> {
        Ok(RnnCellConfig::new(self.size("input_size")?, self.size("hidden_size")?)
            .nonlinearity(self.nonlinearity())
            .bias(self.flag("bias")?))
    }
}
