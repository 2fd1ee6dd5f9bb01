//! A layer of a file: its name, its class, its weights, and its configuration if the file has one.

use super::FORMAT;
use crate::error::Result;
use crate::io::files::malformed;
use crate::io::{StateDict, Tensor};

/// The parameters of a cell in Keras's order.
pub(super) const PARAMETERS: [&str; 3] = ["kernel", "recurrent_kernel", "bias"];

/// Which of a file's layers: by its name, or by its number among the layers of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerId<'a> {
    /// The name that the layer was given, such as `simple_rnn_1`, or its [path](Layer::path).
    Name(&'a str),
    /// The number, from 0, among the layers of the class that is asked for, in the model's order.
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

/// A set of a layer's arrays: those of its one cell, of one direction, of one of stacked cells, or of the layer itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What stands before the names of the arrays.
    pub(super) prefix: String,
    /// Where the arrays are within the layer's group, in a file of the new format.
    pub(super) group: String,
    /// The names of the arrays in Keras's order.
    pub(super) names: &'static [&'static str],
    /// The name of the direction's layer or of the cell, if there is one of several.
    pub(super) name: Option<String>,
}

impl Part {
    /// The arrays of the layer itself.
    pub(super) fn own(names: &'static [&'static str]) -> Self {
        Self { prefix: String::new(), group: "vars/".into(), names, name: None }
    }

    /// The arrays of the layer's only cell.
    pub(super) fn cell() -> Self {
        Self { group: "cell/vars/".into(), ..Self::own(&PARAMETERS) }
    }

    /// The arrays of one of stacked cells.
    pub(super) fn stacked(number: usize, group: &str, name: Option<String>) -> Self {
        Self {
            prefix: format!("{number}."),
            group: format!("cell/cells/{group}/vars/"),
            name,
            ..Self::cell()
        }
    }

    /// The arrays of the two directions, whose layers have these names.
    pub(super) fn both(forward: Option<String>, backward: Option<String>) -> Vec<Self> {
        let parts = [("forward", forward), ("backward", backward)].map(|(way, name)| {
            let (prefix, group) = (format!("{way}."), format!("{way}_layer/cell/vars/"));
            Self { prefix, group, name, ..Self::cell() }
        });
        parts.into()
    }

    /// Whether the array of this name, which begins with the part's prefix, is one of the part's.
    pub(super) fn has(&self, name: &str) -> bool {
        name.strip_prefix(&*self.prefix).is_some_and(|name| self.names.contains(&name))
    }
}

/// A layer of a file, of any class, with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) class: Option<String>,
    pub(super) config: Option<String>,
    pub(super) weights: Result<StateDict>,
    /// The first number of Keras's version, if the file says it.
    pub(super) version: Option<u32>,
}

impl Layer {
    /// The layer's name; in a file of weights of an old version the class's name with a number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the models and wrappers around the layer and its own, such as `encoder/rnn`; in a `.weights.h5` file
    /// those of its groups: attributes, and classes with a number.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The class, of a wrapper with the class of what it wraps: `SimpleRNN`, `RNN(LSTMCell)`, `Bidirectional(GRU)`. A class
    /// that is not Keras's own has its package's or module's name before it. `None` if the file, one of weights alone,
    /// does not say the class.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// The layer's configuration, JSON as Keras wrote it; only the words that Python's JSON has and no other has are
    /// replaced: `NaN` by a text, `Infinity` by 1e999. `None` in a file of weights alone.
    #[must_use]
    pub fn config(&self) -> Option<&str> {
        self.config.as_deref()
    }

    /// The layer's arrays under the names that Keras gives them within the layer:
    ///
    /// | class | names |
    /// |---|---|
    /// | SimpleRNN, LSTM, GRU, RNN of one cell | `kernel`, `recurrent_kernel`, `bias` |
    /// | Bidirectional | `forward.kernel`, ..., `backward.bias` |
    /// | RNN of stacked cells | `0.kernel`, ..., `1.kernel`, ... |
    /// | Dense | `kernel`, `bias` |
    /// | Embedding | `embeddings` |
    /// | other | the path in the file |
    ///
    /// # Errors
    /// [`FileError::Dtype`](crate::FileError::Dtype) for an array whose elements are no numbers.
    pub fn weights(&self) -> Result<&StateDict> {
        self.weights.as_ref().map_err(Clone::clone)
    }

    /// An array of the layer.
    pub(super) fn array(&self, name: &str) -> Result<&Tensor> {
        let missing = || malformed(FORMAT, &*self.path, format!("an array {name}"), "none");
        self.weights()?.get(name).ok_or_else(missing)
    }

    /// The shape of an array that can be read.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.weights.as_ref().ok()?.get(name).map(Tensor::shape)
    }

    /// The path and the class.
    pub(super) fn label(&self) -> String {
        match &self.class {
            Some(class) => format!("{} ({class})", self.path),
            None => self.path.clone(),
        }
    }
}
