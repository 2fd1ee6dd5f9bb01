//! The hyperbolic tangent, with the same bits on every machine.
//!
//! The answer is made of IEEE additions, multiplications, divisions, fused
//! multiply-adds, comparisons and moves of bits, in one fixed order. None of
//! these leaves a machine any choice, so a scalar loop, a vector loop of any
//! width and any processor agree to the last bit (except in a NaN's payload).
//! Where a machine has no fused multiply-add it is a library call, which gives
//! the same bits many times slower. There are no branches: the compiler makes
//! vectors of a loop over `tanh_f64`. Of `tanh_f32` it makes poor ones, so its
//! vectors are written out.
//!
//! ```text
//! tanh_f32(x):                     all in f64
//!     x = clamp(x, -9.02, 9.02)    beyond, the nearest f32 is 1
//!     u = x * x
//!     return f32(x * P(u) / Q(u))
//!
//! tanh_f64(x):                     (1 - w) / (1 + w) with w = exp(-2|x|)
//!     y = -2 * min(|x|, 20)        beyond, the nearest f64 is 1
//!     n = round(y / ln 2)
//!     r = y - n * ln 2             |r| <= ln 2 / 2, as a pair
//!     p = r + r^2 * C(r)           expm1(r), as a pair
//!     e = 2^n * (1 + p) - 1        expm1(y), as a pair
//!     d = e + 2                    as a pair
//!     t = e * (1 / d)
//!     t = t + (e - t * d) / d      the residual, by the same 1 / d
//!     return copysign(t, x)
//! ```
//!
//! `P/Q` is the minimax approximation of degree 7 over 7 to `tanh(sqrt u) /
//! sqrt u` on `[0, 9.02^2]`, of relative error 2^-55.6; `C` is the minimax
//! polynomial of degree 10 to `(expm1(r) - r) / r^2` on `[-ln 2 / 2, ln 2 / 2]`,
//! of absolute error 2^-59.3. `tests/golden/tanh_polynomial.py` makes both.
//!
//! Accuracy:
//!
//! - `tanh_f32` is correctly rounded for every `f32`, which a test goes through
//!   one by one.
//! - `tanh_f64` is within 1 ULP. The worst seen in 580 million points is 0.81,
//!   just below `atanh(1/8)`, where the rounding errors of `r^2 * C(r)` weigh
//!   most; more than nine answers in ten are the nearest `f64` even there.

use std::f64::consts::{LN_2, LOG2_E};

use pulp::Simd;

/// Numbers that go through together: one vector at least of every instruction set.
pub(super) const CHUNK: usize = 16;

/// Past this the nearest `f32` is 1.
const F32_END: f64 = 9.02;
/// Past this, and from about 19.07 on, the nearest `f64` is 1.
const F64_END: f64 = 20.0;

/// Added to a small number, it leaves no room for a fraction: the sum is
/// rounded to an integer, which stands in its low bits in two's complement.
const ROUNDER: f64 = 1.5 * (1_u64 << 52) as f64;

/// What `LN_2` lacks of ln 2.
const LN_2_LOW: f64 = 2.319046813846299e-17;

/// `P` of `tanh_f32`, from the constant up.
const P: [f64; 8] = [
    1.0,
    0.1486966468822439,
    0.005512977818407628,
    7.653720454351024e-5,
    4.4728750731388573e-7,
    1.0668567609743853e-9,
    8.354770067229361e-13,
    9.381561959927667e-17,
];

/// `Q` of `tanh_f32`, from the constant up.
const Q: [f64; 8] = [
    1.0,
    0.48202998021557697,
    0.032856304556934064,
    0.0007262286630310292,
    6.510757358524858e-6,
    2.4623186606625662e-8,
    3.521280123048423e-11,
    1.2731418850982148e-14,
];

/// `C` of `tanh_f64`, from the constant up.
const C: [f64; 11] = [
    0.5,
    0.1666666666666667,
    0.041666666666666685,
    0.008333333333326141,
    0.0013888888888874409,
    0.00019841269874802054,
    2.4801587347313782e-5,
    2.7557255424013177e-6,
    2.7557252937495405e-7,
    2.5105207015306658e-8,
    2.0921580854750184e-9,
];

#[inline(always)]
fn horner<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let mut y = coefficients[N - 1];
    for k in (0..N - 1).rev() {
        y = y.mul_add(x, coefficients[k]);
    }
    y
}

/// Vectors that go through side by side: one alone would wait for each of its steps.
const ABREAST: usize = 2;

