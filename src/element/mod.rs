//! `f32` and `f64` as the kernels see them: vectors, cache lines, exact conversions.

mod fma;

use std::fmt::{Debug, Display};
use std::ops::{Deref, DerefMut};

use bytemuck::Zeroable;
use ndarray::NdFloat;
use pulp::{Simd, bytemuck};

pub(crate) use fma::Wide;
use fma::{FUSED, add_chain_f32, add_chain_f64, fma_f32, fma_f64, is_wide};

/// What the kernels and the engine need of an element type.
///
/// Sealed: every implementation is a promise about bits.
pub trait Element: NdFloat + Default + Debug + Display + Zeroable + private::Sealed {
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

    /// Adds a chain to each sum of a line, in software: `sums[j] = fma(a[k], lines[k][j], sums[j])` for each k ascending.
    fn add_chain<S: Simd, const P: usize>(a: &[Self], lines: &[Self::Line], sums: &mut [Self::Vector<S>; P]);

    /// The whole vectors of a slice; what is left over is not among them.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];

    /// As [`vectors`](Self::vectors), to be written.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];

    /// A vector of as many elements as there are, up to all; the rest are zero.
    fn load_part<S: Simd>(simd: S, slice: &[Self]) -> Self::Vector<S>;

    /// The first elements of a vector, as many as there is room for.
    fn store_part<S: Simd>(simd: S, slice: &mut [Self], vector: Self::Vector<S>);
}

/// Whether an instruction set has no fused multiply-add, which other operations then make up for.
pub(crate) const fn in_software<S: Simd>() -> bool {
    S::IS_SCALAR && !FUSED
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
        if in_software::<S>() {
            let [a, b, c] = [a, b, c].map(bytemuck::cast);
            return bytemuck::cast(fma_f32(a, b, c));
        }
        simd.mul_add_f32s(a, b, c)
    }

    #[inline(always)]
    fn add_chain<S: Simd, const P: usize>(a: &[Self], lines: &[Self::Line], sums: &mut [S::f32s; P]) {
        for sums in bytemuck::cast_slice_mut(sums).as_chunks_mut().0 {
            add_chain_f32(a, lines, sums);
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
        if S::IS_SCALAR || is_wide::<S>() {
            Self::select_le(simd, x, bound, bound, x)
        } else {
            simd.max_f64s(bound, x)
        }
    }

    #[inline(always)]
    fn at_most<S: Simd>(simd: S, bound: S::f64s, x: S::f64s) -> S::f64s {
        if S::IS_SCALAR || is_wide::<S>() {
            Self::select_le(simd, bound, x, bound, x)
        } else {
            simd.min_f64s(bound, x)
        }
    }

    #[inline(always)]
    fn scale<S: Simd>(simd: S, power: S::f64s, shifted: S::f64s) -> S::f64s {
        // pulp has no shift of 64 bits, so the two halves change places: n * 2^20 stands in the low one first.
        let ulp = 1.5 / Self::EPSILON;
        let n = Self::fma(
            simd,
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
        if is_wide::<S>() {
            let [a, b, c] = [a, b, c].map(bytemuck::cast);
            return bytemuck::cast(fma_f64(a, b, c));
        }
        simd.mul_add_f64s(a, b, c)
    }

    #[inline(always)]
    fn add_chain<S: Simd, const P: usize>(a: &[Self], lines: &[Self::Line], sums: &mut [S::f64s; P]) {
        for sums in bytemuck::cast_slice_mut(sums).as_chunks_mut().0 {
            add_chain_f64(a, lines, sums);
        }
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
