//! Keras's layer: batch first, with every output or the last only.

use std::hint::black_box;

use ndarray::Array3;
use ndarray_rnn::Scalar;
use ndarray_rnn::keras;

use crate::kinds::Compared;
use crate::protocol::{Case, Result};
use crate::{Forward, Measured, Named, named};

/// A layer with the parameters of the network that the other frameworks get.
pub struct Layer<C: Compared, A: Scalar> {
    whole: Forward<C, A>,
    layer: keras::Layer<C::ForKeras, A>,
    /// The input, batch first.
    input: Array3<A>,
    sequences: bool,
}

impl<C: Compared, A: Scalar> Layer<C, A> {
    pub fn new(case: &Case, sequences: bool) -> Result<Self> {
        let whole = Forward::new(case)?;
        let layer = C::to_keras(&whole.rnn)?;
        let input = swapped(&whole.input);
        Ok(Self { whole, layer, input, sequences })
    }
}

/// Turns time first into batch first, or back.
fn swapped<A: Scalar>(array: &Array3<A>) -> Array3<A> {
    array.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned()
}

impl<C: Compared, A: Scalar> Measured for Layer<C, A> {
    type Elem = A;

    fn call(&mut self) {
        let call = self.layer.call(black_box(&self.input));
        if self.sequences {
            black_box(call.forward()).expect("it was checked");
        } else {
            black_box(call.last()).expect("it was checked");
        }
    }

    fn arrays(&mut self) -> Result<Named<A>> {
        let mut arrays = self.whole.given();
        let call = self.layer.call(&self.input);
        arrays.push(if self.sequences {
            named("output", swapped(&call.forward()?.0))
        } else {
            named("output", call.last()?.0)
        });
        Ok(arrays)
    }
}
