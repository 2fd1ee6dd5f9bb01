//! Writing `.weights.h5` files.

use std::fmt::Debug;
use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use ndarray::ArrayViewD;

use super::FORMAT;
use super::config::{numbered, snake_case};
use crate::error::Result;
use crate::io::files::{self, unsupported};
use crate::keras::{Architecture, Bidirectional, Layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// Layers to be written into a `.weights.h5` file, in the order of the Keras model that is to load them.
///
/// ```
/// use ndarray_rnn::io::keras::{Model, Weights};
/// use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut set_random_seed(0))?;
/// let bytes = Weights::new().layer(&rnn).to_bytes()?;
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
    layers: Vec<&'a dyn WriteKeras<A>>,
}

/// A layer whose weights [`Weights`] writes: a [`Layer`] of any kind, or a [`Bidirectional`] of two. Sealed.
pub trait WriteKeras<A: Scalar>: Debug + Sync {
    /// Keras's name of the class.
    #[doc(hidden)]
    fn class(&self) -> &'static str;

    #[doc(hidden)]
    fn cells(&self) -> Vec<CellWeights<'_, A>>;
}

/// The weights of a cell.
#[derive(Debug)]
pub struct CellWeights<'a, A> {
    /// The group of the layer around the cell, if that is one within the layer.
    way: Option<&'static str>,
    /// The parameters in Keras's order.
    parameters: Vec<(String, ArrayViewD<'a, A>)>,
}

impl<C: Architecture, A: Scalar> WriteKeras<A> for Layer<C, A> {
    fn class(&self) -> &'static str {
        C::CLASS
    }

    fn cells(&self) -> Vec<CellWeights<'_, A>> {
        vec![CellWeights { way: None, parameters: self.named_parameters() }]
    }
}

impl<C: Architecture, A: Scalar> WriteKeras<A> for Bidirectional<A, C> {
    fn class(&self) -> &'static str {
        "Bidirectional"
    }

    fn cells(&self) -> Vec<CellWeights<'_, A>> {
        let ways = [("backward_layer", self.backward_layer()), ("forward_layer", self.forward_layer())];
        ways.map(|(way, layer)| CellWeights { way: Some(way), parameters: layer.named_parameters() }).into()
    }
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

    /// Adds a [`Layer`], such as a [`SimpleRnn`](crate::keras::SimpleRnn), [`Lstm`](crate::keras::Lstm) or
    /// [`Gru`](crate::keras::Gru), or a [`Bidirectional`] of two.
    pub fn layer(mut self, layer: &'a impl WriteKeras<A>) -> Self {
        self.layers.push(layer);
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
        let names = numbered(self.layers.iter().map(|layer| snake_case(layer.class())));
        for (layer, name) in self.layers.iter().zip(names) {
            let mut group = layers.create_group(&name);
            for weights in layer.cells() {
                match weights.way {
                    None => weights.write(&mut group),
                    Some(way) => {
                        let mut inner = group.create_group(way);
                        weights.write(&mut inner);
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

impl<A: Scalar> CellWeights<'_, A> {
    /// Writes the cell into the group of its layer.
    fn write(&self, layer: &mut GroupBuilder) {
        let mut cell = layer.create_group("cell");
        let mut vars = cell.create_group("vars");
        for (i, (_, value)) in self.parameters.iter().enumerate() {
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
}

/// The group of the layer's own variables, of which there are none; it holds the layer's name.
fn variables(layer: &mut GroupBuilder, name: &str) {
    let mut vars = layer.create_group("vars");
    vars.set_attr("name", AttrValue::String(name.into()));
    layer.add_group(vars.finish());
}
