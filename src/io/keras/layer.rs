//! A recurrent layer of a file: its name, its class, its weights, and its configuration if the file has one.

use super::FORMAT;
use crate::error::{Error, Result, expect_shape};
use crate::io::files::malformed;
use crate::io::{StateDict, Tensor};
use crate::keras::{MergeMode, SimpleRnnConfig};

/// The parameters of a cell in Keras's order.
pub(super) const PARAMETERS: [&str; 3] = ["kernel", "recurrent_kernel", "bias"];

/// Which of a file's layers: by its name, or by its number among the layers of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerId<'a> {
    /// The name that the layer was given, such as `simple_rnn_1`.
    Name(&'a str),
    /// The number, from 0, among the SimpleRNN layers, or among the Bidirectional ones, in the model's order.
    Index(usize),
}

impl<'a> From<&'a str> for LayerId<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for LayerId<'_> {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The class of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    SimpleRnn,
    Bidirectional,
}

impl Class {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SimpleRnn => "SimpleRNN layer",
            Self::Bidirectional => "Bidirectional layer of SimpleRNNs",
        }
    }

    /// The prefixes of the weights' names.
    pub(super) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::SimpleRnn => &[""],
            Self::Bidirectional => &["forward.", "backward."],
        }
    }

    /// Whether weights have a SimpleRNN's shapes. The weights of an LSTM or GRU have the same names but other shapes.
    pub(super) fn fits(self, weights: &StateDict) -> bool {
        let shape = |prefix: &str, name: &str| weights.get(&format!("{prefix}{name}")).map(Tensor::shape);
        self.prefixes().iter().all(|prefix| {
            match (shape(prefix, "kernel"), shape(prefix, "recurrent_kernel")) {
                (Some(&[_, units]), Some(recurrent)) => recurrent == [units, units],
                _ => false,
            }
        })
    }
}

/// The configuration of a layer, but for the input's width, which the kernel says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LayerConfig {
    SimpleRnn(SimpleRnnConfig),
    Bidirectional { forward: SimpleRnnConfig, backward: SimpleRnnConfig, merge_mode: MergeMode },
}

/// A SimpleRNN layer of a file, or a Bidirectional one of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) weights: StateDict,
    pub(super) config: Option<LayerConfig>,
}

impl Layer {
    /// The layer's name; in a file of weights of an old version the class's name with a number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the layer is a Bidirectional one.
    #[must_use]
    pub fn is_bidirectional(&self) -> bool {
        self.class == Class::Bidirectional
    }

    /// The arrays `kernel`, `recurrent_kernel` and `bias`; in a Bidirectional layer `forward.kernel` and so on.
    #[must_use]
    pub fn weights(&self) -> &StateDict {
        &self.weights
    }

    fn kernel(&self, name: &str) -> Result<&Tensor> {
        self.weights
            .get(name)
            .ok_or_else(|| malformed(FORMAT, &*self.name, format!("an array {name}"), "none"))
    }

    /// The configuration with the input's width, checked against the weights before a layer takes memory.
    pub(super) fn sized(&self, config: &SimpleRnnConfig, prefix: &str) -> Result<SimpleRnnConfig> {
        let name = format!("{prefix}kernel");
        let kernel = self.kernel(&name)?.shape();
        let &[input_dim, units] = kernel else {
            return Err(Error::Rank { array: "kernel", expected: 2, actual: kernel.len() });
        };
        expect_shape(&name, &[input_dim, config.units], &[input_dim, units])?;
        let recurrent = format!("{prefix}recurrent_kernel");
        expect_shape(&recurrent, &[units, units], self.kernel(&recurrent)?.shape())?;
        Ok(SimpleRnnConfig { input_dim, ..config.clone() })
    }
}
