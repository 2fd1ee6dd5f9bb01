//! The weights of recurrent layers in `.weights.h5` and `.keras` files.

use hdf5_pure::{AttrValue, Group};

use super::FORMAT;
use super::hdf5::Hdf5;
use super::layer::{Class, Layer, PARAMETERS};
use crate::error::Result;
use crate::io::StateDict;
use crate::io::files::expect_at_most;

/// How deep models within models are followed; a group may contain itself.
const MAX_DEPTH: usize = 32;

/// Every recurrent layer of a file, with its path.
pub(super) fn layers(hdf5: &mut Hdf5) -> Result<Vec<(String, Layer)>> {
    let mut layers = Vec::new();
    let root = hdf5.root();
    walk(hdf5, "", &root, 0, &mut layers)?;
    Ok(layers)
}

fn walk(
    hdf5: &mut Hdf5,
    path: &str,
    group: &Group,
    depth: usize,
    layers: &mut Vec<(String, Layer)>,
) -> Result<()> {
    expect_at_most(FORMAT, "nested groups", MAX_DEPTH, depth)?;
    let names = hdf5.groups(path, group)?;
    let has = |name: &str| names.iter().any(|other| other == name);
    let mut weights = StateDict::new();
    let class = if has("cell") {
        let cell = hdf5.group(path, group, "cell")?;
        add_cell(hdf5, &format!("{path}/cell"), &cell, "", &mut weights)?;
        Class::SimpleRnn
    } else if has("forward_layer") && has("backward_layer") {
        for (name, prefix) in ["forward_layer", "backward_layer"].iter().zip(Class::Bidirectional.prefixes())
        {
            let layer = hdf5.group(path, group, name)?;
            let path = format!("{path}/{name}");
            if hdf5.groups(&path, &layer)?.iter().any(|name| name == "cell") {
                let cell = hdf5.group(&path, &layer, "cell")?;
                add_cell(hdf5, &format!("{path}/cell"), &cell, prefix, &mut weights)?;
            }
        }
        Class::Bidirectional
    } else {
        for name in names {
            let inner = hdf5.group(path, group, &name)?;
            walk(hdf5, &format!("{path}/{name}"), &inner, depth + 1, layers)?;
        }
        return Ok(());
    };
    if class.fits(&weights) {
        let name = name(hdf5, path, group, &names)?;
        layers.push((path.into(), Layer { name, class, weights, config: None }));
    }
    Ok(())
}

/// Adds the arrays of a cell under Keras's names, or none if there are not as many as a SimpleRNN's cell has.
fn add_cell(hdf5: &mut Hdf5, path: &str, cell: &Group, prefix: &str, weights: &mut StateDict) -> Result<()> {
    if !hdf5.groups(path, cell)?.iter().any(|name| name == "vars") {
        return Ok(());
    }
    let vars = hdf5.group(path, cell, "vars")?;
    let path = format!("{path}/vars");
    let mut names = hdf5.datasets(&path, &vars)?;
    names.sort();
    if names.iter().enumerate().any(|(i, name)| *name != i.to_string()) || ![2, 3].contains(&names.len()) {
        return Ok(());
    }
    for (name, parameter) in names.iter().zip(PARAMETERS) {
        weights.insert(format!("{prefix}{parameter}"), hdf5.tensor(&path, &vars, name)?)?;
    }
    Ok(())
}

/// The name that the layer was given; if the file does not say it, the name of the layer's group.
fn name(hdf5: &mut Hdf5, path: &str, group: &Group, names: &[String]) -> Result<String> {
    if names.iter().any(|name| name == "vars") {
        let vars = hdf5.group(path, group, "vars")?;
        if let Some(name) = hdf5.attributes(path, &vars)?.get("name").and_then(AttrValue::as_str) {
            return Ok(name.into());
        }
    }
    Ok(path.rsplit_once('/').map_or(path, |(_, last)| last).into())
}
