//! Normal values, and the generators that keep half a pair of them.

use std::convert::Infallible;
use std::f64::consts::TAU;
use std::ops::DerefMut;

use ndarray::{ArrayRef, Dimension};
use rand::{Rng, TryRng};

use super::{unit, unit_f64};
use crate::error::{Result, expect_finite, expect_non_negative};
use crate::room::room;
use crate::scalar::Scalar;

/// A generator that keeps half a pair of normal values, as torch's does. Whatever draws normal values takes one.
///
/// Normal values are made in pairs. An array of fewer than 16 may leave half a pair over, and the next such array
/// begins with that half, whichever function fills it and of whatever type it is. [`Mt19937`](super::Mt19937) is such
/// a generator, [`WithSpare`] makes one of any other.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::random::NormalRng;
/// use ndarray_rnn::{init, manual_seed};
///
/// let mut rng = manual_seed(0);
/// let mut x = Array2::<f32>::zeros((1, 3));
/// init::xavier_normal(&mut x, 1.0, &mut rng)?; // two pairs
/// assert!(rng.spare().is_some());
/// init::xavier_normal(&mut x, 1.0, &mut rng)?; // the half, and one pair
/// assert!(rng.spare().is_none());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no place for half a pair of normal values",
    note = "`ndarray_rnn::random::WithSpare::new(rng)` gives a generator of `rand`'s traits one"
)]
pub trait NormalRng: Rng {
    /// The kept half, a value from N(0, 1). `None` if there is none, as after a seed.
    fn spare(&mut self) -> &mut Option<f64>;
}

impl<P: DerefMut<Target: NormalRng>> NormalRng for P {
    fn spare(&mut self) -> &mut Option<f64> {
        self.deref_mut().spare()
    }
}

/// Any generator of `rand`'s traits, with a place for half a pair of normal values.
///
/// ```
/// use ndarray_rnn::random::WithSpare;
/// use ndarray_rnn::{Embedding, EmbeddingConfig};
/// use rand::SeedableRng;
/// use rand::rngs::Xoshiro256PlusPlus;
///
/// let mut rng = WithSpare::new(Xoshiro256PlusPlus::seed_from_u64(0));
/// let embedding = Embedding::<f32>::new(EmbeddingConfig::new(10, 3), &mut rng)?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct WithSpare<R> {
    /// The generator.
    pub rng: R,
    spare: Option<f64>,
}

impl<R> WithSpare<R> {
    /// The generator, without a kept half.
    #[must_use]
    pub fn new(rng: R) -> Self {
        Self { rng, spare: None }
    }
}

impl<R: Rng> TryRng for WithSpare<R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.rng.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.rng.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.rng.fill_bytes(bytes);
        Ok(())
    }
}

impl<R: Rng> NormalRng for WithSpare<R> {
    fn spare(&mut self) -> &mut Option<f64> {
        &mut self.spare
    }
}

/// Fills an array with normal values of a mean and a standard deviation, in row-major order.
///
/// Fewer than 16 elements: Box-Muller in `f64` by pairs, `r = sqrt(-2 ln(1 - u2))`, angle `2 pi u1`, cosine first. A
/// pair takes four words. A half that `rng` has kept comes first, and `rng` keeps the half that is left over (see
/// [`NormalRng`]).
///
/// From 16 on: blocks of 16 uniform values, of which the j-th and the (j+8)-th are a pair; if the size is no multiple
/// of 16, the last 16 are drawn again. A value takes one word (`f32`) or two (`f64`). A kept half stays as it is.
///
/// # Errors
/// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `mean` is finite and `std` finite and not negative;
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds a copy of the array. Nothing is drawn then.
///
/// ```
/// use ndarray::Array1;
/// use ndarray_rnn::{manual_seed, random};
///
/// let mut x = Array1::<f32>::zeros(3);
/// random::normal(&mut x, 0.0, 1.0, &mut manual_seed(0))?;
/// let torch = [1.5409961, -0.2934289, -2.1787894]; // torch.manual_seed(0); torch.randn(3)
/// assert!(x.iter().zip(torch).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "normal_")]
#[doc(alias = "randn")]
pub fn normal<A: Scalar, D: Dimension, R: NormalRng + ?Sized>(
    array: &mut ArrayRef<A, D>,
    mean: f64,
    std: f64,
    rng: &mut R,
) -> Result<()> {
    expect_finite("mean", mean)?;
    expect_non_negative("std", std)?;
    if array.len() < BLOCK {
        array.iter_mut().for_each(|x| *x = A::from_f64(standard(rng).mul_add(std, mean)));
    } else {
        let values =
            blocks(room("normal", array.shape())?, array.len(), A::from_f64(mean), A::from_f64(std), rng);
        array.iter_mut().zip(values).for_each(|(x, value)| *x = value);
    }
    Ok(())
}

/// The next value from N(0, 1).
fn standard<R: NormalRng + ?Sized>(rng: &mut R) -> f64 {
    if let Some(spare) = rng.spare().take() {
        return spare;
    }
    let u1 = unit_f64(rng);
    let u2 = unit_f64(rng);
    let r = (-2.0 * libm::log1p(-u2)).sqrt();
    let (sin, cos) = libm::sincos(TAU * u1);
    *rng.spare() = Some(r * sin);
    r * cos
}

/// The number of values that torch transforms together.
const BLOCK: usize = 16;

/// At least one block of normal values, in a vector that has room for them.
fn blocks<A: Scalar, R: Rng + ?Sized>(mut values: Vec<A>, n: usize, mean: A, std: A, rng: &mut R) -> Vec<A> {
    values.extend((0..n).map(|_| unit::<A, R>(rng)));
    for block in values.chunks_exact_mut(BLOCK) {
        transform(block, mean, std);
    }
    if !n.is_multiple_of(BLOCK) {
        let last = &mut values[n - BLOCK..];
        last.iter_mut().for_each(|x| *x = unit(rng));
        transform(last, mean, std);
    }
    values
}

/// Box-Muller within a block of 16 uniform values.
fn transform<A: Scalar>(block: &mut [A], mean: A, std: A) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (x, y) in first.iter_mut().zip(second) {
        let u1 = A::one() - *x;
        let r = (-2.0 * libm::log(u1.into_f64())).sqrt();
        // The angle in the type's own precision, as torch has it.
        let (sin, cos) = libm::sincos((A::from_f64(TAU) * *y).into_f64());
        *x = A::from_f64(r * cos).mul_add(std, mean);
        *y = A::from_f64(r * sin).mul_add(std, mean);
    }
}
