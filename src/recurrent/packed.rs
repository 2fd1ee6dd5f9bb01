//! Packed sequences through a network.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, CowArray, Ix2, Ix3};
use rand::Rng;

use super::Rnn;
use super::parameters::RnnParameters;
use super::pass::{Input, Pass};
use super::train::{Gradients, Trace};
use crate::error::{Result, expect_room, expect_shape, expect_width};
use crate::packed::PackedSequence;
use crate::scalar::Scalar;
use crate::sequence::{Layout, Source, as_standard};
use crate::spares::Spares;
use crate::steps::Steps;

impl<A: Scalar> Rnn<A> {
    /// As [`forward`](Self::forward), over a packed sequence: returns the outputs, packed alike, and `h_n`.
    ///
    /// `h_0` and `h_n`, of shape (K D, N, hidden_size), are in the caller's order of sequences; `h_n` holds each sequence's
    /// own last state, and the reverse direction starts at its own end. Equal bit for bit to
    /// [`lengths`](super::Run::lengths) over the padded array, and to each sequence alone.
    ///
    /// # Errors
    /// [`Error::Width`](crate::Error::Width) for data of another width than input_size,
    /// [`Error::Shape`](crate::Error::Shape) for an `h_0` of another shape,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for an output that no memory holds.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ndarray_rnn::{PackedSequence, Rnn, RnnConfig, manual_seed};
    ///
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let words = [2, 5, 3].map(|letters| Array2::ones((letters, 4)));
    /// let packed = PackedSequence::from_sequences(&words)?;
    /// let (output, h_n) = rnn.forward_packed(&packed, None)?;
    /// assert_eq!(output.to_sequences()[1], rnn.forward(&words[1], None)?.0);
    /// assert_eq!(h_n.dim(), (1, 3, 2));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn forward_packed(
        &self,
        input: &PackedSequence<A>,
        h_0: Option<&ArrayRef3<A>>,
    ) -> Result<(PackedSequence<A>, Array3<A>)> {
        let data = as_standard("input", input.data())?;
        let mut pass = self.packed_pass(input, &data, h_0)?;
        let mut output = pass.rows();
        pass.forward(Some(&mut output), &mut [], &[]);
        Ok((input.with_data(rows_of(output, self.config.output_size()))?, pass.state))
    }

    /// As [`forward_train`](Self::forward_train), over a packed sequence.
    ///
    /// # Errors
    /// As [`forward_packed`](Self::forward_packed).
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ndarray_rnn::{PackedSequence, Rnn, RnnConfig, manual_seed};
    ///
    /// let mut rng = manual_seed(0);
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut rng)?;
    /// let packed = PackedSequence::from_sequences(&[2, 5, 3].map(|letters| Array2::ones((letters, 4))))?;
    /// let (output, _, trace) = rnn.forward_packed_train(&packed, None, &mut rng)?;
    /// let gradients = rnn.backward_packed(&trace, output.data(), None)?; // of half the sum of squares
    /// assert_eq!(gradients.input.dim(), (10, 4));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn forward_packed_train<R: Rng + ?Sized>(
        &self,
        input: &PackedSequence<A>,
        h_0: Option<&ArrayRef3<A>>,
        rng: &mut R,
    ) -> Result<(PackedSequence<A>, Array3<A>, Trace<A>)> {
        let data = as_standard("input", input.data())?;
        let (h_n, mut trace) = self.packed_pass(input, &data, h_0)?.forward_train(Spares::default(), rng)?;
        let output = rows_of(trace.output().0, self.config.output_size());
        Ok((input.with_data(output)?, h_n, trace))
    }

    /// As [`backward`](Self::backward), from the gradient of the packed output's data; `input` of the result is that of the
    /// packed input's data.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    pub fn backward_packed(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef2<A>,
        d_h_n: Option<&ArrayRef3<A>>,
    ) -> Result<Gradients<A, Ix2, Ix3>> {
        let (parameters, h_0, d_input) = self.packed_back(trace, d_output, d_h_n, true)?;
        let input = rows_of(d_input, self.config.input_size);
        Ok(Gradients { parameters, input, h_0 })
    }

    /// As [`backward_packed`](Self::backward_packed), without the gradients of input and first state.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    pub fn backward_packed_parameters(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef2<A>,
        d_h_n: Option<&ArrayRef3<A>>,
    ) -> Result<RnnParameters<A>> {
        Ok(self.packed_back(trace, d_output, d_h_n, false)?.0)
    }

    /// The gradients of the parameters, of the first states in the caller's order and, if wanted, of the input rows.
    fn packed_back(
        &self,
        trace: &Trace<A>,
        d_output: &ArrayRef2<A>,
        d_h_n: Option<&ArrayRef3<A>>,
        wants_input: bool,
    ) -> Result<(RnnParameters<A>, Array3<A>, Vec<A>)> {
        self.cache.expect(&self.config, trace.origin())?;
        let steps = &trace.layout().steps;
        expect_shape("d_output", &[steps.rows(), self.config.output_size()], d_output.shape())?;
        self.expect_state::<Ix3>("d_h_n", d_h_n, trace.batch())?;
        let rows = as_standard("d_output", d_output)?;
        let source = Source::rows(rows.as_slice().unwrap_or_default(), rows.ncols(), steps, 0);
        Ok(self.way_back(trace, source, d_h_n.map(|d_h_n| d_h_n.view()), wants_input))
    }

    /// The pass over checked arguments.
    fn packed_pass<'p>(
        &'p self,
        input: &PackedSequence<A>,
        data: &'p CowArray<'_, A, Ix2>,
        h_0: Option<&ArrayRef3<A>>,
    ) -> Result<Pass<'p, A>> {
        expect_width("input", "input_size", self.config.input_size, data.ncols())?;
        self.expect_state::<Ix3>("h_0", h_0, input.batch())?;
        expect_room::<A>("output", &[data.nrows(), self.config.output_size()])?;
        Ok(Pass {
            rnn: self,
            input: Input::Rows(data.as_slice().unwrap_or_default()),
            layout: Layout {
                steps: Steps::ragged(input.batch_sizes().iter().copied()),
                order: input.sorted_indices().map(<[usize]>::to_vec),
            },
            len: input.max_len(),
            state: self.state_or_zeros(h_0.map(|h_0| h_0.view()), input.batch()),
            mask: None,
            reset_state: None,
        })
    }
}

/// Rows of `width` elements as an array.
fn rows_of<A: Scalar>(rows: Vec<A>, width: usize) -> Array2<A> {
    Array2::from_shape_vec((rows.len() / width, width), rows).unwrap_or_default()
}
