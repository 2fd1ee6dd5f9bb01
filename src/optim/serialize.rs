//! An [`Optimizer`] under serde: its options, and its buffers of every parameter.

use ndarray::ArrayD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::memory::{Memory, Remembered};
use super::{Algorithm, Optimizer};
use crate::arrays::expect_text;
use crate::error::{Error, Result, expect_index, expect_positive, expect_shape};
use crate::scalar::Scalar;

#[derive(Serialize)]
#[serde(bound = "C: Serialize, A: Serialize")]
struct Written<'a, C, A> {
    groups: &'a [C],
    step: u64,
    parameters: Vec<WrittenParameter<'a, A>>,
}

#[derive(Serialize)]
#[serde(bound = "A: Serialize")]
struct WrittenParameter<'a, A> {
    name: &'a str,
    shape: &'a [usize],
    group: usize,
    buffers: &'a [(&'static str, ArrayD<A>)],
}

#[derive(Deserialize)]
#[serde(bound = "C: Deserialize<'de>, A: Deserialize<'de>", deny_unknown_fields)]
struct Read<C, A> {
    groups: Vec<C>,
    step: u64,
    parameters: Vec<ReadParameter<A>>,
}

#[derive(Deserialize)]
#[serde(bound = "A: Deserialize<'de>", deny_unknown_fields)]
struct ReadParameter<A> {
    name: String,
    shape: Vec<usize>,
    group: usize,
    buffers: Vec<(String, ArrayD<A>)>,
}

impl<C: Serialize, A: Scalar + Serialize> Serialize for Optimizer<C, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            for Remembered { name, buffers, .. } in &self.memory.0 {
                buffers
                    .iter()
                    .try_for_each(|(buffer, array)| expect_text(&format!("{buffer} of {name}"), array))?;
            }
        }
        let parameters = self.memory.0.iter().map(|Remembered { name, shape, group, buffers }| {
            WrittenParameter { name, shape, group: *group, buffers }
        });
        Written { groups: &self.groups, step: self.step, parameters: parameters.collect() }
            .serialize(serializer)
    }
}

impl<'de, C: Algorithm + Deserialize<'de>, A: Scalar + Deserialize<'de>> Deserialize<'de>
    for Optimizer<C, A>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Read { groups, step, parameters } = Read::<C, A>::deserialize(deserializer)?;
        optimizer(groups, step, parameters).map_err(D::Error::custom)
    }
}

fn optimizer<C: Algorithm, A: Scalar>(
    groups: Vec<C>,
    step: u64,
    parameters: Vec<ReadParameter<A>>,
) -> Result<Optimizer<C, A>> {
    expect_positive("the number of groups", groups.len())?;
    groups.iter().try_for_each(|config| config.validate::<A>())?;
    let buffers: Vec<_> = groups.iter().map(C::buffers).collect();
    let parameters = parameters.into_iter().map(|parameter| {
        expect_index("group", "the number of groups", buffers.len(), parameter.group)?;
        remembered(&buffers[parameter.group], parameter)
    });
    Ok(Optimizer { groups, step, memory: Memory(parameters.collect::<Result<_>>()?) })
}

/// Checks one parameter's buffers against those that the algorithm keeps.
fn remembered<A: Scalar>(expected: &[&'static str], parameter: ReadParameter<A>) -> Result<Remembered<A>> {
    let ReadParameter { name, shape, group, buffers: read } = parameter;
    if let Some((extra, array)) = read.get(expected.len()) {
        return Err(Error::UnexpectedParameter {
            name: format!("{name}.{extra}"),
            actual: array.shape().into(),
            expected: expected.iter().map(|buffer| format!("{name}.{buffer}")).collect(),
        });
    }
    let mut buffers = Vec::with_capacity(expected.len());
    let mut read = read.into_iter();
    for &buffer in expected {
        let full = format!("{name}.{buffer}");
        let Some((_, array)) = read.next().filter(|(found, _)| found == buffer) else {
            return Err(Error::MissingParameter { name: full, expected: shape });
        };
        expect_shape(&full, &shape, array.shape())?;
        buffers.push((buffer, array.as_standard_layout().into_owned()));
    }
    Ok(Remembered { name, shape, group, buffers })
}
