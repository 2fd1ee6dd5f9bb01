//! Layers of legacy `.h5` files, where layers and weights have their own names.

use std::collections::{BTreeMap, HashMap};

use hdf5_pure::{AttrValue, Group};

use super::FORMAT;
use super::arrays::{Arrays, named, read};
use super::config::Described;
use super::hdf5::Hdf5;
use super::layer::{Layer, Part};
use crate::error::Result;
use crate::io::files::malformed;
use crate::io::{StateDict, Tensor};

/// The arrays of a layer of the outermost model under its name: all of them, those of models within it too.
pub(super) type Groups = Vec<(String, Arrays)>;

/// Whether a file is a legacy file, of a model or of weights alone.
pub(super) fn is_legacy(hdf5: &mut Hdf5) -> Result<bool> {
    let root = hdf5.root();
    Ok(hdf5.groups("", &root)?.iter().any(|name| name == "model_weights")
        || hdf5.attributes("", &root)?.contains_key("layer_names"))
}

/// A text that is an attribute of the file, if the file has it.
pub(super) fn attribute(hdf5: &mut Hdf5, name: &str) -> Result<Option<String>> {
    let root = hdf5.root();
    let attributes = hdf5.attributes("", &root)?;
    Ok(attributes.get(name).and_then(AttrValue::as_str).map(str::to_owned))
}

/// Every array, in the model's order.
pub(super) fn groups(hdf5: &mut Hdf5) -> Result<Groups> {
    let root = hdf5.root();
    let has_model = hdf5.groups("", &root)?.iter().any(|name| name == "model_weights");
    let (path, group) = match has_model {
        true => ("/model_weights", hdf5.group("", &root, "model_weights")?),
        false => ("", root),
    };
    let mut names = list(hdf5, path, &group, "layer_names")?;
    // The weights that a model has beside its layers.
    let own = hdf5.groups(path, &group)?.into_iter().filter(|name| name == "top_level_model_weights");
    names.extend(own);
    let mut groups = Vec::new();
    for name in names {
        let layer = hdf5.group(path, &group, &name)?;
        let path = format!("{path}/{name}");
        let mut arrays = Vec::new();
        for weight in list(hdf5, &path, &layer, "weight_names")? {
            let array = read(hdf5, &path, &layer, &weight)?;
            arrays.push((weight, array));
        }
        groups.push((name, arrays));
    }
    Ok(groups)
}

/// An attribute that is a list of text.
fn list(hdf5: &mut Hdf5, path: &str, group: &Group, name: &str) -> Result<Vec<String>> {
    let attributes = hdf5.attributes(path, group)?;
    // A list too long for one attribute is split over several, whose names end in a number.
    let parts: Vec<_> = match attributes.get(name) {
        Some(whole) => vec![whole],
        None => (0..).map_while(|i| attributes.get(&format!("{name}{i}"))).collect(),
    };
    if parts.is_empty() {
        return Err(malformed(FORMAT, path, format!("the attribute {name}"), "none"));
    }
    let mut texts = Vec::new();
    for part in parts {
        match (part.as_strings(), part) {
            (Some(more), _) => texts.extend_from_slice(more),
            // h5py writes an empty list as one of numbers.
            (None, AttrValue::F64Array(numbers)) if numbers.is_empty() => {}
            _ => {
                return Err(malformed(FORMAT, path, format!("names in the attribute {name}"), "others"));
            }
        }
    }
    Ok(texts)
}

/// A weight's name, taken apart.
struct Name<'a> {
    /// The names before the array's, the outermost first.
    scopes: Vec<&'a str>,
    /// The array's own, as newer versions of Keras name it.
    own: &'a str,
    /// The number that TensorFlow has put behind it, if it is the name of several arrays.
    number: usize,
    /// The number of the gate whose block it is, in Keras's order, if the layer has one array for each gate.
    gate: usize,
}

