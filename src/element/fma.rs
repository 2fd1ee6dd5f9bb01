//! `a * b + c`, rounded once, in `f32` on machines that cannot.

use super::Element;

/// Whether every machine of the target multiplies and adds with one rounding; elsewhere `mul_add` calls a library.
pub(super) const FUSED: bool =
    cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "wasm32")));

/// `a * b + c`, rounded once, without a call: the product is exact in `f64`, and the sum is rounded to
/// odd there, after which rounding it to `f32` is as good as rounding the exact sum (Boldo, Melquiond 2008,
/// <https://doi.org/10.1109/TC.2007.70819>).
#[inline(always)]
pub(super) fn fma_without_hardware(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    // What the sum lost, exactly (Knuth's TwoSum); NaN if the sum is infinite or NaN.
    let of_c = sum - product;
    let lost = (product - (sum - of_c)) + (c - of_c);
    let bits = sum.to_bits();
    let towards_zero = (lost > 0.0) != (sum > 0.0);
    let odd = if towards_zero { bits.wrapping_sub(1) } else { bits + 1 };
    let inexact_and_even = lost.abs() > 0.0 && bits & 1 == 0;
    f64::from_bits(if inexact_and_even { odd } else { bits }) as f32
}

/// Adds `a` times each number to its sum, rounded once, without a call.
///
/// The product is exact in `f64`. Rounding the sum to `f64` and then to `f32` is right unless the first rounding may have
/// moved it onto the middle between two numbers, where its low 29 bits are 1 and zeros, or unless it is so small that an
/// `f32` has fewer bits. If any sum is such a one, which is rare, all are made again.
#[inline(always)]
pub(super) fn add_products_without_hardware(a: f32, numbers: &[f32], sums: &mut [f32]) {
    let (mut line, mut doubtful) = ([0.0; f32::PANEL], 0);
    let line = &mut line[..sums.len()];
    for ((to, sum), number) in line.iter_mut().zip(&*sums).zip(numbers) {
        let sum = f64::from(a) * f64::from(*number) + f64::from(*sum);
        let middle = sum.to_bits() & ((1 << 29) - 1) == 1 << 28;
        doubtful |= u64::from(middle | (sum.abs() < f64::from(f32::MIN_POSITIVE)));
        *to = sum as f32;
    }
    if doubtful != 0 {
        add_slowly(a, numbers, sums, line);
    }
    sums.copy_from_slice(line);
}

#[cold]
#[inline(never)]
fn add_slowly(a: f32, numbers: &[f32], sums: &[f32], to: &mut [f32]) {
    for ((to, sum), number) in to.iter_mut().zip(sums).zip(numbers) {
        *to = fma_without_hardware(a, *number, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::{add_products_without_hardware, fma_without_hardware};
    use crate::manual_seed;
    use rand::{Rng, RngExt};

    fn same(a: f32, b: f32, c: f32) -> bool {
        let (standard, mut sums) = (a.mul_add(b, c), [c; 3]);
        add_products_without_hardware(a, &[b; 3], &mut sums);
        let same = |ours: &f32| ours.to_bits() == standard.to_bits() || ours.is_nan() && standard.is_nan();
        same(&fma_without_hardware(a, b, c)) && sums.iter().all(same)
    }

    /// Any bits: every exponent, infinities, NaN, subnormal numbers.
    #[test]
    fn fma_equals_the_standard_library_s() {
        let mut rng = manual_seed(0);
        for _ in 0..20_000 {
            let [a, b, c] = std::array::from_fn(|_| f32::from_bits(rng.next_u32()));
            assert!(same(a, b, c), "{a:e} * {b:e} + {c:e}");
        }
    }

    /// Sums that nearly cancel.
    #[test]
    fn fma_cancels_exactly() {
        let mut rng = manual_seed(1);
        for _ in 0..20_000 {
            let (a, b): (f32, f32) = (rng.random_range(1.0..2.0), rng.random_range(1.0..2.0));
            let sign = if rng.random() { 1.0 } else { -1.0 };
            let c = (a * b) * 2_f32.powi(rng.random_range(-60..60)) * sign;
            assert!(same(a, b, c) && same(a * 1e-30, b * 1e-12, c * 1e-38), "{a:e} * {b:e} + {c:e}");
        }
    }

    /// Products of 25 bits, the last of them 1, lie in the middle between two numbers; a far smaller `c` decides,
    /// which a sum rounded to `f64` first has lost.
    #[test]
    fn fma_rounds_once() {
        let mut rng = manual_seed(2);
        for _ in 0..20_000 {
            let [a, b] = std::array::from_fn(|_| 1.0 + (2 * rng.random_range(0..848) + 1) as f32 / 4096.0);
            let c = 2_f32.powi(rng.random_range(-90..-30));
            assert!(same(a, b, c) && same(a, b, -c), "{a:e} * {b:e} + {c:e}");
        }
    }

    /// Products just above the middle between two subnormal numbers: what is above it is lost in `f64`.
    #[test]
    fn fma_rounds_subnormal_numbers_once() {
        let mut tried = 0;
        for a in (1_u64 << 23) + 1..(1 << 23) + 4000 {
            let b = (1_u64 << 47) / a + 1;
            if a * b - (1 << 47) < 1 << 17 {
                let [a, b] = [a as f32 * 2_f32.powi(-98), b as f32 * 2_f32.powi(-99)];
                let c = 2_f32.powi(-127);
                assert_eq!(a.mul_add(b, c), c + f32::from_bits(1), "the product does not lie as it should");
                assert!(same(a, b, c) && same(-a, b, -c), "{a:e} * {b:e} + {c:e}");
                tried += 1;
            }
        }
        assert!(tried > 10, "{tried}");
    }
}
