//! The exponential that tanh, sigmoid, silu, elu and selu are made of, with the same bits on every machine.
//!
//! It is made of IEEE additions, multiplications, fused multiply-adds, comparisons and moves of bits, in one fixed
//! order. None of these leaves a machine any choice, so every instruction set agrees to the last bit (except in a NaN's
//! payload). Where a machine has no fused multiply-add, the same bits take many times as long.
//!
//! ```text
//! Exp(y, unit):                    unit * exp(y) = scale * (1 + p)
//!     n = round(y / ln 2)
//!     r = y - n * ln 2             |r| <= ln 2 / 2; a pair in f64
//!     p = r + r^2 * C(r)           expm1(r); a pair in f64
//!     scale = unit * 2^n
//!
//! expm1(y) for y <= 0:
//!     return scale * p + (scale - 1)
//! ```
//!
//! The sum `scale - 1` is exact until it is 1 to the last bit, and 0 when n is 0: nothing cancels.
//!
//! `C` is the minimax polynomial to `(expm1(r) - r) / r^2` on `[-ln 2 / 2, ln 2 / 2]`. In `f32` it has degree 4, and the
//! relative error of `p` is 2^-26.2. In `f64` it has degree 10 and an absolute error of 2^-59.3.
//! `tests/golden/polynomials.py` makes both.

use std::f64::consts::{LN_2, LOG2_E};

use pulp::Simd;

use super::lanes::Lanes;
use crate::element::Element;

/// What the `f32` nearest to ln 2 lacks of it.
const LN_2_LOW_F32: f64 = -1.904654323148236e-9;
/// What the `f64` nearest to ln 2 lacks of it.
const LN_2_LOW_F64: f64 = 2.319046813846299e-17;

/// Added to a small number, it leaves no room for a fraction: the sum is rounded to an integer, which stands in
/// its low bits in two's complement.
const ROUNDER_F32: f64 = 1.5 * (1_u64 << 23) as f64;
/// The same for `f64`.
const ROUNDER_F64: f64 = 1.5 * (1_u64 << 52) as f64;

/// `C` in `f32`, from the constant up.
const C_F32: [f64; 5] = [
    0.49999998155155606,
    0.16666543670173417,
    0.04166719964551211,
    0.008366513939024742,
    0.001388252280735407,
];

/// `C` in `f64`, from the constant up.
const C_F64: [f64; 11] = [
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

/// `unit * exp(y)` as `scale * (1 + p)`.
pub(super) struct Exp<V> {
    /// `unit * 2^n`.
    pub(super) scale: V,
    /// `expm1(r)`.
    pub(super) p: V,
    /// What `p` lacks of `expm1(r)` in `f64`; 0 in `f32`.
    pub(super) p_low: V,
}

impl<A: Element, S: Simd> Exp<Lanes<A, S>> {
    /// For a `unit` that is a power of two. Neither `unit` nor `unit * exp(y)` may be subnormal or overflow.
    #[inline(always)]
    pub(super) fn new(y: Lanes<A, S>, unit: Lanes<A, S>) -> Self {
        let rounder = y.constant(if A::SINGLE { ROUNDER_F32 } else { ROUNDER_F64 });
        let shifted = y.mul_add(y.constant(LOG2_E), rounder);
        let n = shifted - rounder;
        let scale = unit.scale(shifted);

        // Exact: when n is not 0, y and n * LN_2 are both multiples of 2^-54 (in `f32`, of 2^-25).
        let r = n.mul_add(y.constant(-LN_2), y);
        if A::SINGLE {
            let r = n.mul_add(y.constant(-LN_2_LOW_F32), r);
            let r2 = r * r;
            return Self { scale, p: r2.mul_add(even_odd(&C_F32, r, r2), r), p_low: y.constant(0.0) };
        }
        let low = n * y.constant(-LN_2_LOW_F64);
        let (r, r_low) = (r + low, (r - (r + low)) + low);
        // expm1(r + r_low) to first order in both: r_low is half an ULP of r at most.
        let tail = (r * r).mul_add(horner(&C_F64, r), r_low.mul_add(r, r_low));
        let p = r + tail;
        Self { scale, p, p_low: (r - p) + tail }
    }
}

#[inline(always)]
fn horner<A: Element, S: Simd>(coefficients: &[f64; 11], x: Lanes<A, S>) -> Lanes<A, S> {
    let mut y = x.constant(coefficients[10]);
    for k in (0..10).rev() {
        y = y.mul_add(x, x.constant(coefficients[k]));
    }
    y
}

/// A polynomial of degree 4. Three steps wait for one another, not four.
#[inline(always)]
pub(super) fn even_odd<A: Element, S: Simd>(
    coefficients: &[f64; 5],
    x: Lanes<A, S>,
    x2: Lanes<A, S>,
) -> Lanes<A, S> {
    let c = coefficients.map(|c| x.constant(c));
    c[4].mul_add(x, c[3]).mul_add(x2, c[2].mul_add(x, c[1])).mul_add(x, c[0])
}

/// exp(y) - 1 for y <= 0, within 1.1 ULP.
#[inline(always)]
pub(super) fn expm1<A: Element, S: Simd>(y: Lanes<A, S>) -> Lanes<A, S> {
    let one = y.constant(1.0);
    // Below -40 the nearest number is -1 in both types.
    let Exp { scale, p, .. } = Exp::new(y.at_least(-40.0), one);
    scale.mul_add(p, scale - one)
}
