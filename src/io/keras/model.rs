//! Reading a file's recurrent layers, and making layers of `keras` of them.

use std::collections::HashMap;
use std::path::Path;

use super::hdf5::Hdf5;
use super::layer::{Class, Layer, LayerConfig, LayerId};
use super::{FORMAT, config, legacy, weights};
use crate::error::{Error, FileError, Result};
use crate::io::archive::Archive;
use crate::io::files::{self, malformed, unsupported};
use crate::keras::{Bidirectional, SimpleRnn};
use crate::scalar::Scalar;

/// The SimpleRNN layers of a Keras file and the Bidirectional layers of two SimpleRNNs, with their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    layers: Vec<Layer>,
}

impl Model {
    /// The layers of a `.keras`, `.weights.h5` or legacy `.h5` file.
    ///
    /// # Errors
    /// [`FileError::System`] for a file that cannot be read; as [`from_bytes`](Self::from_bytes).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_bytes(&files::read(path.as_ref())?)
    }

    /// The layers of a file's bytes.
    ///
    /// # Errors
    /// [`FileError::Malformed`] for bytes that are no such file, and for a `.keras` file without the weights of a
    /// layer that it describes; [`FileError::TooLarge`] for a file that would take more than 16 times its size in
    /// memory; [`FileError::Dtype`] for weights that are no floats; [`Error::UnknownName`] for an activation that
    /// Keras does not have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"PK") {
            let mut archive = Archive::open(FORMAT, bytes)?;
            let described = config::parse(&archive.read("config.json")?)?;
            let found = weights::layers(&mut Hdf5::open(archive.read("model.weights.h5")?)?)?;
            let mut by_path: HashMap<_, _> = found.into_iter().collect();
            let layer = |d: config::Described| {
                let expected = format!("SimpleRNN weights at {}", d.path);
                let layer = by_path.remove(&d.path);
                let layer = layer.ok_or_else(|| malformed(FORMAT, &*d.name, expected, "none"))?;
                Ok(Layer { name: d.name, config: Some(d.config?), ..layer })
            };
            return Ok(Self { layers: described.into_iter().map(layer).collect::<Result<_>>()? });
        }
        let mut hdf5 = Hdf5::open(bytes.into())?;
        if !legacy::is_legacy(&mut hdf5)? {
            let layers = weights::layers(&mut hdf5)?;
            return Ok(Self { layers: layers.into_iter().map(|(_, layer)| layer).collect() });
        }
        let mut layers = legacy::layers(&mut hdf5)?;
        if let Some(json) = legacy::config(&mut hdf5)? {
            for described in config::parse(json.as_bytes())? {
                if let Some(layer) = layers.iter_mut().find(|layer| layer.name == described.name) {
                    layer.config = Some(described.config?);
                }
            }
            // A layer that the configuration does not name is of another class, whose weights have the same names.
            layers.retain(|layer| layer.config.is_some());
        }
        Ok(Self { layers })
    }

    /// The layers in the model's order; of a `.weights.h5` file by class and number.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A SimpleRNN layer, as the file describes it.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is no such layer; [`FileError::Unsupported`] for a file of weights only, see
    /// [`load_simple_rnn`](Self::load_simple_rnn); [`FileError::Dtype`] for weights of another element type;
    /// [`Error::Shape`] for weights that do not fit the description.
    pub fn simple_rnn<'a, A: Scalar>(&self, layer: impl Into<LayerId<'a>>) -> Result<SimpleRnn<A>> {
        let layer = self.layer(layer.into(), Class::SimpleRnn)?;
        let Some(LayerConfig::SimpleRnn(config)) = &layer.config else { return Err(undescribed(layer)) };
        let mut simple_rnn = SimpleRnn::zeros(layer.sized(config, "")?)?;
        layer.weights.load_into(&mut simple_rnn)?;
        Ok(simple_rnn)
    }

    /// A Bidirectional layer, as the file describes it.
    ///
    /// # Errors
    /// As [`simple_rnn`](Self::simple_rnn).
    pub fn bidirectional<'a, A: Scalar>(&self, layer: impl Into<LayerId<'a>>) -> Result<Bidirectional<A>> {
        let layer = self.layer(layer.into(), Class::Bidirectional)?;
        let Some(LayerConfig::Bidirectional { forward, backward, merge_mode }) = &layer.config else {
            return Err(undescribed(layer));
        };
        let forward = SimpleRnn::zeros(layer.sized(forward, "forward.")?)?;
        let backward = SimpleRnn::zeros(layer.sized(backward, "backward.")?)?;
        let mut bidirectional = Bidirectional::from_layers(forward, backward, *merge_mode)?;
        layer.weights.load_into(&mut bidirectional)?;
        Ok(bidirectional)
    }

    /// Loads the weights of a SimpleRNN layer of any file.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if there is no such layer, [`FileError::Dtype`] for weights of another element type,
    /// [`Error::Shape`], [`Error::MissingParameter`] or [`Error::UnexpectedParameter`] for the weights of another
    /// layer; `into` is unchanged then.
    pub fn load_simple_rnn<'a, A: Scalar>(
        &self,
        layer: impl Into<LayerId<'a>>,
        into: &mut SimpleRnn<A>,
    ) -> Result<()> {
        self.layer(layer.into(), Class::SimpleRnn)?.weights.load_into(into)
    }

    /// Loads the weights of a Bidirectional layer of any file.
    ///
    /// # Errors
    /// As [`load_simple_rnn`](Self::load_simple_rnn).
    pub fn load_bidirectional<'a, A: Scalar>(
        &self,
        layer: impl Into<LayerId<'a>>,
        into: &mut Bidirectional<A>,
    ) -> Result<()> {
        self.layer(layer.into(), Class::Bidirectional)?.weights.load_into(into)
    }

    fn layer(&self, id: LayerId<'_>, class: Class) -> Result<&Layer> {
        let mut of_class = self.layers.iter().filter(|layer| layer.class == class);
        let found = match id {
            LayerId::Name(name) => of_class.find(|layer| layer.name == name),
            LayerId::Index(index) => of_class.nth(index),
        };
        let present = || self.layers.iter().take(20).map(|layer| layer.name.clone()).collect();
        found.ok_or_else(|| FileError::NotFound { name: class.name(), present: present() }.into())
    }
}

