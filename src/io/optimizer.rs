//! The state of torch's optimisers, as `torch.save` lays it out.

use ndarray::ArrayD;

use super::StateDict;
use super::files::{malformed, unsupported};
use crate::error::{Error, Result};
use crate::invariant::Invariant;
use crate::optim::{Algorithm, Optimizer, OptionMut, ParamGroup};
use crate::scalar::Scalar;

/// How errors call the file.
const FORMAT: &str = "torch optimizer state";

/// What schedulers keep in a group, and what only says how torch computes: neither changes a step.
const WITHOUT_EFFECT: [&str; 11] = [
    "params",
    "param_names",
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "initial_lr",
    "max_lr",
    "min_lr",
    "max_momentum",
    "base_momentum",
];

impl<C: Algorithm, A: Scalar> Optimizer<C, A> {
    /// Goes on from the `state_dict()` of torch's optimiser, with its options, step and buffers, which stand in a file
    /// under a prefix such as `"optimizer."` or `""`. [`pt`](crate::io::pt) shows how, and the way back.
    ///
    /// torch numbers parameters, group by group. The numbers are taken for this optimiser's parameters in the model's
    /// order, so a tuple must have its members in the order of the Python module's, and this optimiser the
    /// [groups](Self::group) that torch's had. torch's SGD counts no steps; with buffers the step becomes 1, from which
    /// SGD goes on as from any later one.
    ///
    /// # Errors
    /// In [`Error::File`]: [`FileError::Malformed`](crate::FileError::Malformed) for options that are missing or no
    /// numbers (torch's AdamW before 2.7 does not say `decoupled_weight_decay`: put it into the
    /// [metadata](StateDict::metadata_mut)), for other groups than this optimiser's, and for parameters of different
    /// steps; [`FileError::Unsupported`](crate::FileError::Unsupported) for options and buffers of another optimiser;
    /// [`FileError::Dtype`](crate::FileError::Dtype) for buffers of another element type. As
    /// [`load_state_dict`](Self::load_state_dict). The optimiser is unchanged then.
    pub fn load_torch(&mut self, state_dict: &StateDict, prefix: &str) -> Result<()> {
        let groups = self.param_groups();
        let file = File { dict: state_dict, prefix };
        let count = (0..).take_while(|i| file.names(&format!("param_groups.{i}.")).next().is_some()).count();
        if count != groups.len() {
            let actual = format!("{count} groups");
            return Err(malformed(FORMAT, "param_groups", format!("{} groups", groups.len()), actual));
        }
        let mut first = 0;
        let read = groups.into_iter().enumerate().map(|(i, group)| {
            let group = file.group(i, first, group)?;
            first += group.params.len();
            Ok(group)
        });
        let groups: Vec<_> = read.collect::<Result<_>>()?;
        let mut next = self.regrouped(&groups)?;
        let params: Vec<_> = groups.iter().flat_map(|group| &group.params).collect();
        let step = file.step(C::COUNTS_STEPS, params.len())?;
        if step > 0 {
            next.go_on_from(step, |parameter, buffer, shape| {
                let number = params.iter().position(|known| *known == parameter);
                let number = number.invariant("every array is of a parameter of a group");
                file.buffer(number, buffer, shape)
            })?;
        }
        file.expect_known_buffers(&groups)?;
        *self = next;
        Ok(())
    }
}

/// An optimiser's state within a file.
struct File<'a> {
    dict: &'a StateDict,
    prefix: &'a str,
}

