//! The options of a layer, as its configuration has them.

use super::config::{Fields, Node};
use super::json::{self, Entry};
use super::layer::Layer;
use super::{FORMAT, activation};
use crate::error::{Error, Result};
use crate::io::files::{malformed, unsupported};
use crate::keras::Activation;

/// The entries of a layer's configuration.
#[derive(Debug)]
pub struct Entries<'a> {
    pub(super) fields: Fields<'a>,
    pub(super) layer: &'a Layer,
}

impl<'a> Entries<'a> {
    /// The configuration of a layer, which a file of weights alone does not have.
    pub(super) fn of(layer: &'a Layer) -> Result<Self> {
        let feature =
            "a file of weights without a description of the layer, except to load the weights into a layer,";
        let config = layer.config().ok_or_else(|| unsupported(FORMAT, &*layer.name, feature))?;
        let refused =
            || malformed(FORMAT, &*layer.path, "an object, the layer's configuration", "other JSON");
        Ok(Self { fields: json::object(config).ok_or_else(refused)?, layer })
    }

    /// The options of a node of this configuration.
    pub(super) fn inner(&self, entry: Entry<'a>) -> Option<(String, Self)> {
        let node = Node::of(entry)?;
        Some((node.class(), Self { fields: node.fields(), layer: self.layer }))
    }

    /// The options of a layer of cuDNN's as those of LSTM or GRU; it has no others.
    pub(super) fn of_cudnn(&self) -> Self {
        let Fields { units, unit_forget_bias, .. } = self.fields;
        let recurrent_activation = Entry::of("\"sigmoid\"");
        let reset_after = Entry::of("true");
        let fields =
            Fields { units, unit_forget_bias, recurrent_activation, reset_after, ..Fields::default() };
        Self { fields, layer: self.layer }
    }

    /// The error for an entry that is something else than expected.
    pub(super) fn refused(&self, name: &str, expected: &str, entry: Entry<'_>) -> Error {
        // A configuration is quoted in part: it may be of any length.
        let actual: String = entry.text().unwrap_or("none").chars().take(80).collect();
        malformed(FORMAT, format!("{}.{name}", self.layer.path), expected, actual)
    }

    pub(super) fn size(&self, name: &str, entry: Entry<'_>) -> Result<usize> {
        entry.get().ok_or_else(|| self.refused(name, "a size", entry))
    }

    pub(super) fn switch(&self, name: &str, entry: Entry<'_>, default: bool) -> Result<bool> {
        if entry.text().is_none() {
            return Ok(default);
        }
        entry.get().ok_or_else(|| self.refused(name, "true or false", entry))
    }

    pub(super) fn rate(&self, name: &str, entry: Entry<'_>) -> Result<f64> {
        if entry.text().is_none() {
            return Ok(0.0);
        }
        entry.get().ok_or_else(|| self.refused(name, "a number", entry))
    }

    pub(super) fn seed(&self) -> Result<Option<i64>> {
        let entry = self.fields.seed;
        if entry.text().is_none() {
            return Ok(None);
        }
        entry.get().ok_or_else(|| self.refused("seed", "a number or null", entry))
    }

    /// An activation.
    pub(super) fn activation(&self, name: &str, entry: Entry<'_>, default: &str) -> Result<Activation> {
        activation::of_name(&self.activation_name(name, entry, default)?, self.layer)
    }

    /// The activation of the gates.
    pub(super) fn recurrent_activation(&self) -> Result<Activation> {
        let (name, entry) =
            ("recurrent_activation", self.fields.recurrent_activation.or(self.fields.inner_activation));
        // Every version writes it. Without it the default is that of the version: hard_sigmoid until 2.2, then sigmoid.
        let default = match self.layer.version {
            Some(..2) => "hard_sigmoid",
            Some(2) if entry.text().is_none() => {
                return Err(self.refused(
                    name,
                    "an activation, for which versions 2 have two defaults",
                    entry,
                ));
            }
            _ => "sigmoid",
        };
        self.activation(name, entry, default)
    }

    /// Whether the reset gate stands behind the recurrent product. Keras before 2.1.3 does not have the option, and all
    /// later versions write it.
    pub(super) fn reset_after(&self) -> Result<bool> {
        let default = self.layer.version.is_none_or(|version| version > 2);
        self.switch("reset_after", self.fields.reset_after, default)
    }

    /// The name of an activation.
    pub(super) fn activation_name(&self, name: &str, entry: Entry<'_>, default: &str) -> Result<String> {
        if entry.text().is_none() {
            return Ok(default.into());
        }
        let expected = "the name of an activation of Keras's, or an object for one";
        activation::name(entry).ok_or_else(|| self.refused(name, expected, entry))
    }

    /// Checks that the layer reads its input as (batch, time, features).
    pub(super) fn expect_batch_major(&self) -> Result<()> {
        match self.switch("time_major", self.fields.time_major, false)? {
            true => Err(unsupported(
                FORMAT,
                format!("{}.time_major", self.layer.path),
                "an input with time first",
            )),
            false => Ok(()),
        }
    }
}
