//! What a call returns, as types.

use std::fmt::Debug;

use ndarray::{Array, Array2, Array3, ArrayRef, Axis, Dimension, Ix2, Ix3};

use super::rows::Rows;
use crate::scalar::Scalar;
use crate::sequence::standard;

/// Only the last outputs: Keras's default.
#[derive(Debug, Clone, Copy)]
pub struct Last;

/// The outputs of every step: Keras's `return_sequences`.
#[derive(Debug, Clone, Copy)]
pub struct Sequences;

/// The final state too: Keras's `return_state`.
#[derive(Debug, Clone, Copy)]
pub struct WithState<R>(R);

/// What a call returns: [`Last`], [`Sequences`], or either [`WithState`]. Sealed.
pub trait Returns: Sized + Debug + private::Sealed {
    /// The output's dimension: (N, units) or (N, T, units).
    type Dim: OutputDim;

    /// An output `Y`, or a pair of it and a state `S`.
    type Value<Y, S>;

    /// The same with the outputs of every step.
    type AllSteps: Returns;

    /// The same with the state.
    type AndState: Returns;

    /// What is returned of an output and a state.
    #[doc(hidden)]
    fn value<Y, S>(output: Y, state: S) -> Self::Value<Y, S>;

    /// The output, and the state if it is there.
    #[doc(hidden)]
    fn parts<Y, S>(value: Self::Value<Y, S>) -> (Y, Option<S>);
}

impl Returns for Last {
    type Dim = Ix2;
    type Value<Y, S> = Y;
    type AllSteps = Sequences;
    type AndState = WithState<Self>;

    fn value<Y, S>(output: Y, _: S) -> Y {
        output
    }

    fn parts<Y, S>(output: Y) -> (Y, Option<S>) {
        (output, None)
    }
}

impl Returns for Sequences {
    type Dim = Ix3;
    type Value<Y, S> = Y;
    type AllSteps = Self;
    type AndState = WithState<Self>;

    fn value<Y, S>(output: Y, _: S) -> Y {
        output
    }

    fn parts<Y, S>(output: Y) -> (Y, Option<S>) {
        (output, None)
    }
}

impl<R: Returns> Returns for WithState<R> {
    type Dim = R::Dim;
    type Value<Y, S> = (Y, S);
    type AllSteps = WithState<R::AllSteps>;
    type AndState = Self;

    fn value<Y, S>(output: Y, state: S) -> (Y, S) {
        (output, state)
    }

    fn parts<Y, S>((output, state): (Y, S)) -> (Y, Option<S>) {
        (output, Some(state))
    }
}

/// The number of axes of an output: [`Ix2`](type@Ix2) for the last, [`Ix3`](type@Ix3) for those of every step. Sealed.
pub trait OutputDim: Dimension + private::Sealed {
    /// Whether these are the outputs of every step.
    const SEQUENCES: bool;

    /// The output's shape.
    #[doc(hidden)]
    fn shape(batch: usize, len: usize, units: usize) -> Vec<usize>;

    /// The output, from all output rows (not looked at where only the last are wanted) and the final states.
    #[doc(hidden)]
    fn output<A: Scalar>(rows: &Rows, outputs: Vec<A>, states: &Array2<A>) -> Array<A, Self>;

    /// The way back of [`output`](Self::output): the gradient of rows, what of it the final states have added to
    /// theirs.
    #[doc(hidden)]
    fn gradient<A: Scalar>(
        rows: &Rows,
        d_output: &ArrayRef<A, Self>,
        d_states: Option<&ArrayRef<A, Ix2>>,
    ) -> (Vec<A>, Array2<A>);

    /// The outputs of a reversed layer in the order of time, or back.
    #[doc(hidden)]
    fn flipped<A: Scalar>(output: Array<A, Self>) -> Array<A, Self>;
}

impl OutputDim for Ix2 {
    const SEQUENCES: bool = false;

    fn shape(batch: usize, _: usize, units: usize) -> Vec<usize> {
        vec![batch, units]
    }

    fn output<A: Scalar>(rows: &Rows, _: Vec<A>, states: &Array2<A>) -> Array2<A> {
        rows.last(states)
    }

    fn gradient<A: Scalar>(
        rows: &Rows,
        d_output: &ArrayRef<A, Ix2>,
        d_states: Option<&ArrayRef<A, Ix2>>,
    ) -> (Vec<A>, Array2<A>) {
        let mut d_last = rows.last(d_output);
        if let Some(d_states) = d_states {
            d_last.zip_mut_with(d_states, |d, &term| *d += term);
        }
        (vec![A::zero(); rows.layout.steps.rows() * d_output.ncols()], d_last)
    }

    fn flipped<A: Scalar>(output: Array2<A>) -> Array2<A> {
        output
    }
}

impl OutputDim for Ix3 {
    const SEQUENCES: bool = true;

    fn shape(batch: usize, len: usize, units: usize) -> Vec<usize> {
        vec![batch, len, units]
    }

    fn output<A: Scalar>(rows: &Rows, outputs: Vec<A>, states: &Array2<A>) -> Array3<A> {
        rows.sequences(outputs, states.ncols())
    }

    fn gradient<A: Scalar>(
        rows: &Rows,
        d_output: &ArrayRef<A, Ix3>,
        d_states: Option<&ArrayRef<A, Ix2>>,
    ) -> (Vec<A>, Array2<A>) {
        let (batch, _, units) = d_output.dim();
        let d_states = d_states.map_or_else(|| Array2::zeros((batch, units)), standard);
        (rows.gather(d_output), d_states)
    }

    fn flipped<A: Scalar>(mut output: Array3<A>) -> Array3<A> {
        output.invert_axis(Axis(1));
        standard(&output)
    }
}

mod private {
    use ndarray::{Ix2, Ix3};

    pub trait Sealed {}
    impl Sealed for super::Last {}
    impl Sealed for super::Sequences {}
    impl<R> Sealed for super::WithState<R> {}
    impl Sealed for Ix2 {}
    impl Sealed for Ix3 {}
}
