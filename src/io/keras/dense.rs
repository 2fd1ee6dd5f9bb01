//! Keras's Dense and Embedding.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::activation;
use super::entries::Entries;
use super::kinds::{FromKeras, LoadKeras};
use super::layer::Layer;
use crate::arrays::{as_standard, elements, elements_mut};
use crate::embedding::Embedding;
use crate::error::{Error, Result, expect_shape};
use crate::functional::{log_softmax, softmax};
use crate::io::{StateDict, Tensor};
use crate::keras::Activation;
use crate::kernels::{Activate, fastest};
use crate::linear::{Linear, LinearConfig};
use crate::room::zeros;
use crate::scalar::Scalar;

/// The activation of a Dense layer, which reads the layer's outputs.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::io::keras::DenseActivation;
///
/// let scores = array![[0.0_f64, 0.0], [0.0, 3.0_f64.ln()]];
/// assert_eq!(DenseActivation::Softmax.apply(&scores)?.row(0), array![0.5, 0.5]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/layers/activations/>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenseActivation {
    /// A function of each output.
    Pointwise(Activation),
    /// exp(x) over the sum of exp(x) along the last axis.
    Softmax,
    /// The logarithm of the softmax.
    LogSoftmax,
}

impl DenseActivation {
    /// The function's values for outputs of shape (*, units), in standard layout.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] for values that no memory holds; [`Error::LowRank`] for outputs without axes.
    pub fn apply<A: Scalar, D: Dimension>(self, outputs: &ArrayRef<A, D>) -> Result<Array<A, D>> {
        let Some(last) = outputs.ndim().checked_sub(1).map(Axis) else {
            return Err(Error::LowRank { array: "outputs", expected: 1, actual: 0 });
        };
        match self {
            Self::Pointwise(activation) => {
                let from = as_standard("outputs", outputs)?;
                let mut values = zeros("outputs", outputs.raw_dim())?;
                let to = elements_mut(&mut values);
                A::activate(fastest(), Activate { activation, from: elements(&from), to });
                Ok(values)
            }
            Self::Softmax => softmax(outputs, last),
            Self::LogSoftmax => log_softmax(outputs, last),
        }
    }
}

impl<A: Scalar> LoadKeras for Linear<A> {
    const KIND: &'static str = "Dense layer";

    fn is(layer: &Layer) -> bool {
        match layer.class() {
            Some(class) => class == "Dense",
            None => {
                layer.shape(kernel(layer)).is_some_and(|shape| shape.len() == 2) && holds_at_most(layer, 2)
            }
        }
    }

    fn named_weights(layer: &Layer) -> Result<StateDict> {
        let mut dict = StateDict::new();
        for (name, tensor) in layer.weights()?.iter() {
            match name {
                "kernel" | "vars/0" => {
                    let kernel = tensor.to_array::<A>(name)?;
                    dict.insert("weight", Tensor::from_array(&kernel.t())?)?;
                }
                "vars/1" => dict.insert("bias", tensor.clone())?,
                _ => dict.insert(name, tensor.clone())?,
            }
        }
        Ok(dict)
    }
}

/// The name of the array that is a kernel; a file of weights alone may say no more than its number.
fn kernel(layer: &Layer) -> &'static str {
    if layer.shape("kernel").is_some() { "kernel" } else { "vars/0" }
}

fn holds_at_most(layer: &Layer, count: usize) -> bool {
    layer.weights().is_ok_and(|weights| weights.len() <= count)
}

impl<A: Scalar> FromKeras for (Linear<A>, DenseActivation) {
    type Loaded = Linear<A>;

    fn make(layer: &Layer) -> Result<Self> {
        let entries = Entries::of(layer)?;
        let fields = &entries.fields;
        let units = entries.size("units", fields.units.or(fields.output_dim))?;
        let use_bias = entries.switch("use_bias", fields.use_bias.or(fields.bias), true)?;
        let function = entries.activation_name("activation", fields.activation, "linear")?;
        let activation = match function.as_str() {
            "softmax" => DenseActivation::Softmax,
            "log_softmax" => DenseActivation::LogSoftmax,
            name => DenseActivation::Pointwise(activation::of_name(name, layer)?),
        };
        let shape = layer.array("kernel")?.shape();
        let &[in_features, columns] = shape else {
            return Err(Error::Rank { array: "kernel", expected: 2, actual: shape.len() });
        };
        expect_shape("kernel", &[in_features, units], &[in_features, columns])?;
        let mut linear = Linear::zeros(LinearConfig::new(in_features, units).bias(use_bias))?;
        Linear::<A>::named_weights(layer)?.load_into(&mut linear)?;
        Ok((linear, activation))
    }
}

impl<A: Scalar> LoadKeras for Embedding<A> {
    const KIND: &'static str = "Embedding layer";

    fn is(layer: &Layer) -> bool {
        match layer.class() {
            Some(class) => class == "Embedding",
            None => {
                ["embeddings", "vars/0"].iter().any(|name| layer.shape(name).is_some_and(|s| s.len() == 2))
                    && holds_at_most(layer, 1)
            }
        }
    }

    fn named_weights(layer: &Layer) -> Result<StateDict> {
        let mut dict = StateDict::new();
        for (name, tensor) in layer.weights()?.iter() {
            let name = if ["embeddings", "vars/0"].contains(&name) { "weight" } else { name };
            dict.insert(name, tensor.clone())?;
        }
        Ok(dict)
    }
}

impl<A: Scalar> FromKeras for Embedding<A> {
    type Loaded = Self;

    fn make(layer: &Layer) -> Result<Self> {
        Self::from_state_dict(&Self::named_weights(layer)?, None)
    }
}
