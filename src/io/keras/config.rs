//! A model's configuration: the JSON in `.keras` and legacy `.h5` files.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::Entry;
use super::layer::{PARAMETERS, Part};
use super::{CUDNN, FORMAT};
use crate::error::Result;
use crate::io::budget::Budget;
use crate::io::files::{expect_at_most, malformed};

/// How deep models within models are followed.
pub(super) const MAX_DEPTH: usize = 32;

/// The bytes that a layer is counted with.
const VISIT: usize = 256;

/// A layer or model: its class and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Node<'a> {
    class_name: Entry<'a>,
    module: Entry<'a>,
    registered_name: Entry<'a>,
    name: Entry<'a>,
    pub(super) config: Entry<'a>,
}

/// The entries of a configuration that are read, each as its text: what it must be depends on the class.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Fields<'a> {
    pub(super) name: Entry<'a>,
    pub(super) units: Entry<'a>,
    pub(super) activation: Entry<'a>,
    pub(super) recurrent_activation: Entry<'a>,
    pub(super) unit_forget_bias: Entry<'a>,
    pub(super) reset_after: Entry<'a>,
    pub(super) use_bias: Entry<'a>,
    pub(super) dropout: Entry<'a>,
    pub(super) recurrent_dropout: Entry<'a>,
    pub(super) go_backwards: Entry<'a>,
    pub(super) zero_output_for_mask: Entry<'a>,
    pub(super) time_major: Entry<'a>,
    pub(super) seed: Entry<'a>,
    pub(super) merge_mode: Entry<'a>,
    pub(super) layer: Entry<'a>,
    pub(super) backward_layer: Entry<'a>,
    pub(super) layers: Entry<'a>,
    pub(super) cell: Entry<'a>,
    pub(super) cells: Entry<'a>,
    // Keras 1's names.
    pub(super) output_dim: Entry<'a>,
    pub(super) inner_activation: Entry<'a>,
    pub(super) bias: Entry<'a>,
    #[serde(rename = "dropout_W")]
    pub(super) dropout_w: Entry<'a>,
    #[serde(rename = "dropout_U")]
    pub(super) dropout_u: Entry<'a>,
}

impl<'a> Node<'a> {
    /// A node, if an entry is one.
    pub(super) fn of(entry: Entry<'a>) -> Option<Self> {
        entry.object().filter(|node: &Self| node.class_name.get::<String>().is_some())
    }

    pub(super) fn fields(&self) -> Fields<'a> {
        self.config.object().unwrap_or_default()
    }

    /// The name of the class itself.
    fn class_name(&self) -> String {
        self.class_name.get().unwrap_or_default()
    }

    /// The class, of one that is not Keras's own with the name that its package registered or its module.
    pub(super) fn class(&self) -> String {
        let [module, registered] = [self.module, self.registered_name].map(Entry::get::<String>);
        let class = self.class_name();
        if let Some(registered) = registered.filter(|name| name.contains('>')) {
            return registered;
        }
        let own = |module: &str| {
            let root = module.split('.').next().unwrap_or_default();
            ["keras", "keras_core", "tf_keras", "tensorflow"].contains(&root)
        };
        match module {
            Some(module) if !own(&module) => format!("{module}.{class}"),
            _ => class,
        }
    }

    /// The class, of a wrapper with what it wraps: `RNN(LSTMCell)`, `Bidirectional(GRU)`.
    fn whole_class(&self) -> String {
        let (class, fields) = (self.class(), self.fields());
        let of = |entry: Entry<'a>| Self::of(entry).map_or_else(String::new, |node| node.class_of_layer());
        match class.as_str() {
            "Bidirectional" => {
                let [forward, backward] = [fields.layer, fields.backward_layer].map(of);
                match backward.is_empty() || backward == forward {
                    true => format!("{class}({forward})"),
                    false => format!("{class}({forward}, {backward})"),
                }
            }
            _ => self.class_of_layer(),
        }
    }

    /// As [`whole_class`](Self::whole_class), but for what a Bidirectional layer wraps.
    fn class_of_layer(&self) -> String {
        let class = self.class();
        match Self::of(self.fields().cell).filter(|_| class == "RNN") {
            Some(cell) => format!("{class}({})", cell.class()),
            None => class,
        }
    }

    fn own_name(&self) -> Option<String> {
        self.fields().name.or(self.name).get()
    }

    /// The sets of arrays that a layer of known class has.
    fn parts(&self) -> Vec<Part> {
        let fields = self.fields();
        let name = |entry| Self::of(entry).and_then(|node| node.own_name());
        match self.class().as_str() {
            "SimpleRNN" | "LSTM" | "GRU" => vec![Part::cell()],
            "RNN" => match Self::of(fields.cell).map(|cell| (cell.class(), cell.fields())) {
                Some((class, stack)) if class == "StackedRNNCells" => {
                    let cells = stack.cells.objects().unwrap_or_default();
                    let cells: Vec<_> = cells.into_iter().filter_map(Self::of).collect();
                    let groups = numbered(cells.iter().map(|cell| snake_case(&cell.class_name())));
                    let parts = cells.iter().zip(groups).enumerate();
                    parts.map(|(i, (cell, group))| Part::stacked(i, &group, cell.own_name())).collect()
                }
                _ => vec![Part::cell()],
            },
            "Bidirectional" => {
                Part::both(name(fields.layer), name(fields.backward_layer).or(name(fields.layer)))
            }
            class if class.starts_with(CUDNN) => vec![Part::own(&PARAMETERS)],
            "Dense" => vec![Part::own(&["kernel", "bias"])],
            "Embedding" => vec![Part::own(&["embeddings"])],
            _ => Vec::new(),
        }
    }

    /// The layers within a model, or the one within a wrapper, and the entry that holds them.
    fn inner(&self) -> (&'static str, Vec<Entry<'a>>) {
        if ["SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"].contains(&&*self.class()) {
            return ("", Vec::new());
        }
        let fields = self.fields();
        if Self::of(fields.layer).is_some() {
            return ("layer", vec![fields.layer]);
        }
        // A Sequential's configuration is the list itself before Keras 2.2.3.
        ("layers", self.config.objects().or_else(|| fields.layers.objects()).unwrap_or_default())
    }
}

