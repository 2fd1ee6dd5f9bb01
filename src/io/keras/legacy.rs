//! The weights of recurrent layers in legacy `.h5` files, where layers and weights have their own names.

use hdf5_pure::{AttrValue, Group};

use super::FORMAT;
use super::hdf5::Hdf5;
use super::layer::{Class, Layer, PARAMETERS};
use crate::error::Result;
use crate::io::StateDict;
use crate::io::files::malformed;

/// Whether a file is a legacy file, of a model or of weights alone.
pub(super) fn is_legacy(hdf5: &mut Hdf5) -> Result<bool> {
    let root = hdf5.root();
    Ok(hdf5.groups("", &root)?.iter().any(|name| name == "model_weights")
        || hdf5.attributes("", &root)?.contains_key("layer_names"))
}

/// The text of a model's configuration, if the file has it.
pub(super) fn config(hdf5: &mut Hdf5) -> Result<Option<String>> {
    let root = hdf5.root();
    let attributes = hdf5.attributes("", &root)?;
    Ok(attributes.get("model_config").and_then(AttrValue::as_str).map(str::to_owned))
}

/// Every recurrent layer, in the model's order.
pub(super) fn layers(hdf5: &mut Hdf5) -> Result<Vec<Layer>> {
    let root = hdf5.root();
    let has_model = hdf5.groups("", &root)?.iter().any(|name| name == "model_weights");
    let (path, group) = match has_model {
        true => ("/model_weights", hdf5.group("", &root, "model_weights")?),
        false => ("", root),
    };
    let mut layers = Vec::new();
    for name in list(hdf5, path, &group, "layer_names")? {
        let layer = hdf5.group(path, &group, &name)?;
        if let Some(layer) = read(hdf5, &format!("{path}/{name}"), &layer, name)? {
            layers.push(layer);
        }
    }
    Ok(layers)
}

/// One layer, if its weights are those of one or two SimpleRNNs.
fn read(hdf5: &mut Hdf5, path: &str, group: &Group, name: String) -> Result<Option<Layer>> {
    let names = list(hdf5, path, group, "weight_names")?;
    // The last part of a name is kernel, in older files kernel:0.
    let kinds: Option<Vec<_>> = names
        .iter()
        .map(|name| {
            let last = name.rsplit_once('/').map_or(&name[..], |(_, last)| last);
            PARAMETERS.into_iter().find(|&known| known == last.trim_end_matches(":0"))
        })
        .collect();
    let class = match kinds.as_deref() {
        Some(["kernel", "recurrent_kernel"] | ["kernel", "recurrent_kernel", "bias"]) => Class::SimpleRnn,
        Some(
            ["kernel", "recurrent_kernel", "kernel", "recurrent_kernel"]
            | ["kernel", "recurrent_kernel", "bias", "kernel", "recurrent_kernel", "bias"],
        ) => Class::Bidirectional,
        _ => return Ok(None),
    };
    let mut weights = StateDict::new();
    let count = names.len() / class.prefixes().len();
    for (names, prefix) in names.chunks_exact(count).zip(class.prefixes()) {
        for (name, parameter) in names.iter().zip(PARAMETERS) {
            weights.insert(format!("{prefix}{parameter}"), hdf5.tensor(path, group, name)?)?;
        }
    }
    Ok(class.fits(&weights).then_some(Layer { name, class, weights, config: None }))
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
