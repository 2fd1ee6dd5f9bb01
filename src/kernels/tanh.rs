//! The hyperbolic tangent, with the same bits on every machine.
//!
//! ```text
//! tanh(x):                         (1 - w) / (1 + w) with w = exp(-2|x|)
//!     y = max(-2 |x|, end)         beyond, the nearest number is 1
//!     scale, p = Exp(y, 1)
//!
//! in f32:
//!     w = scale * p + scale
//!     t = 1 - 2 w / (1 + w)        if |x| > 0.55
//!     t = x + x^3 * P(x^2)         if |x| <= 0.55, where the difference would cancel
//!     return copysign(t, x)
//!
//! in f64:
//!     e = scale * p + (scale - 1)  expm1(y), as a pair
//!     d = e + 2                    as a pair
//!     t = e * (1 / d)
//!     t = t + (e - t * d) / d      the residual, by the same 1 / d
//!     return copysign(t, x)
//! ```
//!
//! `P` is the minimax polynomial of degree 4 that gives the second `t` a relative error of 2^-29.9;
//! `tests/golden/polynomials.py` makes it.
//!
//! Accuracy:
//!
//! - In `f32` within 1.6 ULP, which a test goes through every `f32` for. The worst is 1.52, near 0.562; up to 0.55 it is
//!   0.6, for most numbers the nearest `f32`. (One division for all x would take a third less time, but its errors of
//!   up to 1.9 ULP pushed a gradient beyond 1e-5 of torch's.)
//! - In `f64` within 1 ULP. The worst seen in 580 million points is 0.81, just below `atanh(1/8)`, where the rounding
//!   errors of `r^2 * C(r)` weigh most; more than nine answers in ten are the nearest `f64` even there.
//!
//! No answer is above 1: w is positive, `e` is never below -1 and `d` never below 1.

use pulp::Simd;

use super::exp::{Exp, even_odd};
use super::lanes::Lanes;
use crate::element::Element;

/// Past this, and from about -18.03 on, the nearest `f32` to tanh(y / 2) is -1.
const END_F32: f64 = -18.2;
/// Past this, and from about -38.14 on, the nearest `f64` is.
const END_F64: f64 = -40.0;

/// Up to here `P` serves.
const NEAR_F32: f64 = 0.55;

/// `P` of `f32`, from the constant up.
const P_F32: [f64; 5] = [
    -0.3333331804575723,
    0.13332601686769657,
    -0.0538538580171698,
    0.021077758570124682,
    -0.006282473528669614,
];

/// tanh(x), within 1.6 ULP in `f32` and 1 in `f64`.
#[inline(always)]
pub fn tanh<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let [one, two] = [1.0, 2.0].map(|c| x.constant(c));
    // Downwards, so that `e` stays within [-1, 0] and the sums below know
    // which of their terms is the larger.
    let y = (x.abs() * x.constant(-2.0)).at_least(if A::SINGLE { END_F32 } else { END_F64 });
    let Exp { scale, p, p_low } = Exp::new(y, one);

    if A::SINGLE {
        let w = scale.mul_add(p, scale);
        let far = one - (w + w) / (one + w);
        let u = x * x;
        let near = (x * u).mul_add(even_odd(&P_F32, u, u * u), x);
        return x.abs().select_le(x.constant(NEAR_F32), near, far).copysign(x);
    }

    // When n is 0 this is p itself, so that nothing cancels near 0.
    let less_one = scale - one;
    let e = scale.mul_add(p, less_one);
    // `less_one_low` is 0 until n is -54 and `less_one` can no longer hold both.
    let less_one_low = scale - (less_one + one);
    let e_low = scale.mul_add(p_low, scale.mul_add(p, less_one - e) + less_one_low);

    let d = e + two;
    let d_low = (e - (d - two)) + e_low;

    let inverse = one / d;
    let t = e * inverse;
    let residual = (-t).mul_add(d, e) + (-t).mul_add(d_low, e_low);
    residual.mul_add(inverse, t).copysign(x)
}

#[cfg(test)]
mod tests {
    use crate::kernels::accuracy::{self, NEAR, golden, ulps_from, values};
    use crate::kernels::{Activation, Arch, Element, archs};