fn undescribed(layer: &Layer) -> Error {
    let feature =
        "a file of weights without a description of the layer, except to load the weights into a layer,";
    unsupported(FORMAT, &*layer.name, feature)
}

impl<A: Scalar> SimpleRnn<A> {
    /// A SimpleRNN layer of a `.keras` or legacy `.h5` file, by name or number.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::simple_rnn`].
    pub fn from_keras<'a>(path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<Self> {
        Model::read(path)?.simple_rnn(layer)
    }

    /// Loads a SimpleRNN layer's weights from a `.weights.h5`, `.keras` or legacy `.h5` file, by name or number.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::load_simple_rnn`]; the layer is unchanged then.
    pub fn load_weights<'a>(&mut self, path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<()> {
        Model::read(path)?.load_simple_rnn(layer, self)
    }
}

impl<A: Scalar> Bidirectional<A> {
    /// A Bidirectional layer of a `.keras` or legacy `.h5` file, by name or number.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::bidirectional`].
    pub fn from_keras<'a>(path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<Self> {
        Model::read(path)?.bidirectional(layer)
    }

    /// Loads a Bidirectional layer's weights from a `.weights.h5`, `.keras` or legacy `.h5` file, by name or number.
    ///
    /// # Errors
    /// As [`Model::read`] and [`Model::load_bidirectional`]; the layer is unchanged then.
    pub fn load_weights<'a>(&mut self, path: impl AsRef<Path>, layer: impl Into<LayerId<'a>>) -> Result<()> {
        Model::read(path)?.load_bidirectional(layer, self)
    }
}
