//! Keras's seeds.

use ndarray::{Array2, ArrayRef, Dimension};
use rand::Rng;

use super::philox::Philox;
use crate::element::Element;
use crate::error::{Result, expect_finite, expect_non_negative, expect_probability};
use crate::random::Mt19937;
use crate::scalar::Scalar;

/// TensorFlow takes every seed modulo this number.
const MODULUS: i64 = (1 << 31) - 2;

/// Keras draws a default seed from 1 to this number.
const DEFAULT_SEEDS: u32 = 1_000_000_000;

/// A generator in the state in which `keras.utils.set_random_seed(seed)` leaves Python's generator. From that one Keras
/// draws a seed for every layer and initialiser that is given none.
///
/// ```
/// use ndarray_rnn::keras::{self, SimpleRnn, SimpleRnnConfig};
///
/// let mut rng = keras::set_random_seed(0);
/// let rnn = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut rng)?;
/// // keras.utils.set_random_seed(0); keras.layers.SimpleRNN(2) built for 4 features: its kernel's first number
/// assert_eq!(rnn.parameters().kernel()[[0, 0]], -0.3544371);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/utils/python_utils/#set_random_seed-function>
#[doc(alias = "keras.utils.set_random_seed")]
#[must_use]
pub fn set_random_seed(seed: u32) -> Mt19937 {
    Mt19937::from_python_seed(seed)
}

/// A seed for a layer or an initialiser that is given none: Keras's `make_default_seed`, uniform from 1 to 10^9. Takes
/// one word of the generator, with probability 0.07 more.
pub(super) fn default_seed<R: Rng + ?Sized>(rng: &mut R) -> i64 {
    loop {
        // Python's randint(1, 10^9): 30 bits, again until they are in range.
        let number = rng.next_u32() >> 2;
        if number < DEFAULT_SEEDS {
            return i64::from(number) + 1;
        }
    }
}

/// Keras's `SeedGenerator`: draws numbered from 0, each with a stream of its own.
///
/// Dropout draws from it. Two generators of one seed and count draw the same numbers.
///
/// | method | Keras on TensorFlow | from one seed |
/// |---|---|---|
/// | [`uniform`](Self::uniform) | `keras.random.uniform` | bit for bit |
/// | [`normal`](Self::normal), [`truncated_normal`](Self::truncated_normal) | `keras.random.normal`, `truncated_normal` | bit for bit in `f32`, within 4e-15 in `f64` |
/// | [`dropout`](Self::dropout) | `keras.random.dropout` of ones | bit for bit |
///
/// ```
/// use ndarray::Array1;
/// use ndarray_rnn::keras::SeedGenerator;
///
/// let mut x = Array1::<f32>::zeros(2);
/// SeedGenerator::new(7).uniform(&mut x, 0.0, 1.0)?;
/// // keras.random.uniform((2,), seed=keras.random.SeedGenerator(7))
/// assert_eq!(x.to_vec(), [0.7470788, 0.6721802]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://keras.io/api/random/seed_generator/>
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct SeedGenerator {
    seed: i64,
    count: u64,
}

impl SeedGenerator {
    /// A generator before its first draw.
    #[must_use]
    pub fn new(seed: i64) -> Self {
        Self { seed, count: 0 }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> i64 {
        self.seed
    }

    /// The number of draws so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The same seed after `count` draws.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// Fills an array with uniform values in `[low, high)`, in its logical order. One draw.
    ///
    /// `x = u (high - low) + low`, where `u` is a multiple of 2^-23 (`f32`) or 2^-52 (`f64`), every operation rounds, and
    /// the bounds are rounded to `f32` first.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `low` and `high` are finite.
    pub fn uniform<A: Scalar, D: Dimension>(
        &mut self,
        array: &mut ArrayRef<A, D>,
        low: f64,
        high: f64,
    ) -> Result<()> {
        expect_finite("low", low)?;
        expect_finite("high", high)?;
        // Keras rounds the bounds to f32 first, whatever the array's type.
        let [low, high] = [low, high].map(|bound| A::from_f64(f64::from(bound as f32)));
        let values = self.next().uniform::<A>();
        array.iter_mut().zip(values).for_each(|(x, value)| *x = value * (high - low) + low);
        Ok(())
    }

    /// Fills an array with normal values of a mean and a standard deviation, in its logical order: `value * std +
    /// mean`, where both operations round. One draw.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `mean` is finite and `std` finite and not negative.
    pub fn normal<A: Scalar, D: Dimension>(
        &mut self,
        array: &mut ArrayRef<A, D>,
        mean: f64,
        std: f64,
    ) -> Result<()> {
        moved(array, mean, std, || self.next().normal())
    }

    /// As [`normal`](Self::normal), but values further than two standard deviations from the mean are drawn again.
    ///
    /// # Errors
    /// As [`normal`](Self::normal).
    pub fn truncated_normal<A: Scalar, D: Dimension>(
        &mut self,
        array: &mut ArrayRef<A, D>,
        mean: f64,
        std: f64,
    ) -> Result<()> {
        moved(array, mean, std, || self.next().truncated_normal())
    }

    /// Fills an array with dropout factors: 0 with probability `rate`, else `1 / (1 - rate)`. One draw. A rate of 0 gives
    /// ones, a rate of 1 zeros, both without a draw.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `rate` is in [0, 1].
    pub fn dropout<A: Scalar, D: Dimension>(&mut self, array: &mut ArrayRef<A, D>, rate: f64) -> Result<()> {
        expect_probability("rate", rate)?;
        if rate == 0.0 || rate == 1.0 {
            array.fill(A::from_f64(1.0 - rate));
            return Ok(());
        }
        let (kept, least) = (A::from_f64(1.0 / (1.0 - rate)), A::from_f64(rate));
        let values = self.next().uniform::<A>();
        array.iter_mut().zip(values).for_each(|(x, u)| *x = if u >= least { kept } else { A::zero() });
        Ok(())
    }

    /// Fills an array with standard normal values of type `A`, widened.
    pub(super) fn standard_normal<A: Element>(&mut self, array: &mut Array2<f64>) {
        let values = self.next().normal::<A>();
        array.iter_mut().zip(values).for_each(|(x, value)| *x = value.into_f64());
    }

    /// The next draw's stream.
    fn next(&mut self) -> Philox {
        let seeds = [self.seed, self.count as i64].map(|seed| seed.rem_euclid(MODULUS) as u64);
        self.count = self.count.wrapping_add(1);
        Philox::new(seeds)
    }
}

/// Fills an array with draws of mean 0 and standard deviation 1, scaled to `std` and moved to `mean`. Draws nothing if
/// either is out of range.
fn moved<A: Scalar, D: Dimension, I: Iterator<Item = A>>(
    array: &mut ArrayRef<A, D>,
    mean: f64,
    std: f64,
    draw: impl FnOnce() -> I,
) -> Result<()> {
    expect_finite("mean", mean)?;
    expect_non_negative("std", std)?;
    let [mean, std] = [mean, std].map(A::from_f64);
    array.iter_mut().zip(draw()).for_each(|(x, value)| *x = value * std + mean);
    Ok(())
}