/// A polynomial in `u`, for each of some vectors: the even and the odd terms by Horner in `u2 = u * u`, two chains of
/// half the latency.
#[inline(always)]
fn even_odd<S: Simd>(
    simd: S,
    coefficients: &[f64; 8],
    u: &[S::f64s; ABREAST],
    u2: &[S::f64s; ABREAST],
) -> [S::f64s; ABREAST] {
    let [mut even, mut odd] = [6, 7].map(|k: usize| [simd.splat_f64s(coefficients[k]); ABREAST]);
    for k in [4, 2, 0] {
        let [c_even, c_odd] = [k, k + 1].map(|k| simd.splat_f64s(coefficients[k]));
        for i in 0..ABREAST {
            even[i] = simd.mul_add_f64s(even[i], u2[i], c_even);
            odd[i] = simd.mul_add_f64s(odd[i], u2[i], c_odd);
        }
    }
    for i in 0..ABREAST {
        even[i] = simd.mul_add_f64s(odd[i], u[i], even[i]);
    }
    even
}

/// For each `f32` among `xs` a number that the `f32` nearest to its hyperbolic tangent is nearest to.
#[inline(always)]
pub(super) fn tanh_f32<S: Simd>(simd: S, xs: &mut [f64; CHUNK]) {
    for x in &mut *xs {
        *x = x.clamp(-F32_END, F32_END); // lets a NaN through
    }
    for x in S::as_mut_simd_f64s(xs).0.as_chunks_mut::<ABREAST>().0 {
        let (mut u, mut u2) = (*x, *x);
        for i in 0..ABREAST {
            u[i] = simd.mul_f64s(x[i], x[i]); // exact
            u2[i] = simd.mul_f64s(u[i], u[i]);
        }
        let (p, q) = (even_odd(simd, &P, &u, &u2), even_odd(simd, &Q, &u, &u2));
        for i in 0..ABREAST {
            x[i] = simd.div_f64s(simd.mul_f64s(x[i], p[i]), q[i]);
        }
    }
}

