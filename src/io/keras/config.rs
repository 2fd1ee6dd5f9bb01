//! A model's configuration: the JSON in `.keras` and legacy `.h5` files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::FORMAT;
use super::layer::LayerConfig;
use crate::error::Result;
use crate::io::files::malformed;
use crate::keras::{MergeMode, SimpleRnnConfig};

/// A layer or model: its class and its configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    class_name: String,
    config: Box<Config>,
}

/// The entries of a configuration that are read, whatever the class.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    name: String,
    units: usize,
    activation: Word,
    use_bias: Option<bool>,
    dropout: f64,
    recurrent_dropout: f64,
    go_backwards: bool,
    zero_output_for_mask: bool,
    seed: Option<i64>,
    merge_mode: Option<String>,
    layer: Option<Node>,
    backward_layer: Option<Node>,
    layers: Vec<Node>,
}

/// A name of Keras's, or an object that a user registered.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Other(IgnoredAny),
}

impl Default for Word {
    fn default() -> Self {
        Self::Text("tanh".into())
    }
}

/// A recurrent layer's configuration, its name, and its path in a file of weights.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) config: Result<LayerConfig>,
}

/// The recurrent layers of a model's configuration, in the model's order.
pub(super) fn parse(json: &[u8]) -> Result<Vec<Described>> {
    let expected = "the JSON of a model's configuration";
    let model: Node = serde_json::from_slice(json)
        .map_err(|error| malformed(FORMAT, "model configuration", expected, error))?;
    let mut found = Vec::new();
    describe("", &model, &mut found);
    Ok(found)
}

fn describe(path: &str, node: &Node, found: &mut Vec<Described>) {
    let config = match node.class_name.as_str() {
        "SimpleRNN" => node.config.simple_rnn().map(LayerConfig::SimpleRnn),
        "Bidirectional" => match node.config.bidirectional() {
            Some(config) => config,
            None => return,
        },
        _ => {
            // A file of weights names a layer by its class, and numbers layers of one class.
            let mut counts = BTreeMap::new();
            for layer in &node.config.layers {
                let class = snake_case(&layer.class_name);
                let count = counts.entry(class.clone()).or_insert(0);
                let number = if *count == 0 { String::new() } else { format!("_{count}") };
                *count += 1;
                describe(&format!("{path}/layers/{class}{number}"), layer, found);
            }
            return;
        }
    };
    found.push(Described { path: path.into(), name: node.config.name.clone(), config });
}

impl Config {
    /// Without the input's width, which only the kernel says.
    fn simple_rnn(&self) -> Result<SimpleRnnConfig> {
        let activation = match &self.activation {
            Word::Text(name) => name.parse()?,
            Word::Other(_) => {
                return Err(malformed(
                    FORMAT,
                    format!("{}.activation", self.name),
                    "Keras's name",
                    "another object",
                ));
            }
        };
        let config = SimpleRnnConfig::new(0, self.units)
            .activation(activation)
            .use_bias(self.use_bias.unwrap_or(true))
            .dropout(self.dropout)
            .recurrent_dropout(self.recurrent_dropout)
            .go_backwards(self.go_backwards)
            .zero_output_for_mask(self.zero_output_for_mask);
        Ok(self.seed.into_iter().fold(config, SimpleRnnConfig::seed))
    }

    /// `None` unless the wrapped layer is a SimpleRNN.
    fn bidirectional(&self) -> Option<Result<LayerConfig>> {
        let forward = self.layer.as_ref().filter(|layer| layer.class_name == "SimpleRNN")?;
        let backward = self.backward_layer.as_ref();
        if backward.is_some_and(|layer| layer.class_name != "SimpleRNN") {
            return None;
        }
        let name = self.merge_mode.as_deref().unwrap_or("concat");
        let Some(merge_mode) = MergeMode::of_name(name) else {
            let field = format!("{}.merge_mode", self.name);
            return Some(Err(malformed(FORMAT, field, "concat, sum, mul or ave", name)));
        };
        let forward = forward.config.simple_rnn();
        let backward = backward.map(|layer| layer.config.simple_rnn());
        Some(forward.and_then(|forward| {
            let backward = backward.unwrap_or_else(|| Ok(forward.clone().go_backwards(true)))?;
            Ok(LayerConfig::Bidirectional { forward, backward, merge_mode })
        }))
    }
}

/// Keras's name for the layers of a class: `simple_rnn` for `SimpleRNN`.
fn snake_case(class: &str) -> String {
    let letters: Vec<_> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut name = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let begins = before.is_some_and(|before| {
            before.is_lowercase()
                || before.is_ascii_digit()
                || after.is_some_and(|after| after.is_lowercase())
        });
        if letter.is_uppercase() && begins {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
