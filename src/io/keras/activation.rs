//! Activations, as configurations name them.

use serde::Deserialize;

use super::FORMAT;
use super::config::Node;
use super::json::Entry;
use super::layer::Layer;
use crate::error::Result;
use crate::io::files::malformed;
use crate::keras::Activation;

/// The numbers of the layers that are activations, each as its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Numbers<'a> {
    activation: Entry<'a>,
    max_value: Entry<'a>,
    negative_slope: Entry<'a>,
    threshold: Entry<'a>,
    alpha: Entry<'a>,
    axis: Entry<'a>,
}

/// The name of the function that an entry stands for: a name, null, a function as an object, or a layer that is one.
pub(super) fn name(entry: Entry<'_>) -> Option<String> {
    if entry.text() == Some("null") {
        return Some("linear".into());
    }
    if let Some(name) = entry.get() {
        return Some(name);
    }
    let node = Node::of(entry)?;
    let numbers: Numbers<'_> = node.config.object().unwrap_or_default();
    let is = |entry: Entry<'_>, value: f64| entry.text().is_none() || entry.get() == Some(value);
    let no_limit = numbers.max_value.text().is_none_or(|text| text == "null");
    let name = match node.class().as_str() {
        // Keras writes the same module for every function.
        "function" | "builtins.function" => return node.config.get(),
        "Activation" => return name(numbers.activation),
        "ReLU" if no_limit && is(numbers.negative_slope, 0.0) && is(numbers.threshold, 0.0) => "relu",
        "ELU" if is(numbers.alpha, 1.0) => "elu",
        "Softmax" if is(numbers.axis, -1.0) => "softmax",
        _ => return None,
    };
    Some(name.into())
}

/// The activation of a name in a file of some version of Keras.
pub(super) fn of_name(name: &str, layer: &Layer) -> Result<Activation> {
    match (name, layer.version) {
        ("hard_sigmoid", Some(..3)) => Ok(Activation::HardSigmoid2),
        ("hard_sigmoid", Some(_)) => Ok(Activation::HardSigmoid),
        ("hard_sigmoid", None) => {
            let field = format!("keras_version, for the hard_sigmoid of {}", layer.path);
            Err(malformed(FORMAT, field, "a version", "none"))
        }
        // The name of Keras 2's function is this crate's own.
        _ => name.parse().and_then(|found| match found {
            Activation::HardSigmoid2 => {
                Err(malformed(FORMAT, &*layer.path, "an activation of Keras's", name))
            }
            found => Ok(found),
        }),
    }
}
