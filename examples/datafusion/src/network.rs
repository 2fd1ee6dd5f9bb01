//! One interface for networks of every kind.

use std::fmt::{Debug, Display};

use ndarray::Array2;
use ndarray_rnn::{Architecture, PackedSequence, Recurrent, Result};

/// An `Rnn`, `Lstm` or `Gru` of `f32`.
pub trait Network: Debug + Display + Send + Sync {
    /// How many features a step has.
    fn input_size(&self) -> usize;

    /// How many numbers an output has: D hidden_size, or D proj_size.
    fn output_size(&self) -> usize;

    /// The last output of every sequence, (N, output_size), in the caller's order.
    fn last(&self, input: &PackedSequence<f32>) -> Result<Array2<f32>>;

    /// The outputs of every step.
    fn outputs(&self, input: &PackedSequence<f32>) -> Result<PackedSequence<f32>>;
}

impl<C: Architecture> Network for Recurrent<C, f32> {
    fn input_size(&self) -> usize {
        self.config().sizes().input_size
    }

    fn output_size(&self) -> usize {
        let sizes = self.config().sizes();
        let features = if sizes.proj_size > 0 { sizes.proj_size } else { sizes.hidden_size };
        sizes.num_directions * features
    }

    fn last(&self, input: &PackedSequence<f32>) -> Result<Array2<f32>> {
        Ok(self.run(input).last()?.0)
    }

    fn outputs(&self, input: &PackedSequence<f32>) -> Result<PackedSequence<f32>> {
        Ok(self.run(input).forward()?.0)
    }
}
