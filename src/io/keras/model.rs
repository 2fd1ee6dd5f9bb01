//! Reading a file's layers, and making layers of this crate of them.

use std::path::Path;

use serde::Deserialize;

use super::arrays::dict;
use super::hdf5::Hdf5;
use super::json::{self, Entry};
use super::kinds::{FromConfig, FromKeras, LoadKeras};
use super::layer::{Layer, LayerId};
use super::weights::Weights;
use super::{DenseActivation, FORMAT, config, legacy};
use crate::embedding::Embedding;
use crate::error::{FileError, Result};
use crate::io::StateDict;
use crate::io::archive::Archive;
use crate::io::budget::Budget;
use crate::io::files::{self, malformed};
use crate::io::recognise::expect_format;
use crate::keras::{Bidirectional, LayerPair, Stacked};
use crate::linear::Linear;
use crate::scalar::Scalar;

/// The layers of a Keras file, of every class, with their weights.
///
/// What is not asked for need not be understood: a layer of a class, or with an option, that this crate does not have
/// leaves the others readable, and all weights.
///
/// ```no_run
/// use ndarray_rnn::Linear;
/// use ndarray_rnn::io::keras::{DenseActivation, Model};
/// use ndarray_rnn::keras::SimpleRnn;
///
/// let model = Model::read("model.keras")?;
/// for layer in model.layers() {
///     println!("{} {:?}", layer.path(), layer.class());
/// }
/// let rnn: SimpleRnn = model.layer("rnn")?;
/// let (head, activation): (Linear, DenseActivation) = model.layer(0)?;    // the first Dense layer
/// println!("{:?}", model.weights()?.get("layers/dense/vars/0"));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    layers: Vec<Layer>,
    weights: Result<StateDict>,
}

/// What `metadata.json` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    keras_version: Entry<'a>,
}

impl Model {
    /// The layers of a `.keras`, `.weights.h5` or legacy `.h5` file, of Keras 1 to 3.
    ///
    /// # Errors
    /// [`FileError::System`] for a file that cannot be read; as [`from_bytes`](Self::from_bytes).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_bytes(&files::read(path.as_ref())?)
    }

    /// The layers of a file's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`] for bytes that are no such file; [`FileError::TooLarge`] for a file that would take more
    /// than 16 times its size in memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        expect_format(FORMAT, bytes)?;
        if bytes.starts_with(b"PK") {
            return Self::of_archive(Archive::open(FORMAT, bytes)?);
        }
        let mut hdf5 = Hdf5::open(bytes.into(), Budget::new(FORMAT, bytes.len()))?;
        if !legacy::is_legacy(&mut hdf5)? {
            return Ok(Self::of_weights(&Weights::read(&mut hdf5)?, Vec::new(), None));
        }
        // As in Keras, a file that says no version is one of Keras 1.
        let version = legacy::attribute(&mut hdf5, "keras_version")?;
        let version = version.as_deref().map_or(Ok(1), major)?;
        let groups = legacy::groups(&mut hdf5)?;
        let named = groups.iter().flat_map(|(group, arrays)| {
            arrays.iter().map(move |(name, array)| (format!("{group}/{name}"), array))
        });
        let weights = dict(named);
        let layers = match legacy::attribute(&mut hdf5, "model_config")? {
            None => legacy::undescribed(&groups, version),
            Some(json) => {
                let json = json::text("model configuration", json.as_bytes())?;
                let described = config::parse(&json, &Default::default(), hdf5.budget())?;
                legacy::described(&groups, described, version)
            }
        };
        Ok(Self { layers, weights })
    }

    fn of_archive(mut archive: Archive<'_>) -> Result<Self> {
        let [weights, config] = ["model.weights.h5", "config.json"].map(|name| archive.read(name));
        let (weights, config, version) = (weights?, config?, version(&mut archive)?);
        let mut hdf5 = Hdf5::open(weights, archive.budget)?;
        let weights = Weights::read(&mut hdf5)?;
        let json = json::text("config.json", &config)?;
        let described = config::parse(&json, &weights.groups, hdf5.budget())?;
        Ok(Self::of_weights(&weights, described, version))
    }

    fn of_weights(weights: &Weights, described: Vec<config::Described>, version: Option<u32>) -> Self {
        let named = weights.arrays.iter().map(|(path, array)| (path.clone(), array));
        Self { layers: weights.layers(described, version), weights: dict(named) }
    }

    /// The layers in the model's order, those of models within the model in their place; of a `.weights.h5` file by class
    /// and number.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Every array of the model, of whatever layers, under its path in the file: `layers/lstm/cell/vars/0` in `.keras` and
    /// `.weights.h5` files, `lstm/lstm/lstm_cell/kernel:0`, the layer and the weight's name, in legacy `.h5` files. An
    /// optimiser's are not among them. [`Layer::weights`] has those of one layer under the same names for every file.
    ///
    /// # Errors
    /// [`FileError::Dtype`] for an array whose elements are no numbers.
    pub fn weights(&self) -> Result<&StateDict> {
        self.weights.as_ref().map_err(Clone::clone)
    }

    /// A layer, as the file describes it: a [`SimpleRnn`](crate::keras::SimpleRnn), [`Lstm`](crate::keras::Lstm) or
    /// [`Gru`](crate::keras::Gru), a [`Bidirectional`] of two of a kind, a [`LayerPair`] for `merge_mode=None`, a
    /// [`Stacked`] for `RNN([cells])` of any kinds, an [`Embedding`], or a [`Linear`] with its [`DenseActivation`].
    ///
    /// `RNN(cell)` is a layer of the cell's class. What `TimeDistributed` wraps is a layer of its own.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is no such layer of this class, with those that there are;
    /// [`FileError::Unsupported`] for a file of weights only, see [`load`](Self::load), and for what this crate does not
    /// have; [`FileError::Malformed`] for an option that is not understood and for weights that are not there;
    /// [`Error::UnknownName`](crate::Error::UnknownName) for an activation that this crate does not have;
    /// [`FileError::Dtype`] for weights of another element type; [`Error::Shape`](crate::Error::Shape) for weights that
    /// do not fit the description.
    pub fn layer<'a, L: FromKeras>(&self, layer: impl Into<LayerId<'a>>) -> Result<L> {
        L::make(self.find::<L::Loaded>(layer.into())?)
    }

    /// Loads the weights of a layer of any file.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is no such layer, [`FileError::Dtype`] for weights of another element type,
    /// [`Error::Shape`](crate::Error::Shape), [`Error::MissingParameter`](crate::Error::MissingParameter) or
    /// [`Error::UnexpectedParameter`](crate::Error::UnexpectedParameter) for the weights of another layer; `into` is
    /// unchanged then.
    pub fn load<'a, L: LoadKeras>(&self, layer: impl Into<LayerId<'a>>, into: &mut L) -> Result<()> {
        into.load(self.find::<L>(layer.into())?)
    }

    fn find<L: LoadKeras>(&self, id: LayerId<'_>) -> Result<&Layer> {
        let mut of_class = self.layers.iter().filter(|layer| L::is(layer));
        let found = match id {
            LayerId::Index(index) => of_class.nth(index),
            LayerId::Name(name) => {
                // A name that a layer of the outermost model has is that layer's, as in Keras's `get_layer`.
                let mut named: Vec<_> =
                    of_class.filter(|layer| layer.path == name || layer.name == name).collect();
                if named.iter().any(|layer| layer.path == name) {
                    named.retain(|layer| layer.path == name);
                }
                if let [first, second, ..] = named[..] {
                    let actual = format!("{} and {}", first.path, second.path);
                    return Err(malformed(FORMAT, name, format!("one {} of this name", L::KIND), actual));
                }
                named.pop()
            }
        };
        let present = || self.layers.iter().take(20).map(Layer::label).collect();
        found.ok_or_else(|| FileError::NotFound { name: L::KIND, present: present() }.into())
    }
}

