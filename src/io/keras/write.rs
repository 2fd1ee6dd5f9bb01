//! Writing `.weights.h5` files.

use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use ndarray::ArrayViewD;

use super::FORMAT;
use super::config::{numbered, snake_case};
use super::layer::Part;
use super::writable::WriteKeras;
use crate::error::Result;
use crate::io::files::{self, unsupported};
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

    /// Adds a layer:
    ///
    /// | here | in Keras |
    /// |---|---|
    /// | a [`Layer`](crate::keras::Layer), such as a [`SimpleRnn`](crate::keras::SimpleRnn), [`Lstm`](crate::keras::Lstm) or [`Gru`](crate::keras::Gru) | `SimpleRNN`, `LSTM`, `GRU` |
    /// | a [`Bidirectional`](crate::keras::Bidirectional) of two, or a [`LayerPair`](crate::keras::LayerPair) | `Bidirectional` |
    /// | a [`Stacked`](crate::keras::Stacked) of layers that go forwards | `RNN([cells])` |
    /// | each of [`Stacked::layers`](crate::keras::Stacked::layers) | the layers of a `Sequential` |
    /// | a [`Linear`](crate::Linear) | `Dense`: its `kernel` is the weight transposed |
    /// | an [`Embedding`](crate::Embedding) | `Embedding` |
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
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for a [`Stacked`](crate::keras::Stacked) with a layer that is no cell of an `RNN`,
    /// a [`Bidirectional`](crate::keras::Bidirectional) or one that goes backwards, and for what HDF5 cannot hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut file = FileBuilder::new();
        let mut layers = file.create_group("layers");
        // Keras numbers the layers of each class.
        let names = numbered(self.layers.iter().map(|layer| snake_case(layer.class())));
        for (layer, name) in self.layers.iter().zip(names) {
            let mut group = layers.create_group(&name);
            // The layer's own variables stand where its name does; recurrent layers have none.
            let mut own = group.create_group("vars");
            own.set_attr("name", AttrValue::String(name));
            let (parts, arrays) = (layer.parts()?, layer.arrays());
            let of_part = |part: &'_ Part| {
                arrays.iter().filter(|(name, _)| part.has(name)).map(|(_, array)| array.view()).collect()
            };
            let (of_layer, within): (Vec<Located<'_, A>>, Vec<_>) = parts
                .iter()
                .map(|part| (&*part.group, of_part(part)))
                .partition(|(path, _)| *path == "vars/");
            for (_, arrays) in of_layer {
                fill(&mut own, &[("", arrays)]);
            }
            group.add_group(own.finish());
            fill(&mut group, &within);
            layers.add_group(group.finish());
        }
        file.add_group(layers.finish());
        file.finish().map_err(|error| unsupported(FORMAT, "file", error.to_string()))
    }
}

/// Arrays, and the path of the group that they stand in.
type Located<'a, A> = (&'a str, Vec<ArrayViewD<'a, A>>);

/// Writes arrays into the groups within a group that their paths name.
fn fill<A: Scalar>(group: &mut GroupBuilder, parts: &[Located<'_, A>]) {
    let name = |path: &str| path.split_once('/').map(|(name, _)| name.to_owned());
    for parts in parts.chunk_by(|(path, _), (other, _)| name(path) == name(other)) {
        let Some(name) = name(parts[0].0) else {
            parts
                .iter()
                .flat_map(|(_, arrays)| arrays)
                .enumerate()
                .for_each(|(i, array)| write(group, i, array));
            continue;
        };
        let mut inner = group.create_group(&name);
        let within: Vec<_> =
            parts.iter().map(|(path, arrays)| (&path[name.len() + 1..], arrays.clone())).collect();
        fill(&mut inner, &within);
        group.add_group(inner.finish());
    }
}

/// Writes an array under its number.
fn write<A: Scalar>(group: &mut GroupBuilder, number: usize, array: &ArrayViewD<'_, A>) {
    let values = array.iter().map(|value| value.into_f64());
    let dataset = group.create_dataset(&number.to_string());
    if A::SINGLE {
        dataset.with_f32_data(&values.map(|value| value as f32).collect::<Vec<_>>());
    } else {
        dataset.with_f64_data(&values.collect::<Vec<_>>());
    }
    dataset.with_shape(&array.shape().iter().map(|&size| size as u64).collect::<Vec<_>>());
}
