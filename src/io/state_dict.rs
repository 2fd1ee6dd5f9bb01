//! Named arrays: every format reads a file into one dict of them and writes a file from one.

use std::collections::BTreeMap;

use ndarray::ArrayD;

use super::Tensor;
use crate::error::{Error, FileError, Result};
use crate::invariant::Invariant;
use crate::parameters::{InOrder, Parameters, expect_fit};
use crate::scalar::Scalar;

/// How many names an error lists.
const LISTED: usize = 20;

/// Named arrays of any element type, in the file's order, and the file's metadata: torch's `state_dict`.
///
/// Several models share one dict under prefixes, as the modules of a torch module do:
///
/// ```
/// use ndarray_rnn::io::StateDict;
/// use ndarray_rnn::{Linear, LinearConfig, Nonlinearity, Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let head = Linear::<f32>::new(LinearConfig::new(2, 3), &mut manual_seed(1))?;
/// let mut dict = StateDict::new();
/// dict.add("encoder.rnn.", &rnn)?;
/// dict.add("head.", &head)?;
/// assert_eq!(dict.names().next(), Some("encoder.rnn.weight_ih_l0"));
///
/// assert_eq!(Rnn::from_state_dict(&dict.under("encoder.rnn."), Nonlinearity::Tanh)?, rnn);
/// let mut copy = Linear::<f32>::zeros(LinearConfig::new(2, 3))?;
/// dict.under("head.").load_into(&mut copy)?; // strict: names, shapes and element type must match
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct StateDict {
    entries: Vec<(String, Tensor)>,
    /// Where in the list each name is.
    index: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
    skipped: BTreeMap<String, String>,
    /// The part of a larger dict that this one is, for errors.
    origin: Origin,
}

/// Where a dict is from.
#[derive(Debug, Clone, Default)]
struct Origin {
    prefix: String,
    /// The names of the larger dict, if none begins with the prefix.
    names: Vec<String>,
}

/// Equal arrays in the same order, equal metadata and equal lists of what was skipped.
impl PartialEq for StateDict {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries && self.metadata == other.metadata && self.skipped == other.skipped
    }
}

impl Eq for StateDict {}

impl StateDict {
    /// An empty dict.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a copy of every parameter of a model, its name behind a prefix such as `"encoder.rnn."` or `""`.
    ///
    /// # Errors
    /// [`Error::DuplicateParameter`] for a name that the dict has already; the dict is unchanged then.
    pub fn add(&mut self, prefix: &str, model: &impl Parameters) -> Result<()> {
        let mut added = Self::new();
        for (name, value) in model.named_parameters() {
            let name = format!("{prefix}{name}");
            self.expect_new(&name)?;
            added.insert(name, Tensor::from_array(&value)?)?;
        }
        added.entries.into_iter().try_for_each(|(name, tensor)| self.insert(name, tensor))
    }

