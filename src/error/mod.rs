//! The error type of the whole crate, and checks that give errors.

mod expect;
mod file;

pub(crate) use expect::*;
pub use file::FileError;

use std::ops::{Range, RangeInclusive};

/// What a caller can get wrong. Every variant names the array, option or parameter, what was expected and what came.
/// After an error nothing has changed.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::{Error, Rnn, RnnConfig};
///
/// let rnn = Rnn::<f32>::zeros(RnnConfig::new(4, 2))?;
/// match rnn.forward(&Array3::ones((3, 5, 7)), None) {
///     Err(Error::Width { array, expected, actual, .. }) => assert_eq!((array, expected, actual), ("input", 4, 7)),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must be positive is zero.
    #[error("{name} must be greater than zero")]
    ZeroSize {
        /// The size's name, such as `hidden_size`.
        name: &'static str,
    },

    /// An array would have more elements than memory holds.
    #[error("{name}: the shape {shape:?} holds more elements than memory can")]
    SizeOverflow {
        /// The array's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// A number is outside its range, or NaN.
    #[error("{name} must be {expected}, got {actual}")]
    OutOfRange {
        /// The option's name, such as `dropout`.
        name: &'static str,
        /// The range in words, such as `a number in [0, 1]`.
        expected: &'static str,
        /// What came.
        actual: f64,
    },

    /// An array has another number of axes than it must have.
    #[error("{array} should be {expected}-D, but got {actual}-D")]
    Rank {
        /// The array's name.
        array: &'static str,
        /// How many axes it must have.
        expected: usize,
        /// How many it has.
        actual: usize,
    },

    /// The last axis of an array is not as wide as the model.
    #[error("{array}.size(-1) must be equal to {size}. Expected {expected}, got {actual}")]
    Width {
        /// The array's name, such as `input`.
        array: &'static str,
        /// The name of the size that the axis must have, such as `input_size`.
        size: &'static str,
        /// The size that the axis must have.
        expected: usize,
        /// The size that the axis has.
        actual: usize,
    },

    /// An array does not have the shape that the model and the other arrays ask for.
    #[error("{array}: expected shape {expected:?}, got {actual:?}")]
    Shape {
        /// The array's or parameter's name, such as `h_0` or `weight_ih_l0`.
        array: String,
        /// The shape it must have.
        expected: Vec<usize>,
        /// The shape it has.
        actual: Vec<usize>,
    },

    /// A model of this kind cannot do what was asked for.
    #[error("{operation} is not possible: {reason}")]
    Unsupported {
        /// The operation that was asked for.
        operation: &'static str,
        /// Why the model cannot do it.
        reason: &'static str,
    },

    /// An array of sequences has no time step.
    #[error("{array}: expected sequence length to be larger than 0, got shape {shape:?}")]
    EmptySequence {
        /// The array's name.
        array: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// A trace was left by a network of another configuration.
    #[error("the trace is of {actual}, not of {expected}")]
    ForeignTrace {
        /// The network that was given the trace.
        expected: String,
        /// The network that left the trace.
        actual: String,
    },

    /// A trace was left by other parameters than the network has: its parameters may have changed since, or the trace
    /// was left by another network of the same configuration.
    #[error("the trace is of other parameters: they may have changed since, or are another network's")]
    StaleTrace,

    /// Weights are of another kind of network than the one asked for.
    #[error("these are {weights}: use `{actual}`, not `{expected}`")]
    WrongKind {
        /// The weights, such as `an LSTM's weights (four gates)`.
        weights: &'static str,
        /// The type that takes them, such as `Lstm`.
        actual: &'static str,
        /// The type that was asked for.
        expected: &'static str,
    },

    /// Parameters are of a model of another configuration.
    #[error("the parameters are of {actual}, not of {expected}")]
    ForeignParameters {
        /// The model that was given the parameters.
        expected: String,
        /// The model that the parameters are of.
        actual: String,
    },

    /// A number of a list is outside its range.
    #[error("{list}[{index}] must be from {} to {}, got {actual}", expected.start(), expected.end())]
    EntryOutOfRange {
        /// The list's name, such as `lengths`.
        list: &'static str,
        /// Where in the list the number is.
        index: usize,
        /// The range.
        expected: RangeInclusive<usize>,
        /// The number.
        actual: usize,
    },

    /// A number of a list that must not increase is greater than the one before it.
    #[error("{list} must be in decreasing order, but {list}[{index}] = {actual} comes after {previous}")]
    NotSorted {
        /// The list's name, such as `lengths`.
        list: &'static str,
        /// Where in the list the number is.
        index: usize,
        /// The number before it.
        previous: usize,
        /// The number.
        actual: usize,
    },

    /// A list that must have each index once has an index twice.
    #[error("{list}[{index}]: {actual} is in the list already")]
    RepeatedEntry {
        /// The list's name, such as `sorted_indices`.
        list: &'static str,
        /// Where in the list the index stands the second time.
        index: usize,
        /// The repeated index.
        actual: usize,
    },

    /// A sequence is longer than the length that sequences are padded to.
    #[error("expected total_length to be at least {expected}, the longest sequence's length, got {actual}")]
    TotalLength {
        /// The length of the longest sequence.
        expected: usize,
        /// The total length asked for.
        actual: usize,
    },

    /// An array has fewer axes than it must have.
    #[error("{array} should be at least {expected}-D, but got {actual}-D")]
    LowRank {
        /// The array's name.
        array: &'static str,
        /// How many axes it must have at least.
        expected: usize,
        /// How many it has.
        actual: usize,
    },

    /// An index is too large, such as the index of a class that does not exist.
    #[error("{array}: index {actual} is out of bounds, {size} is {expected}")]
    IndexOutOfBounds {
        /// The name of the array of indices, such as `target`.
        array: &'static str,
        /// The size that every index must be below, such as `num_classes`.
        size: &'static str,
        /// The size.
        expected: usize,
        /// The index.
        actual: usize,
    },

    /// A name is unknown.
    #[error("unknown {what} {actual:?}: known are {expected:?}")]
    UnknownName {
        /// What is named, such as `activation`.
        what: &'static str,
        /// The known names.
        expected: Vec<&'static str>,
        /// What came.
        actual: String,
    },

    /// A result is infinite or NaN, and the caller asked for an error then.
    #[error("{name} must be finite, got {actual}")]
    NonFinite {
        /// The result's name, such as `total_norm`.
        name: &'static str,
        /// The result.
        actual: f64,
    },

    /// A state dict or a gradient lacks a parameter of the model.
    #[error("missing parameter {name}: expected shape {expected:?}")]
    MissingParameter {
        /// The parameter's name.
        name: String,
        /// The parameter's shape in the model.
        expected: Vec<usize>,
    },

    /// A state dict or a gradient has a parameter that the model does not have.
    #[error("unexpected parameter {name} of shape {actual:?}: the model has {expected:?}")]
    UnexpectedParameter {
        /// The parameter's name.
        name: String,
        /// The parameter's shape.
        actual: Vec<usize>,
        /// The names of the model's parameters.
        expected: Vec<String>,
    },

    /// A state dict has a parameter twice.
    #[error("duplicate parameter {name}")]
    DuplicateParameter {
        /// The parameter's name.
        name: String,
    },

    /// Numbers are no node of the tree in which a sum is added.
    #[error("the terms {numbers:?} of {count} are no node of the tree")]
    ForeignNode {
        /// The numbers.
        numbers: Range<usize>,
        /// How many terms the sum has.
        count: usize,
    },

    /// Terms of a sum came twice.
    #[error("the terms {numbers:?} came again: the sum has {present:?}")]
    RepeatedTerms {
        /// The numbers of the terms that came.
        numbers: Range<usize>,
        /// The numbers of terms that are there.
        present: Range<usize>,
    },

    /// A sum lacks terms.
    #[error("the sum lacks the terms {numbers:?} of {count}")]
    MissingTerms {
        /// The numbers of the first terms that are not there.
        numbers: Range<usize>,
        /// How many terms the sum has.
        count: usize,
    },

    /// A file was not read or not written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A result with this crate's [`Error`](enum@Error).
///
/// ```
/// use ndarray_rnn::{Linear, LinearConfig, Result};
///
/// fn head(classes: usize) -> Result<Linear> {
///     Linear::zeros(LinearConfig::new(8, classes))
/// }
/// assert_eq!(head(0).unwrap_err().to_string(), "out_features must be greater than zero");
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;
