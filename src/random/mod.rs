//! torch's random numbers, over any generator.
//!
//! Every function takes its generator as an argument and says how many words it draws. With [`manual_seed`] the
//! functions draw what torch draws on a CPU after `torch.manual_seed`; with another generator of `rand`'s traits, such
//! as `ChaCha8Rng`, they are defined just as exactly. [`normal`] alone wants a generator that keeps half a pair of
//! normal values ([`NormalRng`]): [`manual_seed`]'s does, and [`WithSpare`] makes one of any other. Dropout also takes one
//! generator [for each sequence](PerSequence), such as a numbered stream of [`Philox`].
//!
//! | function | torch | from one seed |
//! |---|---|---|
//! | [`uniform`] | `Tensor.uniform_` | bit for bit |
//! | [`bernoulli`] | `Tensor.bernoulli_(p)` | bit for bit |
//! | [`randperm`] | `torch.randperm` | bit for bit |
//! | [`multinomial`] | `torch.multinomial` of one draw | the same indices |
//! | [`normal`] | `Tensor.normal_` | within 1e-6 (`f32`): torch's logarithm and cosine differ between machines, and the crate's do not |
//!
//! ```
//! use ndarray::{Array1, array};
//! use ndarray_rnn::{manual_seed, random};
//!
//! let (mut rng, mut values) = (manual_seed(0), Array1::<f32>::zeros(2));
//! random::uniform(&mut values, 0.0, 1.0, &mut rng)?;
//! assert_eq!(values, array![0.49625659, 0.7682218]); // torch.manual_seed(0); torch.rand(2)
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! Source: `ATen/native/cpu/DistributionTemplates.h` and `ATen/core/DistributionsHelper.h`.

mod generators;
mod mt19937;
mod normal;
mod philox;

pub use generators::{Generators, PerSequence};
pub use mt19937::Mt19937;
pub use normal::{NormalRng, WithSpare, normal};
pub use philox::Philox;
pub(crate) use philox::philox_block;

use ndarray::{Array, ArrayRef, Axis, Dimension, NdProducer};
use rand::Rng;

use crate::error::{Error, Result, expect_non_negative, expect_number, expect_probability};
use crate::room::{room, zeros};
use crate::scalar::Scalar;

/// A generator in the state of torch's after `torch.manual_seed(seed)`.
///
/// A seed is an integer of up to 64 bits (`usize` as `u64`). As in torch a negative seed stands for its two's
/// complement, and the low 32 bits alone decide what is drawn.
///
/// ```
/// use ndarray_rnn::manual_seed;
/// use rand::Rng;
///
/// assert_eq!(manual_seed(0).next_u32(), 2357136044);
/// assert_eq!(manual_seed(-1).next_u32(), manual_seed(u64::MAX).next_u32());
/// ```
#[doc(alias = "torch.manual_seed")]
pub fn manual_seed(seed: impl Into<i128>) -> Mt19937 {
    Mt19937::from_seed(seed.into() as u64)
}

/// torch's `random64`: the first of two words is the high one.
fn next_u64<R: Rng + ?Sized>(rng: &mut R) -> u64 {
    let high = u64::from(rng.next_u32());
    high << 32 | u64::from(rng.next_u32())
}

/// A multiple of 2^-53 in [0, 1), from two words.
fn unit_f64<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    (next_u64(rng) & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
}

/// A value in [0, 1) with as many random bits as the type has, from one word (`f32`) or two (`f64`).
fn unit<A: Scalar, R: Rng + ?Sized>(rng: &mut R) -> A {
    if A::SINGLE {
        A::from_f64(f64::from(rng.next_u32() & 0x00FF_FFFF) / f64::from(1 << 24))
    } else {
        A::from_f64(unit_f64(rng))
    }
}

/// Fills an array with uniform values in `[low, high)`, in row-major order.
///
/// `x = u * (high - low) + low`, fused, `u` a multiple of 2^-24 from one word (`f32`) or of 2^-53 from two
/// words (`f64`).
///
/// # Errors
/// [`Error::OutOfRange`] unless `low <= high` and `low` and `high - low` are finite in the
/// element type.
///
/// ```
/// use ndarray::Array1;
/// use ndarray_rnn::{manual_seed, random};
///
/// let mut x = Array1::<f32>::zeros(2);
/// random::uniform(&mut x, 0.0, 1.0, &mut manual_seed(0))?;
/// assert_eq!(x.to_vec(), [0.4962566, 0.7682218]); // torch.manual_seed(0); torch.rand(2)
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "uniform_")]
pub fn uniform<A: Scalar, D: Dimension, R: Rng + ?Sized>(
    array: &mut ArrayRef<A, D>,
    low: f64,
    high: f64,
    rng: &mut R,
) -> Result<()> {
    let (low, width) = range::<A>(low, high)?;
    array.iter_mut().for_each(|x| *x = unit::<A, R>(rng).mul_add(width, low));
    Ok(())
}

/// A range's lower bound and width in the type's precision.
fn range<A: Scalar>(low: f64, high: f64) -> Result<(A, A)> {
    let start = A::from_f64(low);
    expect_number("low", low, "finite", |_| start.is_finite())?;
    let width = A::from_f64(high) - start;
    expect_number("high", high, "at least low, at a finite distance", |_| width.is_finite() && low <= high)?;
    Ok((start, width))
}