/// The hyperbolic tangent of `x`, within 1 ULP.
#[inline(always)]
pub(super) fn tanh_f64(x: f64) -> f64 {
    let a = x.abs();
    // Not `min`, which would swallow a NaN.
    let a = if a > F64_END { F64_END } else { a };
    // Downwards, so that `e` stays within [-1, 0] and the sums below know
    // which of their terms is the larger.
    let y = -2.0 * a;

    let shifted = y.mul_add(LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1_f64.to_bits()));

    // Exact: when n is not 0, y and n * LN_2 are both multiples of 2^-54.
    let r = n.mul_add(-LN_2, y);
    let r_low = n * -LN_2_LOW;

    // expm1(r + r_low) to first order in r_low: its square is far out of sight.
    let tail = (r * r).mul_add(horner(&C, r), r_low.mul_add(r, r_low));
    let p = r + tail;
    let p_low = (r - p) + tail;

    // When n is 0 this is p itself, so that nothing cancels near 0.
    // `less_one_low` is 0 until n is -54 and `less_one` can no longer hold both.
    let less_one = scale - 1.0;
    let less_one_low = scale - (less_one + 1.0);
    let e = scale.mul_add(p, less_one);
    let e_low = scale.mul_add(p_low, scale.mul_add(p, less_one - e) + less_one_low);

    let d = e + 2.0;
    let d_low = (e - (d - 2.0)) + e_low;

    let inverse = 1.0 / d;
    let t = e * inverse;
    let residual = (-t).mul_add(d, e) + (-t).mul_add(d_low, e_low);
    residual.mul_add(inverse, t).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, tanh_f32, tanh_f64};
    use crate::kernels::archs;
    use pulp::{Arch, Simd, WithSimd};
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    const GOLDEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tanh_f64.txt"));

    struct Single<'a>(&'a mut [f32]);

    impl WithSimd for Single<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for chunk in self.0.chunks_mut(CHUNK) {
                let mut xs = [0.0; CHUNK];
                xs.iter_mut().zip(&*chunk).for_each(|(x, &y)| *x = y.into());
                tanh_f32(simd, &mut xs);
                chunk.iter_mut().zip(xs).for_each(|(y, x)| *y = x as f32);
            }
        }
    }

    struct Double<'a>(&'a mut [f64]);

    impl WithSimd for Double<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.0 {
                *x = tanh_f64(*x);
            }
        }
    }

    fn singles(arch: Arch, xs: &[f32]) -> Vec<f32> {
        let mut ys = xs.to_vec();
        arch.dispatch(Single(&mut ys));
        ys
    }

    /// By the vector instructions of this machine.
    fn doubles(xs: &[f64]) -> Vec<f64> {
        let mut ys = xs.to_vec();
        Arch::new().dispatch(Double(&mut ys));
        ys
    }

    /// Whether `y` is the `f32` nearest to tanh(x).
    ///
    /// Rounding libm's `f64` is sound: it is off by less than 2.2 ULP (of `f64`)
    /// at every `f32`, and no `f32` has its tanh within 5 of the middle between
    /// two neighbouring `f32`s. Both were found by evaluating all of
    /// [2^-13, 9.1] in double-double; below, tanh is x less a twelfth of an
    /// `f32` ULP at most. The closest call is 0x3ac37de2, 5.04 ULP from the
    /// middle, which mpmath confirms.
    fn is_nearest(x: f32, y: f32) -> bool {
        if x.is_nan() {
            return y.is_nan();
        }
        (libm::tanh(f64::from(x)) as f32).to_bits() == y.to_bits()
    }

    #[test]
    #[ignore = "goes through all 2^32 inputs: under half a minute in release"]
    fn f32_is_correctly_rounded_everywhere() {
        (0..1_u32 << 17).into_par_iter().for_each(|block| {
            let bits = block << 14..(block + 1) << 14;
            let xs: Vec<f32> = bits.map(f32::from_bits).collect();
            let negated: Vec<f32> = xs.iter().map(|x| -x).collect();
            let ys = singles(Arch::new(), &xs);
            let mirrored = singles(Arch::new(), &negated);
            for ((&x, &y), &m) in xs.iter().zip(&ys).zip(&mirrored) {
                assert!(is_nearest(x, y), "tanh({x:e}) is not {y:e}");
                let odd = m.to_bits() == (-y).to_bits() || m.is_nan() && y.is_nan();
                assert!(odd, "tanh(-{x:e}) is not -tanh({x:e})");
            }
        });
    }

    #[test]
    fn f32_on_a_stride() {
        let xs: Vec<f32> = (0..=u32::MAX).step_by(65_537).map(f32::from_bits).collect();
        for (name, arch) in archs() {
            for (&x, y) in xs.iter().zip(singles(arch, &xs)) {
                assert!(is_nearest(x, y), "tanh({x:e}) is not {y:e} with {name}");
            }
        }
    }

    /// x, and tanh(x) as a pair.
    fn golden() -> impl Iterator<Item = [f64; 3]> {
        let parse = |s| f64::from_bits(u64::from_str_radix(s, 16).expect("hex digits"));
        GOLDEN.lines().map(move |line| {
            let mut fields = line.split(' ').map(parse);
            std::array::from_fn(|_| fields.next().expect("three fields"))
        })
    }

    #[test]
    fn f64_within_one_ulp() {
        for [x, high, low] in golden() {
            let y = tanh_f64(x);
            // The ULP on the side where tanh lies: they differ at a power of
            // two. `y - high` is exact, the two being neighbours.
            let below = low < 0.0;
            let next = [high.next_up(), high.next_down()][usize::from(below)];
            let ulps = ((y - high) - low).abs() / (next - high).abs();
            assert!(ulps <= 1.0, "tanh({x:e}) is not {y:e}: off by {ulps} ULP");
            assert_eq!(doubles(&[x; 9]), [y; 9], "a vector at {x:e}");
            assert_eq!(tanh_f64(-x).to_bits(), (-y).to_bits(), "not odd at {x:e}");
        }
        assert_eq!(golden().count(), 2_004);
    }

    /// The promise is the bits: another answer within the 1 ULP breaks it too.
    #[test]
    fn f64_bits_stay() {
        let fnv = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        let words = golden().map(|[x, ..]| tanh_f64(x).to_bits());
        assert_eq!(words.fold(0xcbf2_9ce4_8422_2325, fnv), 0xc964_4203_d853_a8bb);
    }

    #[test]
    fn f64_specials() {
        let tiny = f64::from_bits(1);
        let same = [0.0, tiny, 3.0 * tiny, f64::MIN_POSITIVE, 1e-300, 1e-9];
        let whole = [20.0, 1e300, f64::MAX, f64::INFINITY];
        let pairs = same.map(|x| (x, x)).into_iter().chain(whole.map(|x| (x, 1.0)));
        for (x, y) in pairs {
            assert_eq!(tanh_f64(x).to_bits(), y.to_bits(), "{x:e}");
            assert_eq!(tanh_f64(-x).to_bits(), (-y).to_bits(), "-{x:e}");
        }
        assert!(tanh_f64(f64::NAN).is_nan());
        assert!(tanh_f64(-f64::NAN).is_nan());
    }

    #[test]
    fn f32_specials() {
        let tiny = f32::from_bits(1);
        let same = [0.0, tiny, 3.0 * tiny, f32::MIN_POSITIVE, 1e-5];
        let whole = [9.02, 9.1, f32::MAX, f32::INFINITY];
        let tanh = |x: f32| singles(Arch::new(), &[x])[0];
        let pairs = same.map(|x| (x, x)).into_iter().chain(whole.map(|x| (x, 1.0)));
        for (x, y) in pairs {
            assert_eq!(tanh(x).to_bits(), y.to_bits(), "{x:e}");
            assert_eq!(tanh(-x).to_bits(), (-y).to_bits(), "-{x:e}");
        }
        assert!(tanh(f32::NAN).is_nan());
        assert!(tanh(-f32::NAN).is_nan());
    }
}