impl<'a> Name<'a> {
    fn of(weight: &'a str) -> Self {
        let weight = weight.strip_suffix(":0").unwrap_or(weight);
        let (weight, number) = without_number(weight);
        if let Some((scopes, own)) = weight.rsplit_once('/') {
            return Self { scopes: scopes.split('/').collect(), own, number, gate: 0 };
        }
        // Keras 1: simplernn_1_W, dense_1_b, lstm_1_U_i.
        let gates = ["_i", "_f", "_c", "_o", "_z", "_r", "_h"];
        let gate = gates.iter().position(|gate| weight.ends_with(gate));
        let whole = gate.map_or(weight, |gate| &weight[..weight.len() - gates[gate].len()]);
        for (suffix, own) in [("_W", "kernel"), ("_U", "recurrent_kernel"), ("_b", "bias")] {
            if let Some(scope) = whole.strip_suffix(suffix) {
                return Self { scopes: vec![scope], own, number, gate: gate.unwrap_or(0) };
            }
        }
        Self { scopes: Vec::new(), own: weight, number, gate: 0 }
    }

    /// Whether the array is within a scope of this name.
    fn within(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| *scope == name || without_number(scope).0 == name)
    }
}

/// A name without the number that TensorFlow puts behind it where another has the name.
fn without_number(name: &str) -> (&str, usize) {
    let parts = name.rsplit_once('_').and_then(|(name, number)| Some((name, number.parse().ok()?)));
    parts.unwrap_or((name, 0))
}

/// The layers that a configuration describes.
pub(super) fn described(groups: &Groups, mut described: Vec<Described>, version: u32) -> Vec<Layer> {
    name_unnamed(groups, &mut described);
    let arrays = assigned(groups, &described);
    let layers = described.into_iter().zip(arrays).map(|(described, arrays)| Layer {
        name: described.names.last().cloned().unwrap_or_default(),
        path: described.names.join("/"),
        weights: weights(&arrays, &described.parts),
        class: Some(described.class),
        config: Some(described.config),
        version: Some(version),
    });
    layers.collect()
}

/// Gives the outermost models without a name, which only very old files have, the names that no other has, in order.
fn name_unnamed(groups: &Groups, described: &mut [Described]) {
    let named: Vec<String> = described.iter().map(|layer| layer.names[0].clone()).collect();
    let mut free = groups.iter().map(|(name, _)| name).filter(|name| !named.contains(name));
    let mut names = BTreeMap::new();
    for layer in described.iter_mut().filter(|layer| layer.names[0].is_empty()) {
        let name = names.entry(layer.outermost).or_insert_with(|| free.next().cloned().unwrap_or_default());
        layer.names[0].clone_from(name);
    }
}

/// The arrays of each described layer.
fn assigned<'a>(groups: &'a Groups, described: &[Described]) -> Vec<Vec<(&'a str, &'a Result<Tensor>)>> {
    let mut of_group: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, layer) in described.iter().enumerate() {
        of_group.entry(&layer.names[0]).or_default().push(i);
    }
    let mut assigned = vec![Vec::new(); described.len()];
    for (group, arrays) in groups {
        let layers = of_group.get(&**group).map_or(&[][..], |layers| layers);
        let by_name = by_name(described, layers);
        for (weight, array) in arrays {
            let layer = match layers {
                [only] => Some(*only),
                _ => owner(&Name::of(weight).scopes, described, &by_name),
            };
            if let Some(layer) = layer {
                assigned[layer].push((&**weight, array));
            }
        }
    }
    assigned
}

/// The layers among some that a scope of this name may stand for.
fn by_name(described: &[Described], layers: &[usize]) -> HashMap<String, Vec<usize>> {
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for &i in layers {
        let layer = &described[i];
        let own = layer.names.iter().rev().take(layer.own_names).cloned();
        // Keras 1 does not say the wrapper's name.
        let inner = layer.parts.iter().filter_map(|part| part.name.as_ref());
        let inner = inner.flat_map(|name| ["forward", "backward"].map(|way| format!("{way}_{name}")));
        for name in own.chain(inner) {
            by_name.entry(name).or_default().push(i);
        }
    }
    by_name
}

/// The most layers of one name that are told apart by the models around them.
const MAX_NAMESAKES: usize = 64;