/// Whether an event of probability `p` happens. Two words.
///
/// # Errors
/// [`Error::OutOfRange`] unless `p` is in [0, 1].
///
/// ```
/// use ndarray_rnn::{manual_seed, random};
///
/// let mut rng = manual_seed(0);
/// assert!(!random::bernoulli(0.0, &mut rng)? && random::bernoulli(1.0, &mut rng)?);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "bernoulli_")]
pub fn bernoulli<R: Rng + ?Sized>(p: f64, rng: &mut R) -> Result<bool> {
    expect_probability("p", p)?;
    Ok(unit_f64(rng) < p)
}

/// A random permutation of `0..n`. One word for each element but the last; two from n = 2^32 / 20 on.
///
/// # Errors
/// [`Error::SizeOverflow`] for a permutation that no memory holds; nothing is drawn then.
///
/// ```
/// use ndarray_rnn::{manual_seed, random};
///
/// // torch.manual_seed(0); torch.randperm(5)
/// assert_eq!(random::randperm(5, &mut manual_seed(0))?, [4, 0, 1, 3, 2]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub fn randperm<R: Rng + ?Sized>(n: usize, rng: &mut R) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = room("permutation", &[n])?;
    order.extend(0..n);
    // Below this bound torch draws 32 bits, whose remainders are even enough.
    let small = (n as u64) < u64::from(u32::MAX / 20);
    for i in 0..n.saturating_sub(1) {
        let word = if small { rng.next_u32().into() } else { next_u64(rng) };
        order.swap(i, i + (word % (n - i) as u64) as usize);
    }
    Ok(order)
}

/// An index for each row along the last axis, drawn with probabilities in proportion to the row's weights: torch's
/// `multinomial(weights, 1)`. Two words for each weight.
///
/// `argmax(w / q)` in the element type, where `q = -log(1 - u)` with u a multiple of 2^-53 in [0, 1). An index of
/// weight 0 is never drawn. From one seed the indices are torch's; a `q` may differ from torch's in its last bit, which
/// only decides between two quotients equal to that bit.
///
/// | | one row | more axes |
/// |---|---|---|
/// | `weights` | (C) | (*, C) |
/// | result | () | (*) |
///
/// # Errors
/// [`Error::OutOfRange`] unless every weight is finite and at least 0, and one of each row
/// greater than 0; [`Error::LowRank`] for weights without axes;
/// [`Error::SizeOverflow`] for a result that no memory holds. Nothing is drawn then.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::{manual_seed, random};
///
/// let weights = array![[0.5_f32, 0.25, 0.25], [0.0, 1.0, 3.0]];
/// // torch.manual_seed(0); torch.multinomial(weights, 1)
/// assert_eq!(random::multinomial(&weights, &mut manual_seed(0))?, array![2, 2]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html>
pub fn multinomial<A: Scalar, D: Dimension, R: Rng + ?Sized>(
    weights: &ArrayRef<A, D>,
    rng: &mut R,
) -> Result<Array<usize, D::Smaller>> {
    let Some(last) = weights.ndim().checked_sub(1).map(Axis) else {
        return Err(Error::LowRank { array: "weights", expected: 1, actual: 0 });
    };
    for &weight in weights {
        expect_non_negative("a weight", weight.into_f64())?;
    }
    let mut indices = zeros("indices", weights.lanes(last).raw_dim())?;
    for row in weights.lanes(last) {
        let largest =
            row.iter().fold(A::zero(), |largest, &weight| if weight > largest { weight } else { largest });
        expect_number("the largest weight", largest.into_f64(), "greater than 0", |largest| largest > 0.0)?;
    }
    for (index, row) in indices.iter_mut().zip(weights.lanes(last)) {
        let scores = row.iter().map(|&weight| {
            let q = A::from_f64(-libm::log1p(-unit_f64(rng)));
            if weight > A::zero() { weight / q } else { A::zero() - A::one() }
        });
        *index = first_largest(scores);
    }
    Ok(indices)
}

/// The place of the first of the largest numbers. A NaN counts as the largest, and no numbers have the place 0.
pub(crate) fn first_largest<A: Scalar>(numbers: impl IntoIterator<Item = A>) -> usize {
    let mut largest: Option<(usize, A)> = None;
    for (i, x) in numbers.into_iter().enumerate() {
        if largest.is_none_or(|(_, y)| x > y || x.is_nan() && !y.is_nan()) {
            largest = Some((i, x));
        }
    }
    largest.map_or(0, |(i, _)| i)
}

/// torch's factors of dropout: 0 with probability p, else 1 / (1 - p). Two words for each factor, none for p = 1.
///
/// # Errors
/// [`Error::OutOfRange`] unless `p` is in [0, 1].
fn dropout<A: Scalar, R: Rng + ?Sized>(factors: &mut [A], p: f64, rng: &mut R) -> Result<()> {
    let kept = A::one() / A::from_f64(1.0 - p);
    for factor in factors {
        *factor = if p < 1.0 && bernoulli(1.0 - p, rng)? { kept } else { A::zero() };
    }
    Ok(())
}