    /// Puts in an array under a name.
    ///
    /// # Errors
    /// [`Error::DuplicateParameter`] for a name that the dict has already; the dict is unchanged then.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) -> Result<()> {
        let name = name.into();
        self.expect_new(&name)?;
        self.index.insert(name.clone(), self.entries.len());
        self.entries.push((name, tensor));
        Ok(())
    }

    fn expect_new(&self, name: &str) -> Result<()> {
        if self.index.contains_key(name) {
            return Err(Error::DuplicateParameter { name: name.into() });
        }
        Ok(())
    }

    /// The array of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&i| &self.entries[i].1)
    }

    /// Every name and array, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Every name, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// How many arrays there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no arrays.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Text beside the arrays. safetensors files hold it; reading a `.pt` file puts numbers and text here.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What a file holds beside the arrays and was not read, under the names that arrays there would have: each says
    /// what it is, such as `a sparse tensor`. Empty unless a file was read.
    #[must_use]
    pub fn skipped(&self) -> &BTreeMap<String, String> {
        &self.skipped
    }

    /// Lists what is not read.
    #[cfg(any(feature = "npz", feature = "pt"))]
    pub(super) fn skip(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.skipped.insert(name.into(), what.into());
    }

    /// The metadata, to be changed.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// The arrays whose names begin with a prefix such as `"encoder.rnn."`, under names without the prefix; the
    /// metadata is kept, and elements are shared, not copied. If no name does, a model of the empty dict fails with an
    /// error that names the prefix, and those under which the model's parameters are.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Gru, GruConfig};
    ///
    /// let mut dict = StateDict::new();
    /// dict.add("encoder.rnn.", &Gru::<f32>::zeros(GruConfig::new(4, 2))?)?;
    /// let error = Gru::<f32>::from_state_dict(&dict.under("encoder.gru.")).unwrap_err();
    /// let expected = r#"no weight_ih_l0 under "encoder.gru.": did you mean `under("encoder.rnn.")`?"#;
    /// assert_eq!(error.to_string(), expected);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        let stripped = |name: &str| name.strip_prefix(prefix).map(str::to_owned);
        let named = self.iter().filter_map(|(name, tensor)| Some((stripped(name)?, tensor.clone())));
        let mut part = self.with_entries(named.collect());
        let skipped = self.skipped.iter().filter_map(|(name, what)| Some((stripped(name)?, what.clone())));
        part.skipped = skipped.collect();
        part.origin.prefix.push_str(prefix);
        if part.is_empty() && !self.is_empty() {
            part.origin.names = self.full_names().collect();
        }
        part
    }

    /// Every name with the prefix of the part that this dict is.
    fn full_names(&self) -> impl Iterator<Item = String> {
        self.names().map(|name| format!("{}{name}", self.origin.prefix))
    }

    /// The error for a dict without an array that a model needs.
    pub(super) fn missing(&self, name: &str) -> Error {
        if let Some(what) = self.skipped.get(name) {
            let (format, field) = ("state dict", format!("{}{name}", self.origin.prefix));
            return FileError::Unsupported { format, field, feature: what.clone() }.into();
        }
        let names: Vec<_> =
            if self.is_empty() { self.origin.names.clone() } else { self.full_names().collect() };
        let ends =
            |full: &String| full.strip_suffix(name).filter(|prefix| prefix.ends_with('.')).map(str::to_owned);
        let found_under = names.iter().filter_map(ends).take(LISTED).collect();
        let present = names.iter().take(LISTED).cloned().collect();
        FileError::MissingWeights {
            name: name.into(),
            prefix: self.origin.prefix.clone(),
            found_under,
            present,
        }
        .into()
    }

    /// The dict with every float array converted to `A`, rounded to the nearest; a number too large for `A` becomes
    /// infinite.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig};
    ///
    /// let mut dict = StateDict::new();
    /// dict.add("", &Rnn::<f64>::zeros(RnnConfig::new(4, 2))?)?;
    /// assert!(Rnn::<f32>::from_state_dict(&dict, Nonlinearity::Tanh).is_err());
    /// Rnn::<f32>::from_state_dict(&dict.to::<f32>()?, Nonlinearity::Tanh)?;
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds them.
    pub fn to<A: Scalar>(&self) -> Result<Self> {
        let converted = self.iter().map(|(name, tensor)| Ok((name.to_owned(), tensor.to::<A>()?)));
        Ok(self.with_entries(converted.collect::<Result<_>>()?))
    }

    fn with_entries(&self, entries: Vec<(String, Tensor)>) -> Self {
        let index = entries.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        let (metadata, skipped, origin) = (self.metadata.clone(), self.skipped.clone(), self.origin.clone());
        Self { entries, index, metadata, skipped, origin }
    }

    /// Every array, in the dict's order, as [`Tensor::to_array`] gives it.
    ///
    /// # Errors
    /// [`FileError::Dtype`](crate::FileError::Dtype) for an array of another element type.
    pub fn arrays<A: Scalar>(&self) -> Result<Vec<(String, ArrayD<A>)>> {
        self.iter().map(|(name, tensor)| Ok((name.into(), tensor.to_array(name)?))).collect()
    }

    /// Sets every parameter of a model to the array of its name; strict, as torch's `load_state_dict`.
    ///
    /// # Errors
    /// As [`Parameters::load_state_dict`] and [`arrays`](Self::arrays);
    /// [`FileError::MissingWeights`](crate::FileError::MissingWeights) if the dict has none of the parameters, and
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for a parameter that was [skipped](Self::skipped). The model
    /// is unchanged then.
    pub fn load_into<M: Parameters>(&self, model: &mut M) -> Result<()> {
        let needed = model.named_parameters();
        let skipped = needed.iter().find(|(name, _)| self.skipped.contains_key(name));
        let foreign = needed.iter().all(|(name, _)| self.get(name).is_none());
        let elsewhere = foreign && !(self.is_empty() && self.origin.prefix.is_empty());
        if let Some((name, _)) = skipped.or(needed.first().filter(|_| elsewhere)) {
            return Err(self.missing(name));
        }
        self.iter().try_for_each(|(name, tensor)| tensor.expect_fits::<M::Elem>(name))?;
        let mut targets = model.named_parameters_mut();
        let shapes = self.index.iter().map(|(name, &i)| (&name[..], self.entries[i].1.shape())).collect();
        expect_fit(&targets, &shapes)?;
        let in_order = |(name, target)| {
            let tensor = self.get(name).invariant("every parameter has an array of its name");
            Ok((tensor, InOrder::of(name, target)?))
        };
        // All copies are made before anything changes.
        let targets = targets.iter_mut().map(|(name, target)| in_order((&*name, target)));
        for (tensor, mut target) in targets.collect::<Result<Vec<_>>>()? {
            tensor.write_to(target.elements());
            target.put();
        }
        Ok(())
    }
}