impl File<'_> {
    /// What follows a beginning in the names of numbers and texts.
    fn names(&self, begin: &str) -> impl Iterator<Item = &str> {
        let begin = format!("{}{begin}", self.prefix);
        self.dict.metadata().keys().filter_map(move |name| name.strip_prefix(&begin))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.dict.metadata().get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<T> {
        let text = self.text(name).unwrap_or("nothing");
        text.parse().map_err(|_| malformed(FORMAT, name, expected, text))
    }

    /// A group with the file's options; its first parameter has the number `first`.
    fn group<C: Algorithm>(&self, i: usize, first: usize, group: ParamGroup<C>) -> Result<ParamGroup<C>> {
        let ParamGroup { mut config, params } = group;
        let begin = format!("param_groups.{i}.");
        let mut known = WITHOUT_EFFECT.to_vec();
        for (name, option) in config.options() {
            let (full, number) = (format!("{begin}{name}"), "a number");
            match option {
                OptionMut::Number(value) => *value = self.parsed(&full, number)?,
                OptionMut::Flag(value) => {
                    *value = self.parsed(&full, "true or false")?;
                }
                OptionMut::Pair((one, two)) => {
                    *one = self.parsed(&format!("{full}.0"), number)?;
                    *two = self.parsed(&format!("{full}.1"), number)?;
                }
            }
            known.push(name);
        }
        if let Some(name) = self.names(&begin).find(|name| !known.contains(&first_part(name))) {
            return Err(unsupported(FORMAT, format!("{begin}{name}"), "an option of another optimiser"));
        }
        let count = self.names(&format!("{begin}params.")).count();
        if count != params.len() {
            let expected = format!("{} parameters, {params:?}", params.len());
            return Err(malformed(FORMAT, format!("{begin}params"), expected, count));
        }
        for (j, name) in params.iter().enumerate() {
            let field = format!("{begin}params.{j}");
            let number: usize = self.parsed(&field, "a whole number")?;
            if number != first + j {
                return Err(malformed(FORMAT, field, (first + j).to_string(), number));
            }
            // Modules have other names here and there, their parameters the same.
            let field = format!("{begin}param_names.{j}");
            let theirs = self.text(&field).unwrap_or(name);
            if last_part(theirs) != last_part(name) {
                return Err(malformed(FORMAT, field, name.clone(), theirs));
            }
        }
        Ok(ParamGroup { config, params })
    }

    /// The step of every parameter, 0 if there are no buffers.
    fn step(&self, counts: bool, params: usize) -> Result<u64> {
        let begin = format!("{}state.", self.prefix);
        let any = self.dict.names().any(|name| name.starts_with(&begin));
        if !any || !counts {
            return Ok(any.into());
        }
        let steps = (0..params).map(|i| {
            let name = format!("state.{i}.step");
            let Some(tensor) = self.dict.get(&format!("{}{name}", self.prefix)) else {
                return self.parsed(&name, "the number of steps");
            };
            let step = tensor.to::<f64>()?.to_array::<f64>(&name)?.first().copied().unwrap_or(f64::NAN);
            let is_count = step >= 0.0 && step.fract() == 0.0 && step < 2_f64.powi(53);
            if is_count { Ok(step as u64) } else { Err(malformed(FORMAT, name, "the number of steps", step)) }
        });
        let steps: Vec<_> = steps.collect::<Result<_>>()?;
        let first = steps.first().copied().unwrap_or(0);
        match steps.iter().position(|&step| step != first) {
            Some(i) => Err(malformed(FORMAT, format!("state.{i}.step"), first.to_string(), steps[i])),
            None => Ok(first),
        }
    }

    fn buffer<A: Scalar>(&self, number: usize, buffer: &str, shape: &[usize]) -> Result<ArrayD<A>> {
        let name = format!("{}state.{number}.{buffer}", self.prefix);
        match self.dict.get(&name) {
            Some(tensor) => tensor.to_array(&name),
            None => Err(Error::MissingParameter { name, expected: shape.into() }),
        }
    }

    /// Checks that every buffer of the file is one that its group keeps.
    fn expect_known_buffers<C: Algorithm>(&self, groups: &[ParamGroup<C>]) -> Result<()> {
        let begin = format!("{}state.", self.prefix);
        let buffers = groups.iter().flat_map(|group| group.params.iter().map(|_| group.config.buffers()));
        let buffers: Vec<_> = buffers.collect();
        for name in self.dict.names().filter_map(|name| name.strip_prefix(&begin)) {
            let known = name.split_once('.').is_some_and(|(number, buffer)| {
                let own = number.parse::<usize>().ok().and_then(|number| buffers.get(number));
                own.is_some_and(|own| C::COUNTS_STEPS && buffer == "step" || own.contains(&buffer))
            });
            if !known {
                return Err(unsupported(FORMAT, format!("state.{name}"), "a buffer of another optimiser"));
            }
        }
        Ok(())
    }
}

fn first_part(name: &str) -> &str {
    name.split_once('.').map_or(name, |(first, _)| first)
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}