/// The layer of the innermost scope that is one's name; among namesakes the one with the most models around it named.
fn owner(scopes: &[&str], described: &[Described], by_name: &HashMap<String, Vec<usize>>) -> Option<usize> {
    let known = |scope: &str| by_name.get(scope).or_else(|| by_name.get(without_number(scope).0));
    let (at, namesakes) =
        scopes.iter().enumerate().rev().find_map(|(at, scope)| Some((at, known(scope)?)))?;
    let around = |layer: usize| {
        let models = described[layer].names.iter().rev().skip(1);
        models.filter(|model| scopes[..at].contains(&model.as_str())).count()
    };
    let mut ranked: Vec<_> =
        namesakes.iter().take(MAX_NAMESAKES).map(|&layer| (around(layer), layer)).collect();
    ranked.sort();
    match ranked[..] {
        [.., (second, _), (first, _)] if second == first => None,
        [.., (_, layer)] => Some(layer),
        [] => None,
    }
}

/// The arrays of a layer under Keras's names.
fn weights(arrays: &[(&str, &Result<Tensor>)], parts: &[Part]) -> Result<StateDict> {
    named(arrays, parts, |weight| {
        let name = Name::of(weight);
        let part = match parts {
            [_] => 0,
            [Part { name: Some(forward), prefix, .. }, _] if prefix == "forward." => {
                let own = forward.starts_with("forward_") && name.within(forward);
                usize::from(!own && !name.within(&format!("forward_{forward}")))
            }
            [Part { prefix, .. }, _] if prefix == "forward." => {
                usize::from(!name.scopes.iter().any(|scope| scope.starts_with("forward_")))
            }
            // Keras before 2.2 has no scope for a cell.
            _ => {
                let within = |part: &Part| part.name.as_deref().is_some_and(|cell| name.within(cell));
                parts.iter().position(within).unwrap_or(name.number)
            }
        };
        let names = parts.get(part)?.names;
        let own = if *names == ["embeddings"] && name.own == "kernel" { "embeddings" } else { name.own };
        Some([part, names.iter().position(|name| *name == own)?, name.gate])
    })
}

/// The layers of a file without a configuration.
pub(super) fn undescribed(groups: &Groups, version: u32) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (group, arrays) in groups {
        let mut inner: Vec<(Vec<&str>, Vec<(&str, &Result<Tensor>)>)> = Vec::new();
        let mut places = HashMap::new();
        for (weight, array) in arrays {
            let mut scopes = Name::of(weight).scopes;
            scopes.pop_if(|scope| scope.contains("_cell"));
            scopes.pop_if(|scope| scope.starts_with("forward_") || scope.starts_with("backward_"));
            let place = *places.entry(scopes.clone()).or_insert(inner.len());
            if place == inner.len() {
                inner.push((scopes, Vec::new()));
            }
            inner[place].1.push((weight, array));
        }
        let only = inner.len() == 1;
        layers.extend(inner.into_iter().map(|(scopes, arrays)| {
            let name = scopes.last().copied().filter(|_| !only).unwrap_or(group);
            let path = if only { group.clone() } else { format!("{group}/{name}") };
            let weights = weights(&arrays, &parts(&arrays));
            Layer { name: name.into(), path, weights, class: None, config: None, version: Some(version) }
        }));
    }
    layers
}

/// The sets of arrays of a layer that no configuration describes.
fn parts(arrays: &[(&str, &Result<Tensor>)]) -> Vec<Part> {
    let names: Vec<_> = arrays.iter().map(|(weight, _)| Name::of(weight)).collect();
    // Of an array for each gate the first, of an LSTM's four or of a GRU's three, counts for all.
    let count =
        |own: &str| names.iter().filter(|name| name.own == own && [0, 4].contains(&name.gate)).count();
    let forward = names.iter().any(|name| name.scopes.iter().any(|scope| scope.starts_with("forward_")));
    match (count("kernel"), count("recurrent_kernel"), count("embeddings")) {
        (1, 1, 0) => vec![Part::cell()],
        (2, 2, 0) if forward => Part::both(None, None),
        (1, 0, 0) if names.iter().all(|name| ["kernel", "bias"].contains(&name.own)) => {
            vec![Part::own(&["kernel", "bias"])]
        }
        (0, 0, 1) if names.len() == 1 => vec![Part::own(&["embeddings"])],
        _ => Vec::new(),
    }
}
