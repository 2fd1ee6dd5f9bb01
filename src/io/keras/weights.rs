//! Layers of `.weights.h5` and `.keras` files, whose groups are those of Keras's objects.

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, Group};

use super::FORMAT;
use super::arrays::{Arrays, named, read};
use super::config::{Described, MAX_DEPTH};
use super::hdf5::Hdf5;
use super::layer::{Layer, Part};
use crate::error::Result;
use crate::io::files::expect_at_most;
use crate::io::{StateDict, Tensor};

/// What a file has: every array by its path, and by each group's path, which ends in a slash, the name that was given to
/// the layer, if the file says it.
#[derive(Debug, Default)]
pub(super) struct Weights {
    pub(super) arrays: Arrays,
    pub(super) groups: BTreeMap<String, Option<String>>,
}

impl Weights {
    pub(super) fn read(hdf5: &mut Hdf5) -> Result<Self> {
        let mut weights = Self::default();
        let root = hdf5.root();
        weights.walk(hdf5, "", &root, 0)?;
        Ok(weights)
    }

    fn walk(&mut self, hdf5: &mut Hdf5, path: &str, group: &Group, depth: usize) -> Result<()> {
        // A group may contain itself. Of each model within a model there are two groups.
        expect_at_most(FORMAT, "nested groups", 2 * MAX_DEPTH, depth)?;
        let within = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut names = hdf5.datasets(path, group)?;
        names.sort_by_cached_key(|name| (name.len(), name.clone()));
        for name in names {
            self.arrays.push((format!("{within}{name}"), read(hdf5, path, group, &name)?));
        }
        self.groups.insert(within.clone(), None);
        for name in hdf5.groups(path, group)? {
            // An optimiser is no part of the model.
            if path.is_empty() && name == "optimizer" {
                continue;
            }
            let inner = hdf5.group(path, group, &name)?;
            if name == "vars" {
                let attributes = hdf5.attributes(path, &inner)?;
                let given = attributes.get("name").and_then(AttrValue::as_str).map(str::to_owned);
                self.groups.insert(within.clone(), given);
            }
            self.walk(hdf5, &format!("{within}{name}"), &inner, depth + 1)?;
        }
        Ok(())
    }

    /// The layers that a configuration describes, then those whose arrays no description names.
    pub(super) fn layers(&self, described: Vec<Described>, version: Option<u32>) -> Vec<Layer> {
        let mut of_group: BTreeMap<&str, Vec<(&str, &Result<Tensor>)>> = BTreeMap::new();
        let groups: BTreeMap<&str, usize> =
            described.iter().enumerate().map(|(i, described)| (&*described.group, i)).collect();
        let mut order = Vec::new();
        for (path, array) in &self.arrays {
            let group =
                parents(path).find(|group| groups.contains_key(group)).unwrap_or_else(|| layer_group(path));
            let arrays = of_group.entry(group).or_insert_with(|| {
                order.push(group);
                Vec::new()
            });
            arrays.push((&path[group.len()..], array));
        }
        let rest: Vec<_> =
            order.into_iter().filter(|group| !groups.contains_key(group) && !group.is_empty()).collect();
        let described = described.into_iter().map(|described| {
            let arrays = of_group.get(&*described.group).map_or(&[][..], |arrays| arrays);
            Layer {
                name: described.names.last().cloned().unwrap_or_default(),
                path: described.names.join("/"),
                weights: weights(arrays, &described.parts),
                class: Some(described.class),
                config: Some(described.config),
                version,
            }
        });
        let mut layers: Vec<_> = described.collect();
        layers.extend(rest.into_iter().map(|group| self.undescribed(group, &of_group[group], version)));
        layers
    }

    /// A layer of which the file has only the arrays.
    fn undescribed(&self, group: &str, arrays: &[(&str, &Result<Tensor>)], version: Option<u32>) -> Layer {
        let class = class_of_group(group);
        // A model's layers are in a group of this name; the names around it say more.
        let path: Vec<_> = group.split_terminator('/').filter(|name| *name != "layers").collect();
        let given = self.groups.get(group).cloned().flatten();
        Layer {
            name: given.unwrap_or_else(|| path.last().copied().unwrap_or_default().into()),
            path: path.join("/"),
            weights: weights(arrays, &parts(arrays, class)),
            class: class.map(str::to_owned),
            config: None,
            version,
        }
    }
}

fn weights(arrays: &[(&str, &Result<Tensor>)], parts: &[Part]) -> Result<StateDict> {
    named(arrays, parts, |path| {
        let part = parts.iter().position(|part| path.starts_with(&part.group))?;
        Some([part, path[parts[part].group.len()..].parse().unwrap_or(usize::MAX), 0])
    })
}

/// The groups in which an array is, the innermost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(end, _)| &path[..=end])
}

/// The group of the layer that an array is of: the one that holds the group of its variables, or of its cell, or of its
/// direction's layer.
fn layer_group(path: &str) -> &str {
    let mut group = parents(path).next().unwrap_or_default();
    group = group.strip_suffix("vars/").unwrap_or(group);
    group = group.strip_suffix("seed_generator/").unwrap_or(group);
    if let Some(at) = group.find("/cell/cells/") {
        return &group[..=at];
    }
    group = group.strip_suffix("/cell/").map_or(group, |layer| &group[..=layer.len()]);
    let directions = ["forward_layer/", "backward_layer/"];
    directions.iter().find_map(|way| group.strip_suffix(way)).unwrap_or(group)
}

/// The class after which a group is named.
fn class_of_group(group: &str) -> Option<&'static str> {
    let name = group.trim_end_matches('/').rsplit_once("layers/")?.1;
    let base = name
        .rsplit_once('_')
        .filter(|(_, number)| number.parse::<usize>().is_ok())
        .map_or(name, |(base, _)| base);
    let classes = [
        ("simple_rnn", "SimpleRNN"),
        ("lstm", "LSTM"),
        ("gru", "GRU"),
        ("dense", "Dense"),
        ("embedding", "Embedding"),
    ];
    classes.into_iter().find(|(group, _)| *group == base).map(|(_, class)| class)
}

/// The sets of arrays of a layer that no configuration describes.
fn parts(arrays: &[(&str, &Result<Tensor>)], class: Option<&str>) -> Vec<Part> {
    let has = |group: &str| arrays.iter().any(|(path, _)| path.starts_with(group));
    if has("cell/vars/") {
        return vec![Part::cell()];
    }
    if has("forward_layer/cell/vars/") {
        return Part::both(None, None);
    }
    let mut cells: Vec<_> = arrays
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("cell/cells/")?.split_once('/'))
        .map(|(cell, _)| cell)
        .collect();
    cells.dedup();
    match class {
        _ if !cells.is_empty() => {
            cells.into_iter().enumerate().map(|(i, cell)| Part::stacked(i, cell, None)).collect()
        }
        Some("Dense") => vec![Part::own(&["kernel", "bias"])],
        Some("Embedding") => vec![Part::own(&["embeddings"])],
        _ => Vec::new(),
    }
}
