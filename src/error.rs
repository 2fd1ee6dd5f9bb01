//! The one error type.

/// What a caller can get wrong. Every variant names the array, option or parameter, what was
/// expected and what came; after an error nothing has changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must be positive is zero.
    #[error("{name} must be greater than zero")]
    ZeroSize {
        /// The size's name, such as `hidden_size`.
        name: &'static str,
    },

    /// The arrays asked for would hold more elements than a computer can address.
    #[error("{name}: the shape {shape:?} holds more elements than can be addressed")]
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
        /// The size it must equal, such as `input_size`.
        size: &'static str,
        /// That size.
        expected: usize,
        /// The array's.
        actual: usize,
    },

    /// An array has not the shape that the model and the other arrays demand.
    #[error("{array}: expected shape {expected:?}, got {actual:?}")]
    Shape {
        /// The array's or parameter's name, such as `h_0` or `weight_ih_l0`.
        array: String,
        /// The shape it must have.
        expected: Vec<usize>,
        /// The shape it has.
        actual: Vec<usize>,
    },

    /// A sequence is said to be longer than the array that holds it.
    #[error("{array}[{index}] must be at most {longest}, got {actual}")]
    Length {
        /// The list of lengths.
        array: &'static str,
        /// The sequence.
        index: usize,
        /// The array's number of steps.
        longest: usize,
        /// The length that came.
        actual: usize,
    },

    /// The input has no time step.
    #[error("{array}: expected sequence length to be larger than 0, got shape {shape:?}")]
    EmptySequence {
        /// The array's name.
        array: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// A state dict lacks a parameter of the model.
    #[error("missing parameter {name}: expected shape {expected:?}")]
    MissingParameter {
        /// The parameter's name.
        name: String,
        /// The shape the model has for it.
        expected: Vec<usize>,
    },

    /// A state dict holds a parameter that the model has not.
    #[error("unexpected parameter {name} of shape {actual:?}: the model has {expected:?}")]
    UnexpectedParameter {
        /// The parameter's name.
        name: String,
        /// The parameter's shape.
        actual: Vec<usize>,
        /// The names the model has.
        expected: Vec<String>,
    },

    /// A state dict holds a parameter twice.
    #[error("duplicate parameter {name}")]
    DuplicateParameter {
        /// The parameter's name.
        name: String,
    },
}

/// A result with this crate's [`Error`](enum@Error).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Checks that an array has exactly the shape `expected`.
pub(crate) fn expect_shape(array: &str, expected: &[usize], actual: &[usize]) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Shape { array: array.into(), expected: expected.into(), actual: actual.into() })
}

/// The number of elements of a shape, if it can be addressed.
pub(crate) fn element_count(name: &str, shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size))
        // Rust allocates at most isize::MAX bytes; no element is wider than eight.
        .filter(|&count| count <= isize::MAX as usize / 8)
        .ok_or_else(|| Error::SizeOverflow { name: name.into(), shape: shape.into() })
}
