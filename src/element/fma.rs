//! `a * b + c`, rounded once, on machines that cannot.
//!
//! All of it is additions, multiplications and moves of bits, which the compiler makes vectors of where the target has
//! any: of two `f64` with SSE2, which every x86-64 has, and with WebAssembly's simd128.

use super::Line;

/// Whether every machine of the target multiplies and adds with one rounding; elsewhere `mul_add` calls a library.
pub(super) const FUSED: bool =
    cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "wasm32")));

/// How many terms of a chain are added before a look at the doubts, and made again if there is one.
const BLOCK: usize = 32;

/// The numbers of a line that are added together.
const LANES: usize = 4;

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

/// Adds a chain to each sum of a line: `sums[j] = fma(a[k], lines[k][j], sums[j])` for each k ascending.
#[inline(never)]
pub(super) fn add_chain_f32(a: &[f32], lines: &[Line<f32, 16>], sums: &mut [f32; 16]) {
    let exact = |a, b, c| odd_sum(f64::from(a) * f64::from(b), f64::from(c)) as f32;
    add_blocks(a, lines, sums, add_f32, exact);
}

/// As [`add_chain_f32`]. Where the library's `mul_add` has no hardware it takes 10 ns, a term here 2.
#[inline(never)]
pub(super) fn add_chain_f64(a: &[f64], lines: &[Line<f64, 8>], sums: &mut [f64; 8]) {
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
fn add_f32(a: &[f32], lines: &[Line<f32, 16>], sums: &[f32; 16]) -> Option<[f32; 16]> {
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

/// The bits of an `f64` without which it has 26.
const LOWER: u64 = (1 << 27) - 1;

/// From here on a product of two `f64`, and how much it exceeds the exact product, are both `f64`.
const LEAST: f64 = f64::from_bits((1023 - 960) << 52);

/// As [`add_f32`]. In doubt are products below [`LEAST`] but for 0, and whatever overflows, which leaves an infinity or NaN.
///
/// Factors are split in two, so that all products of parts are exact, and with them how much the product exceeds the
/// exact one (Dekker 1971, <https://doi.org/10.1007/BF01397083>). The excesses of product and sum, their sum rounded to
/// odd, are taken away from the sum. To take away +0 leaves a sum of -0 as it is.
#[inline(always)]
fn add_f64(a: &[f64], lines: &[Line<f64, 8>], sums: &[f64; 8]) -> Option<[f64; 8]> {
    let (mut added, mut doubts) = (*sums, [false; LANES]);
    for (&a, line) in a.iter().zip(lines) {
        // Rounded to 26 bits, so that no more than 26 are left over.
        let a_high = f64::from_bits(a.to_bits().wrapping_add(1 << 26) & !LOWER);
        let (a_low, least) = (a - a_high, if a == 0.0 { 0.0 } else { LEAST });
        for (sums, b) in added.as_chunks_mut::<LANES>().0.iter_mut().zip(line.0.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                let product = a * b[i];
                doubts[i] |= (product.abs() < least) & (b[i] != 0.0);
                let b_high = f64::from_bits(b[i].to_bits() & !LOWER);
                let b_low = b[i] - b_high;
                let excess = product - a_high * b_high - a_high * b_low - a_low * b_high - a_low * b_low;
                let (sum, of_sum) = sum_and_excess(product, sums[i]);
                sums[i] = sum - odd_sum(of_sum, excess);
            }
        }
    }
    (doubts == [false; LANES] && added.iter().all(|sum| sum.is_finite())).then_some(added)
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, add_chain_f32, add_chain_f64, add_f32, add_f64, fma_f32};
    use crate::element::{Element, Line};
    use crate::manual_seed;
    use rand::{Rng, RngExt};

    type Chain<A, const N: usize> = fn(&[A], &[Line<A, N>], &mut [A; N]);
    const F32: Chain<f32, 16> = add_chain_f32;
    const F64: Chain<f64, 8> = add_chain_f64;

    fn same<A: Element>(ours: A, standard: A) -> bool {
        let [ours, standard] = [ours, standard].map(A::into_f64);
        ours.to_bits() == standard.to_bits() || ours.is_nan() && standard.is_nan()
    }

    /// Holds a chain to the standard library's `mul_add`.
    fn check<A: Element, const N: usize>(chain: Chain<A, N>, a: &[A], lines: &[[A; N]], sums: [A; N]) {
        let (mut ours, mut standard) = (sums, sums);
        for (&a, line) in a.iter().zip(lines) {
            for (sum, &b) in standard.iter_mut().zip(line) {
                *sum = a.mul_add(b, *sum);
            }
        }
        let lines: Vec<_> = lines.iter().copied().map(Line).collect();
        chain(a, &lines, &mut ours);
        for j in 0..N {
            let (b, start) = (lines.iter().map(|line| line[j]).collect::<Vec<_>>(), sums[j]);
            let (ours, standard) = (ours[j], standard[j]);
            assert!(same(ours, standard), "{start:e} + {a:?} * {b:?}: {ours:e}, not {standard:e}");
        }
    }

    /// One term in every lane, with each sign, by itself and in a chain.
    fn check_f32(a: f32, b: f32, c: f32) {
        for (b, c) in [(b, c), (b, -c), (-b, c), (-b, -c)] {
            assert!(same(fma_f32(a, b, c), a.mul_add(b, c)), "{a:e} * {b:e} + {c:e}");
            check(F32, &[a], &[[b; 16]], [c; 16]);
        }
    }

    fn check_f64(a: f64, b: f64, c: f64) {
        for (b, c) in [(b, c), (b, -c), (-b, c), (-b, -c)] {
            check(F64, &[a], &[[b; 8]], [c; 8]);
        }
    }

    /// Any bits: every exponent, infinities, NaN, subnormal numbers.
    #[test]
    fn any_bits() {
        let mut rng = manual_seed(0);
        for _ in 0..10_000 {
            let [a, b, c] = std::array::from_fn(|_| f32::from_bits(rng.next_u32()));
            check_f32(a, b, c);
            let [a, b, c] = std::array::from_fn(|_| f64::from_bits(rng.next_u64()));
            check_f64(a, b, c);
            // So that the product is near to c.
            check_f64(a, c / a, c);
        }
    }

    /// Each with each, among them the ends of what is not in doubt.
    #[test]
    fn limits() {
        let powers = [0, 31, 32, 33, 127, -96, -97, -126, -127, -149].map(|n| 2_f64.powi(n));
        let others = [0.0, f64::NAN, f64::INFINITY, f32::MAX.into(), 1.5, 1.0 + f64::from(f32::EPSILON)];
        let singles: Vec<_> = powers.into_iter().chain(others).map(|x| x as f32).collect();
        let powers =
            [0, 500, 996, 1000, 1023, -53, -480, -481, -916, -1022, -1023, -1074].map(|n| 2_f64.powi(n));
        let others =
            [0.0, f64::NAN, f64::INFINITY, f64::MAX, 1.5, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0];
        let doubles: Vec<_> = powers.into_iter().chain(others).collect();
        let each = |n: usize| (0..n.pow(3)).map(move |i| [i / n / n, i / n % n, i % n]);
        each(singles.len()).for_each(|[a, b, c]| check_f32(singles[a], singles[b], singles[c]));
        each(doubles.len()).for_each(|[a, b, c]| check_f64(doubles[a], doubles[b], doubles[c]));
    }

    /// Sums that nearly cancel.
    #[test]
    fn cancellation() {
        let mut rng = manual_seed(1);
        for _ in 0..5_000 {
            let [a, b] = std::array::from_fn(|_| rng.random_range(1.0..2.0_f32));
            let c = (a * b) * 2_f32.powi(rng.random_range(-60..60));
            check_f32(a, b, c);
            check_f32(a * 1e-30, b * 1e-12, c * 1e-38);
            check_f32(a, b, f32::from_bits((a * b).to_bits() + rng.random_range(0..3)));
            let [a, b] = std::array::from_fn(|_| rng.random_range(1.0..2.0_f64));
            check_f64(a, b, (a * b) * 2_f64.powi(rng.random_range(-120..120)));
            check_f64(a, b, f64::from_bits((a * b).to_bits() + rng.random_range(0..3)));
        }
    }

    /// Products with one bit more than a number has lie midway between two; a far smaller `c` decides, which a sum rounded
    /// first has lost. Without `c` the even one is right.
    #[test]
    fn midway() {
        let mut rng = manual_seed(2);
        for _ in 0..5_000 {
            let [a, b] = std::array::from_fn(|_| 1.0 + (2 * rng.random_range(0..848) + 1) as f32 / 4096.0);
            check_f32(a, b, 2_f32.powi(rng.random_range(-90..-30)));
            check_f32(a, b, 0.0);
            let [a, b] =
                [26, 27].map(|n| 1.0 + f64::from(2 * rng.random_range(0..1 << 23) + 1) * 2_f64.powi(-n));
            check_f64(a, b, 2_f64.powi(rng.random_range(-1000..-60)));
            check_f64(a, b, 0.0);
        }
    }

    /// Products just above the middle between two subnormal numbers: what is above it is lost in `f64`.
    #[test]
    fn subnormal_numbers() {
        let mut tried = 0;
        for a in (1_u64 << 23) + 1..(1 << 23) + 4000 {
            let b = (1_u64 << 47) / a + 1;
            if a * b - (1 << 47) < 1 << 17 {
                let [a, b] = [a as f32 * 2_f32.powi(-98), b as f32 * 2_f32.powi(-99)];
                let c = 2_f32.powi(-127);
                assert_eq!(a.mul_add(b, c), c + f32::from_bits(1), "the product does not lie as it should");
                check_f32(a, b, c);
                tried += 1;
            }
        }
        assert!(tried > 10, "{tried}");
        let mut rng = manual_seed(3);
        for _ in 0..5_000 {
            // Products from 2^-1100 to 2^-940.
            let [a, b] = std::array::from_fn(|_| rng.random_range(1.0..2.0_f64));
            let [a, b] = [a * 2_f64.powi(-500), b * 2_f64.powi(rng.random_range(-600..-440))];
            check_f64(a, b, rng.random_range(0.0..1.0) * 2_f64.powi(rng.random_range(-1060..-900)));
            check_f64(a, b, a * b);
        }
    }

    /// Chains of more than a block, of whole numbers and of fractions, large, small, and so that many sums are midway.
    #[test]
    fn long_chains() {
        fn chains<A: Element, const N: usize>(chain: Chain<A, N>, bits: u32, exponents: [i32; 3]) {
            let mut rng = manual_seed(4);
            for i in 0..300 {
                // All bits, or few, so that sums are exact or midway; some are zero.
                let bits = [bits, 5, 12, bits / 2 + 1][i % 4];
                let mut draw = || {
                    A::from_f64(
                        ((rng.next_u64() >> (64 - bits)) as f64 - 2_f64.powi(bits as i32 - 1)).round(),
                    )
                };
                let scale = A::from_f64(2_f64.powi(exponents[i % 3]));
                let length = [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7][i % 5];
                let a: Vec<_> =
                    (0..length).map(|k| if k % 3 == i % 7 { A::zero() } else { draw() * scale }).collect();
                let lines: Vec<[A; N]> = (0..length).map(|_| std::array::from_fn(|_| draw())).collect();
                check(chain, &a, &lines, std::array::from_fn(|_| draw() * scale));
            }
        }
        chains(F32, 24, [-23, 50, -140]);
        chains(F64, 53, [-52, 900, -1070]);
    }

    /// What was infinite stays so, and what was rounded as a subnormal number.
    #[test]
    fn sums_that_come_back() {
        let max = f32::MAX;
        check(F32, &[1.0, -1.0, -1.0], &[[max; 16]; 3], [max; 16]);
        check(F64, &[1.0, -1.0, -1.0], &[[f64::MAX; 8]; 3], [f64::MAX; 8]);
        let tiny = f32::from_bits(3);
        check(F32, &[0.5, 1e30, 1e10], &[[tiny; 16]; 3], [0.0; 16]);
        check(F64, &[0.5, 1e300, 1e10], &[[f64::from_bits(3); 8]; 3], [0.0; 8]);
        check(F32, &[0.5, 1.0], &[[tiny; 16], [-f32::from_bits(1); 16]], [-f32::from_bits(1); 16]);
        check(F32, &[-1e-30, 0.0], &[[tiny; 16], [1.0; 16]], [0.0; 16]);
    }

    /// Zeros, and columns that panels are filled up with, are made the fast way.
    #[test]
    fn zeros_are_not_in_doubt() {
        let half = |j| if j % 2 == 0 { 0.0 } else { 0.3 };
        for (a, sum) in [(0.0, 0.0), (0.0, -0.0), (0.7, 0.0), (0.0, 0.3), (-0.7, -0.3)] {
            let single = Line(std::array::from_fn(|j| half(j) as f32));
            assert!(add_f32(&[a as f32; 3], &[single; 3], &[sum as f32; 16]).is_some(), "{a} {sum}");
            let double = Line(std::array::from_fn(half));
            assert!(add_f64(&[a; 3], &[double; 3], &[sum; 8]).is_some(), "{a} {sum}");
        }
    }
}
