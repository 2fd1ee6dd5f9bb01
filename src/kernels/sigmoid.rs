//! The logistic function and silu, with the same bits on every machine.
//!
//! ```text
//! sigmoid(x):                      1 / (1 + exp(-x))
//!     y = -max(end, min(x, 44))    beyond, the nearest number is 0, or 1
//!     scale, p = Exp(y, unit)
//!     d = scale * p + (scale + unit)
//!     return unit / d
//!
//! silu(x):                         x / (1 + exp(-x))
//!     return x * unit / d          if |x| > 1, x being at least end
//!     return x / (d / unit)        if |x| <= 1
//! ```
//!
//! No terms of different signs are added, so nothing cancels at any x. `unit`, a power of two, keeps exp(-x)
//! finite where the answer is subnormal. Only the last division can round to a subnormal number.
//!
//! Accuracy:
//!
//! - sigmoid in `f32` within 1.5 ULP for x >= 0 and 2.5 below. The worst is 2.45, near -16.64, where
//!   `scale + unit` lies in the middle between two numbers. silu in `f32` within 2.5 ULP. A test goes through every
//!   `f32` for both.
//! - Both in `f64` within 2.5 ULP of what mpmath gives, sigmoid also where its value is subnormal.

use pulp::Simd;

use super::exp::Exp;
use super::lanes::Lanes;
use crate::element::Element;

/// From here down the nearest `f32` to silu is 0; to sigmoid it is 0 from -103.98 down.
const END_F32: f64 = -111.0;
/// From here down the nearest `f64` to silu is 0; to sigmoid it is 0 from -745.14 down.
const END_F64: f64 = -752.0;

/// `UNIT * exp(-END)` is below 2^121 in `f32`.
const UNIT_F32: f64 = 1.0 / (1_u64 << 40) as f64;
/// `UNIT * exp(-END)` is below 2^1022 in `f64`.
const UNIT_F64: f64 = 1.0 / (1_u128 << 64) as f64;

/// x, but not below the end.
#[inline(always)]
fn above_end<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    x.at_least(if A::SINGLE { END_F32 } else { END_F64 })
}

/// x, but not beyond where sigmoid is 0 or 1 to the nearest number, and so silu's derivative.
#[inline(always)]
pub(super) fn bounded<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    above_end(x).at_most(44.0)
}

/// `unit`, and `unit * (1 + exp(-x))`.
#[inline(always)]
fn fraction<A: Element, S: Simd>(x: Lanes<A, S>) -> [Lanes<A, S>; 2] {
    let unit = x.constant(if A::SINGLE { UNIT_F32 } else { UNIT_F64 });
    let Exp { scale, p, .. } = Exp::new(-bounded(x), unit);
    [unit, scale.mul_add(p, scale + unit)]
}

/// 1 / (1 + exp(-x)), within 2.5 ULP.
#[inline(always)]
pub fn sigmoid<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let [unit, d] = fraction(x);
    unit / d
}

/// x / (1 + exp(-x)), within 2.5 ULP.
#[inline(always)]
pub(super) fn silu<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let [unit, d] = fraction(x);
    let one = x.constant(1.0);
    // Near 0 `x * unit` could underflow; far from 0 `d / unit` could overflow.
    let (size, far) = (x.abs(), above_end(x) * unit);
    size.select_le(one, x, far) / size.select_le(one, d * (one / unit), d)
}

#[cfg(test)]
mod tests {
    use crate::kernels::accuracy::{self, NEAR, golden, ulps_from, values};
    use crate::kernels::{Activation, Arch, Element, archs};

    const GOLDEN: &str = include_str!("golden/sigmoid_f64.txt");

    fn sigmoid(x: f64) -> f64 {
        if x.abs() < NEAR { 0.5 + x / 4.0 - x * x * x / 48.0 } else { 1.0 / (1.0 + libm::exp(-x)) }
    }

    fn silu(x: f64) -> f64 {
        if x < -700.0 { -0.0 } else { x * sigmoid(x) }
    }

    #[test]
    #[ignore = "goes through all 2^32 inputs: some 10 s in release"]
    fn sigmoid_f32_within_two_and_a_half_ulp_everywhere() {
        accuracy::every_f32(Activation::Sigmoid, sigmoid, 2.5);
    }

    #[test]
    #[ignore = "goes through all 2^32 inputs: some 10 s in release"]
    fn silu_f32_within_two_and_a_half_ulp_everywhere() {
        accuracy::every_f32(Activation::Silu, silu, 2.5);
    }

    #[test]
    fn f32_on_a_stride() {
        accuracy::f32_on_a_stride(Activation::Sigmoid, sigmoid, 2.5);
        accuracy::f32_on_a_stride(Activation::Silu, silu, 2.5);
    }

    /// Also where the answer is subnormal.
    #[test]
    fn f64_within_two_and_a_half_ulp() {
        let xs: Vec<_> = golden(GOLDEN).map(|[x, ..]| x).collect();
        for (name, arch) in archs() {
            for ([x, high, low], y) in golden(GOLDEN).zip(values(arch, Activation::Sigmoid, &xs)) {
                let ulps = ulps_from(high, low, y);
                assert!(ulps <= 2.5, "sigmoid({x:e}) is not {y:e} with {name}: off by {ulps} ULP");
            }
        }
        assert_eq!(xs.len(), 1_500);
    }

    #[test]
    fn bits_stay() {
        let xs: Vec<_> = golden(GOLDEN).map(|[x, ..]| x).collect();
        let singles: Vec<_> = xs.iter().map(|&x| x as f32).collect();
        let hashes = [Activation::Sigmoid, Activation::Silu]
            .map(|activation| [accuracy::hash(activation, &xs), accuracy::hash(activation, &singles)]);
        let expected =
            [[0xe41b_4420_5946_ce9c, 0x074d_a250_d719_e4d5], [0xb204_964f_2715_66b7, 0x8ba9_c311_b719_e4d5]];
        assert_eq!(hashes, expected, "{hashes:#x?}");
    }

    /// Exact where the value is a number of the type, and monotone: never below 0, never above 1.
    fn specials<A: Element>() {
        let at = |activation, x: f64| values(Arch::new(), activation, &[A::from_f64(x)])[0].into_f64();
        let sigmoid = [(0.0, 0.5), (-0.0, 0.5), (40.0, 1.0), (1e30, 1.0), (f64::INFINITY, 1.0)];
        for (x, y) in sigmoid.into_iter().chain([(-800.0, 0.0), (-1e30, 0.0), (f64::NEG_INFINITY, 0.0)]) {
            assert_eq!(at(Activation::Sigmoid, x), y, "sigmoid({x:e})");
        }
        let silu = [(1e-30, 5e-31), (f64::INFINITY, f64::INFINITY), (-800.0, 0.0), (f64::NEG_INFINITY, 0.0)];
        for (x, y) in silu {
            assert_eq!(at(Activation::Silu, x), A::from_f64(y).into_f64(), "silu({x:e})");
        }
        for activation in [Activation::Sigmoid, Activation::Silu] {
            assert!(at(activation, f64::NAN).is_nan() && at(activation, -f64::NAN).is_nan());
        }
        let xs: Vec<_> = (-8000..8000).map(|i| A::from_f64(f64::from(i) / 10.0)).collect();
        let ys = values(Arch::new(), Activation::Sigmoid, &xs);
        assert!(ys.is_sorted() && ys.iter().all(|&y| A::zero() <= y && y <= A::one()));
    }

    #[test]
    fn specials_f32() {
        specials::<f32>();
    }

    #[test]
    fn specials_f64() {
        specials::<f64>();
    }
}
