//! `a * b + c`, rounded once, on machines that cannot.
//!
//! All of it is additions, multiplications and moves of bits, which the compiler makes vectors of where the target has
//! any: of two `f64` with SSE2, which every x86-64 has, and with WebAssembly's simd128.

mod chain;
#[cfg(test)]
mod tests;

use std::any::TypeId;

use pulp::Simd;

pub(super) use chain::{add_chain_f32, add_chain_f64};

/// Whether every machine of the target multiplies and adds with one rounding; elsewhere `mul_add` calls a library.
pub(super) const FUSED: bool =
    cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "wasm32")));

/// Vectors of four `f64`, of which the compiler makes those that the machine has. One number at a time each operation would
/// wait for the one before, and tanh take 127 ns, not 50.
pub(crate) use pulp::Scalar256b as Wide;

/// How many `f64` a vector of [`Wide`] holds.
const WIDE: usize = 4;

/// Whether an instruction set is [`Wide`]. The compiler knows.
#[inline(always)]
pub(super) fn is_wide<S: Simd>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Wide>()
}

/// The bits of an `f64` that an `f32` lacks.
const LOW: u64 = (1 << 29) - 1;

/// The highest of [`LOW`]. An `f64` whose low bits are this one alone is midway between two `f32`.
const HALF: u64 = 1 << 28;

/// A sum, and how much it exceeds the exact sum, exactly (Knuth's `TwoSum`). The excess is +0 if the sum is exact, and NaN
/// if it is infinite or NaN.
#[inline(always)]
fn sum_and_excess(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, ((sum - of_b) - a) + (of_b - b))
}

/// A sum rounded to odd: if it is inexact, that of its two neighbours whose last bit is 1. To round this to fewer bits
/// is as good as to round the exact sum (Boldo, Melquiond 2008, <https://doi.org/10.1109/TC.2007.70819>).
#[inline(always)]
fn odd_sum(a: f64, b: f64) -> f64 {
    let (sum, excess) = sum_and_excess(a, b);
    let (bits, inexact) = (sum.to_bits(), u64::from(excess.abs() > 0.0));
    let nearer_zero = (bits ^ excess.to_bits()) >> 63;
    f64::from_bits(bits.wrapping_sub(inexact & !nearer_zero) | inexact)
}

/// The bits of an `f64` without which it has 26.
const LOWER: u64 = (1 << 27) - 1;

/// From here on a product of two `f64`, and how much it exceeds the exact product, are both `f64`.
const LEAST: f64 = f64::from_bits((1023 - 960) << 52);

/// A number as the sum of two. The first has 26 bits, the second 27.
#[inline(always)]
fn halves(x: f64) -> (f64, f64) {
    let high = f64::from_bits(x.to_bits() & !LOWER);
    (high, x - high)
}

/// As [`halves`], but the first is rounded, so that no more than 26 bits are left over.
#[inline(always)]
fn rounded_halves(x: f64) -> (f64, f64) {
    let high = f64::from_bits(x.to_bits().wrapping_add(1 << 26) & !LOWER);
    (high, x - high)
}

/// How much the product of two numbers exceeds the exact one, from their halves, the first number's rounded. All products
/// of halves are exact (Dekker 1971, <https://doi.org/10.1007/BF01397083>).
#[inline(always)]
fn excess_of(product: f64, (a_high, a_low): (f64, f64), (b_high, b_low): (f64, f64)) -> f64 {
    product - a_high * b_high - a_high * b_low - a_low * b_high - a_low * b_low
}

/// `a * b + c`.
///
/// The product is exact in `f64`. To round the sum to `f64` and then to `f32` is right unless the first rounding moved it
/// midway between two `f32`, or it is so small that an `f32` has fewer bits. If every sum were rounded to odd, tanh would
/// take 21 ns, not 16.
#[inline(always)]
pub(super) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let bits = sum.to_bits();
    // Without the sign, and 0 as the largest number.
    let size = (bits << 1).wrapping_sub(1);
    if bits & LOW == HALF || size < (f64::from(f32::MIN_POSITIVE).to_bits() << 1) - 1 {
        return in_doubt(product, c);
    }
    sum as f32
}

#[cold]
#[inline(never)]
fn in_doubt(product: f64, c: f64) -> f32 {
    odd_sum(product, c) as f32
}

/// A little more than 1.
const MORE: f64 = 1.0 + 4.0 * f64::EPSILON;

/// `a * b + c` in each lane.
///
/// The excesses of product and sum are added, rounded, and taken away from the sum. That is right unless the rounded excess
/// leaves a number midway between two. Then a little more than what the last rounding lost, added again, changes the
/// result; it also makes NaN of an infinity. If the product is exact, the excess was not rounded. In doubt are also
/// products below [`LEAST`] but for 0.
///
/// Not inlined: only here does the compiler make whole vectors of all of it. Inlined, tanh would take 55 ns, not 50.
#[inline(never)]
pub(super) fn fma_f64(a: [f64; WIDE], b: [f64; WIDE], c: [f64; WIDE]) -> [f64; WIDE] {
    let (mut sums, mut doubt) = ([0.0; WIDE], false);
    for i in 0..WIDE {
        let product = a[i] * b[i];
        let of_product = excess_of(product, rounded_halves(a[i]), halves(b[i]));
        let (sum, of_sum) = sum_and_excess(product, c[i]);
        let excess = of_sum + of_product;
        sums[i] = sum - excess;
        let lost = if of_product == 0.0 { 0.0 } else { (sum - sums[i]) - excess };
        let small = (product.abs() < LEAST) & (a[i] != 0.0) & (b[i] != 0.0);
        doubt |= small | (sums[i] + lost * MORE != sums[i]);
    }
    if doubt { by_library(a, b, c) } else { sums }
}

#[cold]
#[inline(never)]
fn by_library(a: [f64; WIDE], b: [f64; WIDE], c: [f64; WIDE]) -> [f64; WIDE] {
    std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
}
