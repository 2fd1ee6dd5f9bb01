//! `f32` and `f64` as the kernels see them: vectors, cache lines, exact conversions.

use std::fmt::{Debug, Display};
use std::ops::{Deref, DerefMut};

use ndarray::NdFloat;
use pulp::{Simd, bytemuck};

/// What the kernels and the engine need of an element type.
///
/// Sealed: every implementation is a promise about bits.
pub trait Element: NdFloat + Default + Debug + Display + private::Sealed {
    /// torch's and NumPy's name of the type: `"float32"` or `"float64"`.
    const DTYPE: &'static str;

    /// Whether the type is `f32`.
    const SINGLE: bool;

    /// How many elements fill a line: the width of a panel of packed weights.
    const PANEL: usize;

    /// As many elements as a cache line holds.
    type Line: Deref<Target = [Self]> + DerefMut + Copy + Default + Debug + Send + Sync;

    /// A vector register of an instruction set.
    type Vector<S: Simd>: Copy + Send + Sync;

    /// The nearest value to an `f64`.
    #[must_use]
    fn from_f64(value: f64) -> Self;

    /// The value as an `f64`, exactly.
    #[must_use]
    fn into_f64(self) -> f64;

    /// A vector of one value.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// `a + b` in each lane.
    fn add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `a - b` in each lane.
    fn sub<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `a * b` in each lane.
    fn mul<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `a / b` in each lane.
    fn div<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The bits that both have, in each lane.
    fn and<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The bits that one of the two has, in each lane.
    fn xor<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// Where `a <= b` the lane of `yes`; elsewhere, and where one is NaN, that of `no`.
    fn select_le<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        yes: Self::Vector<S>,
        no: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The larger of `bound` and x in each lane; NaN where x is NaN. Which zero it is of two is open.
    fn at_least<S: Simd>(simd: S, bound: Self::Vector<S>, x: Self::Vector<S>) -> Self::Vector<S>;

    /// The smaller of `bound` and x in each lane; NaN where x is NaN. Which zero it is of two is open.
    fn at_most<S: Simd>(simd: S, bound: Self::Vector<S>, x: Self::Vector<S>) -> Self::Vector<S>;

    /// `power * 2^n` in each lane, n the integer in the low bits of `shifted`; `power` and the result are normal powers
    /// of two.
    fn scale<S: Simd>(simd: S, power: Self::Vector<S>, shifted: Self::Vector<S>) -> Self::Vector<S>;

    /// `a * b + c`, rounded once, in each lane.
    fn fma<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;

    /// Adds `a` times each of some vectors to as many sums, rounded once, in each lane.
    #[inline(always)]
    fn add_products<S: Simd, const P: usize>(
        simd: S,
        a: Self::Vector<S>,
        vectors: &[Self::Vector<S>; P],
        sums: &mut [Self::Vector<S>; P],
    ) {
        for p in 0..P {
            sums[p] = Self::fma(simd, a, vectors[p], sums[p]);
        }
    }

    /// The whole vectors of a slice; what is left over is not among them.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];

    /// As [`vectors`](Self::vectors), to be written.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];

    /// A vector of as many elements as there are, up to all; the rest are zero.
    fn load_part<S: Simd>(simd: S, slice: &[Self]) -> Self::Vector<S>;

    /// The first elements of a vector, as many as there is room for.
    fn store_part<S: Simd>(simd: S, slice: &mut [Self], vector: Self::Vector<S>);
}

/// Operations of two vectors by their names here and in pulp.
macro_rules! lane_by_lane {
    ($vector:ident: $($name:ident $of_pulp:ident),*) => {
        $(#[inline(always)]
        fn $name<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
            simd.$of_pulp(a, b)
        })*
    };
}

impl Element for f32 {
    const DTYPE: &'static str = "float32";
    const SINGLE: bool = true;
    const PANEL: usize = 16;
    type Line = Line<Self, 16>;
    type Vector<S: Simd> = S::f32s;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn into_f64(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f32s {
        simd.splat_f32s(value)
    }

    lane_by_lane!(f32s: add add_f32s, sub sub_f32s, mul mul_f32s, div div_f32s, and and_f32s, xor xor_f32s);

    #[inline(always)]
    fn select_le<S: Simd>(simd: S, a: S::f32s, b: S::f32s, yes: S::f32s, no: S::f32s) -> S::f32s {
        let mask = simd.less_than_or_equal_f32s(a, b);
        bytemuck::cast(simd.select_u32s(mask, bytemuck::cast(yes), bytemuck::cast(no)))
    }

    #[inline(always)]
    fn at_least<S: Simd>(simd: S, bound: S::f32s, x: S::f32s) -> S::f32s {
        // Where one is NaN, x86 gives the second, NEON and WebAssembly give NaN, Rust gives the other.
        if S::IS_SCALAR { Self::select_le(simd, x, bound, bound, x) } else { simd.max_f32s(bound, x) }
    }

    #[inline(always)]
    fn at_most<S: Simd>(simd: S, bound: S::f32s, x: S::f32s) -> S::f32s {
        if S::IS_SCALAR { Self::select_le(simd, bound, x, bound, x) } else { simd.min_f32s(bound, x) }
    }

    #[inline(always)]
    fn scale<S: Simd>(simd: S, power: S::f32s, shifted: S::f32s) -> S::f32s {
        let exponent = simd.splat_u32s(f32::MANTISSA_DIGITS - 1);
        let n = simd.wrapping_dyn_shl_u32s(bytemuck::cast(shifted), exponent);
        bytemuck::cast(simd.add_u32s(n, bytemuck::cast(power)))
    }

    #[inline(always)]
    fn fma<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        if S::IS_SCALAR && !FUSED {
            let [a, b, c] = [a, b, c].map(bytemuck::cast::<_, Self>);
            return bytemuck::cast(fma_without_hardware(a, b, c));
        }
        simd.mul_add_f32s(a, b, c)
    }

