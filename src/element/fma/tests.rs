use super::chain::{BLOCK, add_f32, add_f64};
use super::{WIDE, add_chain_f32, add_chain_f64, fma_f32, fma_f64};
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
        check_lanes([a; WIDE], [b; WIDE], [c; WIDE]);
    }
}

fn check_lanes(a: [f64; WIDE], b: [f64; WIDE], c: [f64; WIDE]) {
    for (i, ours) in fma_f64(a, b, c).into_iter().enumerate() {
        let (a, b, c) = (a[i], b[i], c[i]);
        let standard = a.mul_add(b, c);
        assert!(same(ours, standard), "{a:e} * {b:e} + {c:e}: {ours:e}, not {standard:e}");
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
        // Of different exponents, so that some lanes are in doubt and others not.
        let [a, b, c] = std::array::from_fn(|_| std::array::from_fn(|_| f64::from_bits(rng.next_u64())));
        check_lanes(a, b, c);
    }
}

/// Each with each, among them the ends of what is not in doubt.
#[test]
fn limits() {
    let powers = [0, 31, 32, 33, 127, -96, -97, -126, -127, -149].map(|n| 2_f64.powi(n));
    let others = [0.0, f64::NAN, f64::INFINITY, f32::MAX.into(), 1.5, 1.0 + f64::from(f32::EPSILON)];
    let singles: Vec<_> = powers.into_iter().chain(others).map(|x| x as f32).collect();
    let powers = [0, 500, 996, 1000, 1023, -53, -480, -481, -916, -1022, -1023, -1074].map(|n| 2_f64.powi(n));
    let others = [0.0, f64::NAN, f64::INFINITY, f64::MAX, 1.5, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0];
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
        let [a, b] = [26, 27].map(|n| 1.0 + f64::from(2 * rng.random_range(0..1 << 23) + 1) * 2_f64.powi(-n));
        check_f64(a, b, 2_f64.powi(rng.random_range(-1000..-60)));
        check_f64(a, b, 0.0);
        // Exact products and sums that lie midway.
        check_f64(b, 1.0, 2_f64.powi(rng.random_range(24..28)));
        check_f64(b, 1.0, rng.random_range(1.0..8.0));
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
                A::from_f64(((rng.next_u64() >> (64 - bits)) as f64 - 2_f64.powi(bits as i32 - 1)).round())
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
