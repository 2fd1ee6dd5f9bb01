//! TensorFlow's counter-based generator, and the distributions that Keras draws from it.
//!
//! Its blocks are those of [`random::Philox`](crate::random::Philox), its streams are TensorFlow's. Every draw has a stream
//! of its own, which a first block makes of the seed and the draw's number: a draw can be repeated, and does not depend on
//! another.
//!
//! Source: TensorFlow's `random/philox_random.h`, `random/random_distributions.h` and
//! `kernels/stateless_random_ops.cc`.

use std::f64::consts::TAU;

use super::single;
use crate::element::Element;
use crate::random::philox_block;

/// The key under which a seed becomes a stream.
const SCRAMBLE: [u32; 2] = [0x3ec8_f720, 0x0246_1e29];

/// Blocks set aside for a truncated normal value, which reads blocks until a value is in range.
const RESERVED_BLOCKS: u128 = 64;

/// A truncated normal value further from 0 than this is drawn again.
const TRUNCATION: f64 = 2.0;

/// What keeps a logarithm finite.
const SMALLEST: f64 = 1.0e-7;

/// A stream of random words.
#[derive(Debug, Clone)]
pub(super) struct Philox {
    key: [u32; 2],
    counter: u128,
}

impl Philox {
    /// The stream of a seed.
    pub(super) fn new([first, second]: [u64; 2]) -> Self {
        let words = block(SCRAMBLE, u128::from(second) << 64 | u128::from(first));
        let counter = u128::from(words[3]) << 96 | u128::from(words[2]) << 64;
        Self { key: [words[0], words[1]], counter }
    }

    /// The next four words.
    fn next(&mut self) -> [u32; 4] {
        let words = block(self.key, self.counter);
        self.counter = self.counter.wrapping_add(1);
        words
    }

    /// The stream from `blocks` blocks on.
    fn skip(&self, blocks: u128) -> Self {
        Self { counter: self.counter.wrapping_add(blocks), ..*self }
    }

    /// Values uniform in [0, 1).
    pub(super) fn uniform<A: Element>(mut self) -> impl Iterator<Item = A> {
        std::iter::repeat_with(move || unit::<A>(self.next())).flatten()
    }

    /// Values of the standard normal distribution, in pairs by Box and Muller.
    pub(super) fn normal<A: Element>(mut self) -> impl Iterator<Item = A> {
        std::iter::repeat_with(move || pairs::<A>(self.next())).flatten()
    }

    /// As [`normal`](Self::normal), but values further than 2 from 0 are drawn again.
    pub(super) fn truncated_normal<A: Element>(self) -> impl Iterator<Item = A> {
        let size = if A::SINGLE { 4 } else { 2 };
        (0..).flat_map(move |group: u128| {
            let values = self.skip(group * size * RESERVED_BLOCKS).normal::<A>();
            values.filter(|x| x.into_f64().abs() < TRUNCATION).take(size as usize)
        })
    }
}

/// The block of a counter under a key.
fn block(key: [u32; 2], counter: u128) -> [u32; 4] {
    philox_block(key, std::array::from_fn(|i| (counter >> (32 * i)) as u32))
}

/// The values in [0, 1) of a block: four of 23 random bits (`f32`) or two of 52 (`f64`).
fn unit<A: Element>(words: [u32; 4]) -> impl Iterator<Item = A> {
    let single = |word: u32| f64::from(word & 0x007f_ffff) / f64::from(1 << 23);
    let double = |high: u32, low: u32| {
        (u64::from(high & 0x000f_ffff) << 32 | u64::from(low)) as f64 / (1_u64 << 52) as f64
    };
    let [a, b, c, d] = words;
    let values = if A::SINGLE { words.map(single) } else { [double(a, b), double(c, d), f64::NAN, f64::NAN] };
    values.into_iter().take(if A::SINGLE { 4 } else { 2 }).map(A::from_f64)
}

/// The normal values of a block: four (`f32`) or two (`f64`).
fn pairs<A: Element>(words: [u32; 4]) -> impl Iterator<Item = A> {
    let mut uniform = unit::<A>(words);
    std::iter::from_fn(move || Some([uniform.next()?, uniform.next()?])).flat_map(|[first, second]| {
        let (first, angle) = (first.into_f64(), TAU * second.into_f64());
        if A::SINGLE {
            let radius = (-2.0 * single::ln((first as f32).max(SMALLEST as f32))).sqrt();
            let (sin, cos) = single::sin_cos(angle as f32);
            [sin * radius, cos * radius].map(|value| A::from_f64(value.into()))
        } else {
            let radius = (-2.0 * libm::log(first.max(SMALLEST))).sqrt();
            let (sin, cos) = libm::sincos(angle);
            [sin * radius, cos * radius].map(A::from_f64)
        }
    })
}
