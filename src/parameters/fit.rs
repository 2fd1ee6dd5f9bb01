//! Checks that named arrays fit a model.

use std::collections::BTreeMap;

use ndarray::ArrayViewMutD;

use crate::error::{Error, Result, expect_shape};

/// Checks that given arrays have the names and shapes of a model's parameters.
pub(crate) fn expect_fit<A>(
    targets: &[(String, ArrayViewMutD<'_, A>)],
    given: &BTreeMap<&str, &[usize]>,
) -> Result<()> {
    for (&name, &shape) in given {
        if !targets.iter().any(|(target, _)| target == name) {
            let expected = targets.iter().map(|(name, _)| name.clone()).collect();
            return Err(Error::UnexpectedParameter { name: name.into(), actual: shape.into(), expected });
        }
    }
    for (name, target) in targets {
        match given.get(&name[..]) {
            Some(shape) => expect_shape(name, target.shape(), shape)?,
            None => {
                let expected = target.shape().into();
                return Err(Error::MissingParameter { name: name.clone(), expected });
            }
        }
    }
    Ok(())
}

/// Checks that names and shapes agree, one by one.
pub(crate) fn expect_same<'a, I, J>(prefix: &str, expected: I, mut actual: J) -> Result<()>
where
    I: Iterator<Item = (&'a str, &'a [usize])> + Clone,
    J: Iterator<Item = (&'a str, &'a [usize])>,
{
    let names = || expected.clone().map(|(name, _)| name);
    for (name, shape) in expected.clone() {
        match actual.next() {
            Some((found, actual)) if found == name => {
                expect_shape(&format!("{prefix}{name}"), shape, actual)?;
            }
            Some((found, actual)) if !names().any(|name| name == found) => {
                return Err(unexpected(prefix, found, actual, names()));
            }
            _ => {
                return Err(Error::MissingParameter {
                    name: format!("{prefix}{name}"),
                    expected: shape.into(),
                });
            }
        }
    }
    match actual.next() {
        Some((found, actual)) => Err(unexpected(prefix, found, actual, names())),
        None => Ok(()),
    }
}

fn unexpected<'a>(
    prefix: &str,
    name: &str,
    actual: &[usize],
    expected: impl Iterator<Item = &'a str>,
) -> Error {
    Error::UnexpectedParameter {
        name: format!("{prefix}{name}"),
        actual: actual.into(),
        expected: expected.map(str::to_owned).collect(),
    }
}

/// Arrays by name, each name once.
pub(super) fn by_name<N: Into<String>, T>(
    pairs: impl IntoIterator<Item = (N, T)>,
) -> Result<BTreeMap<String, T>> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        let name = name.into();
        if map.contains_key(&name) {
            return Err(Error::DuplicateParameter { name });
        }
        map.insert(name, value);
    }
    Ok(map)
}
