//! What dropout draws from.

use rand::Rng;

use super::dropout;
use crate::error::{Result, expect_shape};
use crate::scalar::Scalar;

/// One generator for each sequence of a batch, in the batch's order; dropout of a sequence draws from its own, what it
/// draws if it runs alone.
///
/// [`Run::forward_train`](crate::Run::forward_train), [`Run::last_train`](crate::Run::last_train) and
/// [`Dropout::forward_train`](crate::Dropout::forward_train) take it where they take one generator. With streams that are
/// numbered as the sequences are in their data set, masks do not depend on which batch, machine or order a sequence runs in:
///
/// ```
/// use ndarray::{Array3, Axis};
/// use ndarray_rnn::random::{PerSequence, Philox};
/// use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
///
/// let config = LstmConfig::new(4, 8).num_layers(2).dropout(0.5).batch_first(true);
/// let lstm = Lstm::<f32>::new(config, &mut manual_seed(0))?;
/// let data = Array3::<f32>::ones((100, 7, 4)); // 100 sequences
/// let (philox, step) = (Philox::new(0), 3);
/// let last = |numbers: &[usize]| {
///     let mut rngs = PerSequence(numbers.iter().map(|&n| philox.stream(step, n as u64)).collect());
///     Ok::<_, ndarray_rnn::Error>(lstm.run(&data.select(Axis(0), numbers)).last_train(&mut rngs)?.0)
/// };
/// let (together, alone) = (last(&[3, 14, 15, 92])?, last(&[15])?);
/// assert_eq!(together.row(2), alone.row(0));
/// assert_ne!(together.row(2), together.row(3)); // equal sequences, other masks
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PerSequence<R>(
    /// The generators.
    pub Vec<R>,
);

/// What a pass in training draws dropout from: any generator of `rand`'s traits, or [one for each
/// sequence](PerSequence). Sealed.
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::random::{Generators, PerSequence, Philox};
/// use ndarray_rnn::{Gru, Result, Trace, GruConfig, manual_seed};
///
/// fn train(gru: &Gru, rng: &mut impl Generators) -> Result<Trace<GruConfig, f32>> {
///     Ok(gru.forward_train(&Array3::ones((3, 2, 4)), None, rng)?.2)
/// }
/// let gru = Gru::zeros(GruConfig::new(4, 2))?;
/// train(&gru, &mut manual_seed(0))?;
/// train(&gru, &mut PerSequence(vec![Philox::new(0).stream(0, 17), Philox::new(0).stream(0, 18)]))?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Generators: private::Sealed {
    /// Checks that so many sequences can draw.
    #[doc(hidden)]
    fn expect(&self, sequences: usize) -> Result<()>;

    /// Draws factors of dropout, in rows so wide, each of one of the sequences.
    #[doc(hidden)]
    fn dropout<A: Scalar>(
        &mut self,
        factors: &mut [A],
        p: f64,
        width: usize,
        sequences: impl Iterator<Item = usize>,
    ) -> Result<()>;
}

impl<R: Rng + ?Sized> Generators for R {
    fn expect(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn dropout<A: Scalar>(
        &mut self,
        factors: &mut [A],
        p: f64,
        _: usize,
        _: impl Iterator<Item = usize>,
    ) -> Result<()> {
        dropout(factors, p, self)
    }
}

impl<R: Rng> Generators for PerSequence<R> {
    fn expect(&self, sequences: usize) -> Result<()> {
        expect_shape("generators", &[sequences], &[self.0.len()])
    }

    fn dropout<A: Scalar>(
        &mut self,
        factors: &mut [A],
        p: f64,
        width: usize,
        sequences: impl Iterator<Item = usize>,
    ) -> Result<()> {
        let mut rows = factors.chunks_exact_mut(width.max(1)).zip(sequences);
        rows.try_for_each(|(row, n)| dropout(row, p, &mut self.0[n]))
    }
}

mod private {
    use rand::Rng;

    pub trait Sealed {}
    impl<R: Rng + ?Sized> Sealed for R {}
    impl<R: Rng> Sealed for super::PerSequence<R> {}
}