    const GOLDEN: &str = include_str!("golden/tanh_f64.txt");

    fn tanh<A: Element>(x: A) -> A {
        values(Arch::new(), Activation::Tanh, &[x])[0]
    }

    fn exact(x: f64) -> f64 {
        if x.abs() < NEAR { x - x * x * x / 3.0 } else { libm::tanh(x) }
    }

    #[test]
    #[ignore = "goes through all 2^32 inputs: some 10 s in release"]
    fn f32_within_1_6_ulp_everywhere() {
        accuracy::every_f32(Activation::Tanh, exact, 1.6);
    }

    #[test]
    fn f32_on_a_stride() {
        accuracy::f32_on_a_stride(Activation::Tanh, exact, 1.6);
    }

    #[test]
    fn odd_and_at_most_1() {
        let xs: Vec<f32> = (0..=u32::MAX).step_by(65_537).map(f32::from_bits).collect();
        let negated: Vec<_> = xs.iter().map(|x| -x).collect();
        for (name, arch) in archs() {
            let ys = values(arch, Activation::Tanh, &xs);
            for (y, m) in ys.into_iter().zip(values(arch, Activation::Tanh, &negated)) {
                assert!(m.to_bits() == (-y).to_bits() || m.is_nan() && y.is_nan(), "{m} and {y} with {name}");
                assert!(y.abs() <= 1.0 || y.is_nan(), "{y} with {name}");
            }
        }
    }

    #[test]
    fn f64_within_one_ulp() {
        let xs: Vec<_> = golden(GOLDEN).map(|[x, ..]| x).collect();
        let negated: Vec<_> = xs.iter().map(|x| -x).collect();
        for (name, arch) in archs() {
            let ys = values(arch, Activation::Tanh, &xs);
            let mirrored = values(arch, Activation::Tanh, &negated);
            for (([x, high, low], y), m) in golden(GOLDEN).zip(ys).zip(mirrored) {
                let ulps = ulps_from(high, low, y);
                assert!(ulps <= 1.0, "tanh({x:e}) is not {y:e} with {name}: off by {ulps} ULP");
                assert_eq!(m.to_bits(), (-y).to_bits(), "not odd at {x:e} with {name}");
            }
        }
        assert_eq!(xs.len(), 2_004);
    }

    /// The promise is the bits: another answer within the 1 ULP breaks it too.
    #[test]
    fn bits_stay() {
        let xs: Vec<_> = golden(GOLDEN).map(|[x, ..]| x).collect();
        let singles: Vec<_> = xs.iter().map(|&x| x as f32).collect();
        let hashes = [accuracy::hash(Activation::Tanh, &xs), accuracy::hash(Activation::Tanh, &singles)];
        assert_eq!(hashes, [0xa5a3_8c3a_50b1_8eed, 0x5acd_d015_f7a1_b435], "{hashes:#x?}");
    }

    fn specials<A: Element>(same: &[f64], whole: &[f64], bits: fn(A) -> u64) {
        let pairs = same.iter().map(|&x| (x, x)).chain(whole.iter().map(|&x| (x, 1.0)));
        for (x, y) in pairs.map(|(x, y)| (A::from_f64(x), A::from_f64(y))) {
            assert_eq!(bits(tanh(x)), bits(y), "{x:e}");
            assert_eq!(bits(tanh(-x)), bits(-y), "-{x:e}");
        }
        assert!(tanh(A::nan()).is_nan());
        assert!(tanh(-A::nan()).is_nan());
    }

    #[test]
    fn f64_specials() {
        let tiny = f64::from_bits(1);
        let same = [0.0, tiny, 3.0 * tiny, f64::MIN_POSITIVE, 1e-300, 1e-9];
        specials(&same, &[20.0, 1e300, f64::MAX, f64::INFINITY], f64::to_bits);
    }

    #[test]
    fn f32_specials() {
        let tiny = f64::from(f32::from_bits(1));
        let same = [0.0, tiny, 3.0 * tiny, f32::MIN_POSITIVE.into(), 1e-5];
        let bits = |x: f32| u64::from(x.to_bits());
        specials(&same, &[9.02, 9.1, f32::MAX.into(), f64::INFINITY], bits);
    }
}
