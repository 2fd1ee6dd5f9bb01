//! Files of several parts: models, optimisers, numbers.

use std::path::Path;

use ndarray::arr0;

use super::write::{Item, to_bytes};
use crate::error::Result;
use crate::io::files;
use crate::io::{StateDict, Tensor};
use crate::optim::{Algorithm, Optimizer, OptionMut};
use crate::scalar::Scalar;

/// The parts of a checkpoint, a dict of Python's, to be written: `torch.save({"model": .., "optimizer": .., "epoch": 3})`.
///
/// ```
/// use ndarray_rnn::io::{StateDict, pt};
/// use ndarray_rnn::optim::{Adam, AdamConfig};
/// use ndarray_rnn::{Linear, LinearConfig, manual_seed};
///
/// let model = Linear::<f32>::new(LinearConfig::new(4, 2), &mut manual_seed(0))?;
/// let adam = Adam::new(AdamConfig::new().lr(0.02), &model)?;
/// let mut dict = StateDict::new();
/// dict.add("", &model)?;
/// let checkpoint = pt::Checkpoint::new().state_dict("model", &dict).optimizer("optimizer", &adam).int("epoch", 3);
///
/// let read = pt::from_bytes(&checkpoint.to_bytes()?)?;
/// assert_eq!(Linear::from_state_dict(&read.under("model."))?, model);
/// let mut again = Adam::new(AdamConfig::new(), &model)?;
/// again.load_torch(&read, "optimizer.")?;
/// assert_eq!((again, &read.metadata()["epoch"][..]), (adam, "3"));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    parts: Vec<(String, Item)>,
}

impl Checkpoint {
    /// A checkpoint without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn part(mut self, name: &str, item: Item) -> Self {
        self.parts.push((name.into(), item));
        self
    }

    /// Adds arrays, for a module's `load_state_dict`, without the [`metadata`](Self::metadata).
    #[must_use]
    pub fn state_dict(self, name: &str, state_dict: &StateDict) -> Self {
        self.part(name, Item::State(state_dict.clone()))
    }

    /// Adds an optimiser's options, step and buffers, for `load_state_dict` of torch's optimiser of the same kind.
    /// Parameters are numbered group by group, each in the model's order, as in torch. Before the first step there are
    /// no buffers.
    #[must_use]
    pub fn optimizer<C: Algorithm, A: Scalar>(self, name: &str, optimizer: &Optimizer<C, A>) -> Self {
        self.part(name, of_optimizer(optimizer).unwrap_or_else(Item::Refused))
    }

    /// Adds the metadata of a dict, a dict of texts.
    #[must_use]
    pub fn metadata(self, name: &str, state_dict: &StateDict) -> Self {
        let texts = state_dict.metadata().iter().map(|(key, value)| (text(key), text(value)));
        self.part(name, Item::Dict(texts.collect()))
    }

    /// Adds a dict of parts.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::io::{Tensor, pt};
    ///
    /// let history = pt::Checkpoint::new().floats("loss", &[0.5, 0.25]).texts("files", &["a.txt"]);
    /// let lengths = Tensor::from_ints(&array![3, 5])?;
    /// let checkpoint = pt::Checkpoint::new().checkpoint("history", &history).tensor("lengths", &lengths);
    ///
    /// let read = pt::from_bytes(&checkpoint.to_bytes()?)?;
    /// assert_eq!((&read.metadata()["history.loss.1"][..], read.get("lengths")), ("0.25", Some(&lengths)));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn checkpoint(self, name: &str, parts: &Self) -> Self {
        self.part(name, parts.item())
    }

    /// Adds an array.
    #[must_use]
    pub fn tensor(self, name: &str, tensor: &Tensor) -> Self {
        self.part(name, Item::Tensor(tensor.clone()))
    }

    /// Adds a list of whole numbers.
    #[must_use]
    pub fn ints(self, name: &str, values: &[usize]) -> Self {
        self.part(name, Item::List(values.iter().map(|&value| Item::Int(value)).collect()))
    }

    /// Adds a list of numbers.
    #[must_use]
    pub fn floats(self, name: &str, values: &[f64]) -> Self {
        self.part(name, Item::List(values.iter().map(|&value| Item::Float(value)).collect()))
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn texts(self, name: &str, values: &[impl AsRef<str>]) -> Self {
        self.part(name, Item::List(values.iter().map(|value| text(value.as_ref())).collect()))
    }

    /// Adds a whole number.
    #[must_use]
    pub fn int(self, name: &str, value: usize) -> Self {
        self.part(name, Item::Int(value))
    }

    /// Adds a number.
    #[must_use]
    pub fn float(self, name: &str, value: f64) -> Self {
        self.part(name, Item::Float(value))
    }

    /// Adds `True` or `False`.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.part(name, Item::Flag(value))
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(name, text(value))
    }

    /// Writes the file: whole or not at all, the same bytes each time.
    ///
    /// # Errors
    /// [`FileError::System`](crate::FileError::System) for a file that cannot be written; as [`to_bytes`](Self::to_bytes).
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        files::write(path.as_ref(), &self.to_bytes()?)
    }

    /// The bytes that [`write`](Self::write) writes.
    ///
    /// # Errors
    /// [`Error::DuplicateParameter`](crate::Error::DuplicateParameter) for two parts of one name; as [`pt::to_bytes`](super::to_bytes).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        to_bytes(&self.item())
    }

    fn item(&self) -> Item {
        Item::Dict(self.parts.iter().map(|(name, item)| (text(name), item.clone())).collect())
    }
}

/// `{"state": {0: {"step": .., ..}, ..}, "param_groups": [{"lr": .., "params": [0, ..]}, ..]}`.
fn of_optimizer<C: Algorithm, A: Scalar>(optimizer: &Optimizer<C, A>) -> Result<Item> {
    let ((steps, buffers), mut members, mut groups) = (optimizer.buffers(), Vec::new(), Vec::new());
    let buffers: Vec<_> = buffers.collect();
    for mut group in optimizer.param_groups() {
        let mut options: Vec<_> = group.config.options().into_iter().map(of_option).collect();
        let first = members.len();
        for name in &group.params {
            let of_parameter = buffers.iter().filter(|(parameter, ..)| parameter == name);
            let of_parameter = of_parameter
                .map(|&(_, buffer, array)| Ok((text(buffer), Item::Tensor(Tensor::from_array(array)?))));
            let step = Item::Tensor(Tensor::from_array(&arr0(steps as f32))?);
            let step = C::COUNTS_STEPS.then(|| Ok((text("step"), step)));
            let buffers = step.into_iter().chain(of_parameter).collect::<Result<_>>()?;
            members.push((Item::Int(members.len()), Item::Dict(buffers)));
        }
        let numbers = (first..members.len()).map(Item::Int).collect();
        options.push((text("params"), Item::List(numbers)));
        groups.push(Item::Dict(options));
    }
    if steps == 0 {
        members.clear();
    }
    Ok(Item::Dict(vec![(text("state"), Item::Dict(members)), (text("param_groups"), Item::List(groups))]))
}

fn of_option((name, value): (&str, OptionMut<'_>)) -> (Item, Item) {
    let value = match value {
        OptionMut::Number(number) => Item::Float(*number),
        OptionMut::Pair((one, two)) => Item::Pair(*one, *two),
        OptionMut::Flag(flag) => Item::Flag(*flag),
    };
    (text(name), value)
}

fn text(text: &str) -> Item {
    Item::Text(text.into())
}
