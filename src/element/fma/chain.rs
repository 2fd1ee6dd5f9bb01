//! Sums of products, many terms one after another.

use super::{HALF, LEAST, LOW, excess_of, halves, odd_sum, rounded_halves, sum_and_excess};
use crate::element::Line;

/// How many terms of a chain are added before a look at the doubts, and made again if there is one.
pub(super) const BLOCK: usize = 32;

/// The numbers of a line that are added together.
const LANES: usize = 4;

/// Adds a chain to each sum of a line: `sums[j] = fma(a[k], lines[k][j], sums[j])` for each k ascending.
#[inline(never)]
pub(in crate::element) fn add_chain_f32(a: &[f32], lines: &[Line<f32, 16>], sums: &mut [f32; 16]) {
    let exact = |a, b, c| odd_sum(f64::from(a) * f64::from(b), f64::from(c)) as f32;
    add_blocks(a, lines, sums, add_f32, exact);
}

/// As [`add_chain_f32`]. Where the library's `mul_add` has no hardware it takes 10 ns, a term here 2.
#[inline(never)]
pub(in crate::element) fn add_chain_f64(a: &[f64], lines: &[Line<f64, 8>], sums: &mut [f64; 8]) {
    add_blocks(a, lines, sums, add_f64, f64::mul_add);
}

/// Adds a chain, one block after another: with `add`, or where that is in doubt with `exact`.
#[inline(always)]
fn add_blocks<A: Copy, const N: usize>(
    a: &[A],
    lines: &[Line<A, N>],
    sums: &mut [A; N],
    add: impl Fn(&[A], &[Line<A, N>], &[A; N]) -> Option<[A; N]>,
    exact: impl Fn(A, A, A) -> A,
) {
    for (a, lines) in a.chunks(BLOCK).zip(lines.chunks(BLOCK)) {
        if let Some(added) = add(a, lines, sums) {
            *sums = added;
            continue;
        }
        for (&a, line) in a.iter().zip(lines) {
            for (sum, &b) in sums.iter_mut().zip(&line.0) {
                *sum = exact(a, b, *sum);
            }
        }
    }
}

/// What sums are multiplied by, so that exponents from -96 to 31 are stored as 1024 to 1151.
const RAISED: f64 = f64::from_bits((1023 + 97) << 52);
const LOWERED: f64 = f64::from_bits((1023 - 97) << 52);

/// The bits of an exponent that are 0 from 1024 to 1151, and in the number 0. Of any other sum of `f32` one of them is 1.
const OUTSIDE: u64 = 0b11 << 59;

/// The sums of a block, unless one on the way is in doubt.
///
/// Sums stay in `f64`; an addition of integers rounds them to the bits of an `f32`. That is right unless a sum is
/// midway between two `f32`, or so small or large that an `f32` has fewer bits or none. Doubtful are all from 2^32 on and,
/// but for 0, all below 2^-96. Some bit above the low ones, less 1, is 1 if there is a doubt: if the sum is midway, what was
/// rounded has no low bit, and 1 is borrowed from above. Three operations find doubt, five make the sum.
#[inline(always)]
pub(super) fn add_f32(a: &[f32], lines: &[Line<f32, 16>], sums: &[f32; 16]) -> Option<[f32; 16]> {
    let (mut raised, mut doubts) = (sums.map(|sum| f64::from(sum) * RAISED), [0; LANES]);
    for (a, line) in a.iter().zip(lines) {
        let a = f64::from(*a) * RAISED;
        for (sums, b) in raised.as_chunks_mut::<LANES>().0.iter_mut().zip(line.0.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                let bits = (a * f64::from(b[i]) + sums[i]).to_bits().wrapping_add(HALF);
                doubts[i] |= (bits & (OUTSIDE | LOW)).wrapping_sub(1);
                sums[i] = f64::from_bits(bits & !LOW);
            }
        }
    }
    doubts.iter().all(|&bits| bits <= LOW).then(|| raised.map(|sum| (sum * LOWERED) as f32))
}

/// As [`add_f32`]. In doubt are products below [`LEAST`] but for 0, and whatever overflows, which leaves an infinity or NaN.
///
/// The excesses of product and sum, their sum rounded to odd, are taken away from the sum. To take away +0 leaves a sum of -0
/// as it is.
#[inline(always)]
pub(super) fn add_f64(a: &[f64], lines: &[Line<f64, 8>], sums: &[f64; 8]) -> Option<[f64; 8]> {
    let (mut added, mut doubts) = (*sums, [false; LANES]);
    for (&a, line) in a.iter().zip(lines) {
        let (halves_of_a, least) = (rounded_halves(a), if a == 0.0 { 0.0 } else { LEAST });
        for (sums, b) in added.as_chunks_mut::<LANES>().0.iter_mut().zip(line.0.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                let product = a * b[i];
                doubts[i] |= (product.abs() < least) & (b[i] != 0.0);
                let excess = excess_of(product, halves_of_a, halves(b[i]));
                let (sum, of_sum) = sum_and_excess(product, sums[i]);
                sums[i] = sum - odd_sum(of_sum, excess);
            }
        }
    }
    (doubts == [false; LANES] && added.iter().all(|sum| sum.is_finite())).then_some(added)
}
