//! Writing `.weights.h5` files.

use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};

use super::FORMAT;
use crate::error::Result;
use crate::io::files::{self, unsupported};
use crate::keras::{Bidirectional, SimpleRnn, SimpleRnnParameters};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// Layers to be written into a `.weights.h5` file, in the order of the Keras model that is to load them.
///
/// ```
/// use ndarray_rnn::io::keras::{Model, Weights};
/// use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut set_random_seed(0))?;
/// let bytes = Weights::new().simple_rnn(&rnn).to_bytes()?;
///
/// let mut copy = SimpleRnn::zeros(SimpleRnnConfig::new(4, 2))?;
/// Model::from_bytes(&bytes)?.load(0, &mut copy)?;
/// assert_eq!(copy.parameters(), rnn.parameters());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// In Python: `keras.Sequential([keras.layers.SimpleRNN(2)])`, built, then `model.load_weights(path)`.
#[derive(Debug, Clone)]
#[must_use = "nothing is written until `write` or `to_bytes` is called"]
pub struct Weights<'a, A: Scalar> {
    layers: Vec<AnyLayer<'a, A>>,
}

#[derive(Debug, Clone)]
enum AnyLayer<'a, A: Scalar> {
    SimpleRnn(&'a SimpleRnn<A>),
    Bidirectional(&'a Bidirectional<A>),
}

impl<A: Scalar> Default for Weights<'_, A> {
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

impl<'a, A: Scalar> Weights<'a, A> {
    /// Without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a SimpleRNN layer.
    pub fn simple_rnn(mut self, layer: &'a SimpleRnn<A>) -> Self {
        self.layers.push(AnyLayer::SimpleRnn(layer));
        self
    }

    /// Adds a Bidirectional layer.
    pub fn bidirectional(mut self, layer: &'a Bidirectional<A>) -> Self {
        self.layers.push(AnyLayer::Bidirectional(layer));
        self
    }

    /// Writes the file: whole or not at all, the same bytes each time.
    ///
    /// # Errors
    /// [`FileError::System`](crate::FileError::System) for a file that cannot be written; as
    /// [`to_bytes`](Self::to_bytes).
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        files::write(path.as_ref(), &self.to_bytes()?)
    }

    /// The bytes that [`write`](Self::write) writes.
    ///
    /// # Errors
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for what HDF5 cannot hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut file = FileBuilder::new();
        let mut layers = file.create_group("layers");
        // Keras numbers the layers of each class.
        let mut counts = [0; 2];
        for layer in &self.layers {
            let (class, count) = match layer {
                AnyLayer::SimpleRnn(_) => ("simple_rnn", &mut counts[0]),
                AnyLayer::Bidirectional(_) => ("bidirectional", &mut counts[1]),
            };
            let name = if *count == 0 { class.to_owned() } else { format!("{class}_{count}") };
            *count += 1;
            let mut group = layers.create_group(&name);
            match layer {
                AnyLayer::SimpleRnn(layer) => cell(&mut group, layer.parameters()),
                AnyLayer::Bidirectional(layer) => {
                    let inner = [
                        ("backward_layer", layer.backward_layer()),
                        ("forward_layer", layer.forward_layer()),
                    ];
                    for (name, layer) in inner {
                        let mut inner = group.create_group(name);
                        cell(&mut inner, layer.parameters());
                        group.add_group(inner.finish());
                    }
                }
            }
            variables(&mut group, &name);
            layers.add_group(group.finish());
        }
        file.add_group(layers.finish());
        file.finish().map_err(|error| unsupported(FORMAT, "file", error.to_string()))
    }
}

/// The weights of a cell.
fn cell<A: Scalar>(layer: &mut GroupBuilder, parameters: &SimpleRnnParameters<A>) {
    let mut cell = layer.create_group("cell");
    let mut vars = cell.create_group("vars");
    for (i, (_, value)) in parameters.named_parameters().into_iter().enumerate() {
        let values = value.iter().map(|value| value.into_f64());
        let dataset = vars.create_dataset(&i.to_string());
        if A::SINGLE {
            dataset.with_f32_data(&values.map(|value| value as f32).collect::<Vec<_>>());
        } else {
            dataset.with_f64_data(&values.collect::<Vec<_>>());
        }
        dataset.with_shape(&value.shape().iter().map(|&size| size as u64).collect::<Vec<_>>());
    }
    cell.add_group(vars.finish());
    layer.add_group(cell.finish());
}

/// The group of the layer's own variables, of which there are none; it holds the layer's name.
fn variables(layer: &mut GroupBuilder, name: &str) {
    let mut vars = layer.create_group("vars");
    vars.set_attr("name", AttrValue::String(name.into()));
    layer.add_group(vars.finish());
}
