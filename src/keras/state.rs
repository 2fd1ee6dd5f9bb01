//! A state that calls carry on.

use ndarray::{Array2, ArrayRef2};

use crate::error::{Result, expect_room, expect_shape};
use crate::scalar::Scalar;

/// What Keras's `stateful` layers keep from one batch to the next: a state (N, units) that a call begins with and
/// leaves its final state in. Made by [`SimpleRnn::state`](super::SimpleRnn::state).
///
/// It stands beside the layer and not in it, so the layer may be trained between two batches, or serve several
/// batches at once.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
/// let input = Array3::ones((3, 5, 4));
/// let mut state = rnn.state(3)?;
/// let first = rnn.call(&input).stateful(&mut state).forward()?;
/// assert_eq!(*state.value(), first);
/// assert_ne!(rnn.call(&input).stateful(&mut state).forward()?, first);
///
/// state.reset_state();
/// assert_eq!(rnn.call(&input).stateful(&mut state).forward()?, first);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "stateful")]
pub struct State<A> {
    value: Array2<A>,
}

impl<A: Scalar> State<A> {
    /// Zeros.
    pub(super) fn zeros(batch: usize, units: usize) -> Result<Self> {
        expect_room::<A>("state", &[batch, units])?;
        Ok(Self { value: Array2::zeros((batch, units)) })
    }

    /// The state, (N, units).
    #[must_use]
    pub fn value(&self) -> &Array2<A> {
        &self.value
    }

    /// Goes on from another state.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for one of another shape; nothing is changed then.
    pub fn set_value(&mut self, value: &ArrayRef2<A>) -> Result<()> {
        expect_shape("state", self.value.shape(), value.shape())?;
        self.assign(value);
        Ok(())
    }

    /// Goes on from a state whose shape is known to be right.
    pub(super) fn assign(&mut self, value: &ArrayRef2<A>) {
        self.value.assign(value);
    }

    /// Sets the state to zero.
    pub fn reset_state(&mut self) {
        self.value.fill(A::zero());
    }
}