    #[inline(always)]
    fn add_products<S: Simd, const P: usize>(
        simd: S,
        a: S::f32s,
        vectors: &[S::f32s; P],
        sums: &mut [S::f32s; P],
    ) {
        if S::IS_SCALAR && !FUSED {
            let lanes = bytemuck::cast_slice_mut::<_, Self>(sums);
            return add_products_without_hardware(bytemuck::cast(a), bytemuck::cast_slice(vectors), lanes);
        }
        for p in 0..P {
            sums[p] = simd.mul_add_f32s(a, vectors[p], sums[p]);
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(slice: &[Self]) -> &[S::f32s] {
        S::as_simd_f32s(slice).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(slice).0
    }

    #[inline(always)]
    fn load_part<S: Simd>(simd: S, slice: &[Self]) -> S::f32s {
        simd.partial_load_f32s(slice)
    }

    #[inline(always)]
    fn store_part<S: Simd>(simd: S, slice: &mut [Self], vector: S::f32s) {
        simd.partial_store_f32s(slice, vector);
    }
}

impl Element for f64 {
    const DTYPE: &'static str = "float64";
    const SINGLE: bool = false;
    const PANEL: usize = 8;
    type Line = Line<Self, 8>;
    type Vector<S: Simd> = S::f64s;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn into_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f64s {
        simd.splat_f64s(value)
    }

    lane_by_lane!(f64s: add add_f64s, sub sub_f64s, mul mul_f64s, div div_f64s, and and_f64s, xor xor_f64s);

    #[inline(always)]
    fn select_le<S: Simd>(simd: S, a: S::f64s, b: S::f64s, yes: S::f64s, no: S::f64s) -> S::f64s {
        let mask = simd.less_than_or_equal_f64s(a, b);
        bytemuck::cast(simd.select_u64s(mask, bytemuck::cast(yes), bytemuck::cast(no)))
    }

    #[inline(always)]
    fn at_least<S: Simd>(simd: S, bound: S::f64s, x: S::f64s) -> S::f64s {
        // Where one is NaN, x86 gives the second, NEON and WebAssembly give NaN, Rust gives the other.
        if S::IS_SCALAR { Self::select_le(simd, x, bound, bound, x) } else { simd.max_f64s(bound, x) }
    }

    #[inline(always)]
    fn at_most<S: Simd>(simd: S, bound: S::f64s, x: S::f64s) -> S::f64s {
        if S::IS_SCALAR { Self::select_le(simd, bound, x, bound, x) } else { simd.min_f64s(bound, x) }
    }

    #[inline(always)]
    fn scale<S: Simd>(simd: S, power: S::f64s, shifted: S::f64s) -> S::f64s {
        // pulp has no shift of 64 bits, so the two halves change places: n * 2^20 stands in the low one first.
        let ulp = 1.5 / Self::EPSILON;
        let n = simd.mul_add_f64s(
            shifted,
            simd.splat_f64s(f64::from(1 << 20)),
            simd.splat_f64s(ulp - ulp * f64::from(1 << 20)),
        );
        let swapped = bytemuck::cast(simd.swap_re_im_c32s(bytemuck::cast(n)));
        let n = simd.and_u64s(swapped, simd.splat_u64s(u64::MAX << 32));
        bytemuck::cast(simd.add_u64s(n, bytemuck::cast(power)))
    }

    #[inline(always)]
    fn fma<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_f64s(a, b, c)
    }

    #[inline(always)]
    fn vectors<S: Simd>(slice: &[Self]) -> &[S::f64s] {
        S::as_simd_f64s(slice).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(slice).0
    }

    #[inline(always)]
    fn load_part<S: Simd>(simd: S, slice: &[Self]) -> S::f64s {
        simd.partial_load_f64s(slice)
    }

    #[inline(always)]
    fn store_part<S: Simd>(simd: S, slice: &mut [Self], vector: S::f64s) {
        simd.partial_store_f64s(slice, vector);
    }
}

/// Whether every machine of the target multiplies and adds with one rounding; elsewhere `mul_add` calls a library.
const FUSED: bool = cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "wasm32")));

/// `a * b + c`, rounded once, without a call: the product is exact in `f64`, and the sum is rounded to
/// odd there, after which rounding it to `f32` is as good as rounding the exact sum (Boldo, Melquiond 2008,
/// <https://doi.org/10.1109/TC.2007.70819>).
#[inline(always)]
fn fma_without_hardware(a: f32, b: f32, c: f32) -> f32 {
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
fn add_products_without_hardware(a: f32, numbers: &[f32], sums: &mut [f32]) {
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

/// One cache line of elements, aligned as one.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Line<A, const N: usize>([A; N]);

impl<A: Copy + Default, const N: usize> Default for Line<A, N> {
    fn default() -> Self {
        Self([A::default(); N])
    }
}

impl<A, const N: usize> Deref for Line<A, N> {
    type Target = [A];

    #[inline(always)]
    fn deref(&self) -> &[A] {
        &self.0
    }
}

impl<A, const N: usize> DerefMut for Line<A, N> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [A] {
        &mut self.0
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
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