/// What a configuration says of a layer.
#[derive(Debug)]
pub(super) struct Described {
    /// The names of the models and wrappers around the layer, and its own.
    pub(super) names: Vec<String>,
    /// The number of the last of these names that may stand for the layer: its own and its wrappers'.
    pub(super) own_names: usize,
    /// The number of the outermost of the models and wrappers, or of the layer, within the model.
    pub(super) outermost: usize,
    pub(super) class: String,
    pub(super) parts: Vec<Part>,
    /// Where a file of weights in the new format has the layer's.
    pub(super) group: String,
    /// The layer's configuration.
    pub(super) config: String,
}

/// The layers of a model's configuration, in the model's order; `groups` are those of a file of weights.
pub(super) fn parse(
    json: &str,
    groups: &BTreeMap<String, Option<String>>,
    budget: &mut Budget,
) -> Result<Vec<Described>> {
    let field = "model configuration";
    let expected = "the JSON of a model's configuration";
    let entry: Entry<'_> =
        serde_json::from_str(json).map_err(|error| malformed(FORMAT, field, expected, error))?;
    let model = Node::of(entry).ok_or_else(|| malformed(FORMAT, field, expected, "other JSON"))?;
    let mut walk = Walk { groups, budget, found: Vec::new() };
    walk.inside(&model, "", &[], 0)?;
    Ok(walk.found)
}

struct Walk<'a> {
    groups: &'a BTreeMap<String, Option<String>>,
    budget: &'a mut Budget,
    found: Vec<Described>,
}

impl Walk<'_> {
    /// The layers within a model or wrapper, whose names are given: those around it, and its own. `wrappers` of them are
    /// those of wrappers of one layer.
    fn inside(&mut self, node: &Node<'_>, group: &str, names: &[String], wrappers: usize) -> Result<()> {
        expect_at_most(FORMAT, "nested models", MAX_DEPTH, names.len())?;
        let (kind, layers) = node.inner();
        self.budget.take("model configuration", VISIT * layers.len())?;
        let mut counts = BTreeMap::new();
        for (number, layer) in layers.into_iter().filter_map(Node::of).enumerate() {
            let (inner, own_names) = if kind == "layer" {
                (format!("{group}layer/"), wrappers + 1)
            } else {
                let class = snake_case(&layer.class_name());
                let count = counts.entry(class.clone()).or_insert(0);
                *count += 1;
                (self.group(group, &class, *count - 1)?, 1)
            };
            let names = [names, &[layer.own_name().unwrap_or_default()]].concat();
            self.budget.take("model configuration", names.iter().map(String::len).sum())?;
            let before = self.found.len();
            self.inside(&layer, &inner, &names, own_names)?;
            if self.found.len() == before {
                self.leaf(&layer, inner, &names, own_names)?;
            }
            if names.len() == 1 {
                self.found[before..].iter_mut().for_each(|found| found.outermost = number);
            }
        }
        Ok(())
    }

    /// Adds a layer without others in it.
    fn leaf(&mut self, layer: &Node<'_>, group: String, names: &[String], own_names: usize) -> Result<()> {
        let config = layer.config.text().unwrap_or_default();
        self.budget.take("model configuration", config.len())?;
        self.found.push(Described {
            names: names.into(),
            own_names,
            outermost: 0,
            class: layer.whole_class(),
            parts: layer.parts(),
            group,
            config: config.into(),
        });
        Ok(())
    }

    /// The group of a model's layer: of its class's layers the one of this number.
    fn group(&mut self, model: &str, class: &str, number: usize) -> Result<String> {
        // Keras 2.12 counts a layer with weights twice, and has a group for each layer.
        let old = format!("{model}_layer_checkpoint_dependencies/{class}");
        let mut numbers = Vec::new();
        for path in
            self.groups.range(old.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&old))
        {
            self.budget.take(path, path.len())?;
            let rest = path[old.len()..].trim_end_matches('/');
            if rest.is_empty()
                || rest.strip_prefix('_').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            {
                numbers.push((path.len(), path.clone()));
            }
        }
        numbers.sort();
        let old = numbers.into_iter().nth(number).map(|(_, path)| path);
        Ok(old.unwrap_or_else(|| {
            let suffix = if number == 0 { String::new() } else { format!("_{number}") };
            format!("{model}layers/{class}{suffix}/")
        }))
    }
}

/// Names with a number behind each that came before.
pub(super) fn numbered(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts = BTreeMap::new();
    let names = names.map(|name| {
        let count = counts.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{}", *count - 1) }
    });
    names.collect()
}

/// Keras's name for the layers of a class: `simple_rnn` for `SimpleRNN`.
pub(super) fn snake_case(class: &str) -> String {
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