/// The first number of the version of Keras that wrote an archive.
fn version(archive: &mut Archive<'_>) -> Result<Option<u32>> {
    if !archive.has("metadata.json") {
        return Ok(None);
    }
    let bytes = archive.read("metadata.json")?;
    let text = json::text("metadata.json", &bytes)?;
    let metadata: Metadata<'_> = json::object(&text).unwrap_or_default();
    Ok(metadata.keras_version.get::<String>().and_then(|version| major(&version).ok()))
}

/// The first number of a version.
fn major(version: &str) -> Result<u32> {
    let number = version.split('.').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| malformed(FORMAT, "keras_version", "a version", version))
}

/// `from_keras` and `load_weights` of a type.
macro_rules! from_keras {
    ($what:literal, $type:ty, $($parameter:ident: $bound:ident),+) => {
        impl<$($parameter: $bound),+> $type {
            #[doc = concat!("A ", $what, " of a `.keras` or legacy `.h5` file, by name or number.")]
            ///
            /// # Errors
            /// As [`Model::read`] and [`Model::layer`].
            pub fn from_keras<'a>(path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<Self> {
                Model::read(path)?.layer(layer)
            }

            #[doc = concat!("Loads the weights of a ", $what, " of a `.weights.h5`, `.keras` or legacy `.h5` file, by name or number.")]
            ///
            /// # Errors
            /// As [`Model::read`] and [`Model::load`]; the layer is unchanged then.
            pub fn load_weights<'a>(
                &mut self,
                path: impl AsRef<Path>,
                layer: impl Into<LayerId<'a>>,
            ) -> Result<()> {
                Model::read(path)?.load(layer, self)
            }
        }
    };
}

from_keras!("recurrent layer", crate::keras::Layer<C, A>, C: FromConfig, A: Scalar);
from_keras!("Bidirectional layer", Bidirectional<A, C>, A: Scalar, C: FromConfig);
from_keras!("RNN layer of stacked cells", Stacked<A>, A: Scalar);
from_keras!("Bidirectional layer with `merge_mode=None`", LayerPair<A, C>, A: Scalar, C: FromConfig);

impl<A: Scalar> Embedding<A> {
    /// The table of an Embedding layer of any of Keras's files, by name or number.
    ///
    /// Whether index 0 is masked, `mask_zero`, is no matter of the table: give the layers above a mask.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::layer`].
    pub fn from_keras<'a>(path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<Self> {
        Model::read(path)?.layer(layer)
    }
}

impl<A: Scalar> Linear<A> {
    /// The map of a Dense layer of a `.keras` or legacy `.h5` file, by name or number, and the layer's activation, which
    /// reads the map's output. The weight is the layer's `kernel` transposed.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::layer`].
    pub fn from_keras<'a>(
        path: impl AsRef<Path>,
        layer: impl Into<LayerId<'a>>,
    ) -> Result<(Self, DenseActivation)> {
        Model::read(path)?.layer(layer)
    }
}
