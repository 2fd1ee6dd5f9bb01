//! The other activations, and the derivatives of all.
//!
//! Each formula is written so that nothing cancels. softplus, gelu and gelu's derivative need a logarithm or an
//! error function. These are the `libm` crate's, in `f64`: within 1 ULP, and the same on every machine.
//!
//! A derivative is multiplied with `d`, the gradient of the value.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use pulp::Simd;

use super::exp::expm1;
use super::lanes::Lanes;
use super::sigmoid::{bounded, sigmoid};
use crate::element::Element;

/// selu's slope for positive numbers (Klambauer et al. 2017, <https://arxiv.org/abs/1706.02515>).
const SELU_SCALE: f64 = 1.0507009873554805;

/// selu's slope times its alpha.
const SELU_SCALE_ALPHA: f64 = 1.7580993408473766;

/// 1 / sqrt(2 pi).
const NORMAL_DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// tanh's derivative from its value: (1 - y^2) d, with the difference rounded once.
#[inline(always)]
pub(crate) fn tanh_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    d * (-y).mul_add(y, y.constant(1.0))
}

/// sigmoid's derivative from its value: y (1 - y) d.
#[inline(always)]
pub(crate) fn sigmoid_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    y * (y.constant(1.0) - y) * d
}

/// max(0, x); -0 becomes 0.
#[inline(always)]
pub(super) fn relu<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let zero = x.constant(0.0);
    x.select_le(zero, zero, x)
}

/// relu's derivative from its value: d where the value is positive. A NaN passes d on, as in torch.
#[inline(always)]
pub(super) fn relu_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    let zero = y.constant(0.0);
    y.select_le(zero, zero, d)
}

/// min(max(x + 3, 0), 6) / 6.
#[inline(always)]
pub(super) fn hard_sigmoid<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let six = x.constant(6.0);
    relu(x + x.constant(3.0)).at_most(6.0) / six
}

/// hard_sigmoid's derivative from its value: d / 6 strictly between 0 and 1. A NaN passes d / 6 on.
#[inline(always)]
pub(super) fn hard_sigmoid_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    within(y, d / y.constant(6.0))
}

/// min(max(0.2 x + 0.5, 0), 1), product and sum each rounded, as Keras 2 computes it.
#[inline(always)]
pub(super) fn hard_sigmoid_2<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    relu(x * x.constant(0.2) + x.constant(0.5)).at_most(1.0)
}

/// hard_sigmoid_2's derivative from its value: 0.2 d strictly between 0 and 1. A NaN passes 0.2 d on.
#[inline(always)]
pub(super) fn hard_sigmoid_2_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    within(y, d * y.constant(0.2))
}

/// `d` where y is strictly between 0 and 1, or NaN; zero elsewhere.
#[inline(always)]
fn within<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    let [zero, one] = [0.0, 1.0].map(|c| y.constant(c));
    y.select_le(zero, zero, one.select_le(y, zero, d))
}

/// x / (1 + |x|).
#[inline(always)]
pub(super) fn softsign<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    x / (x.constant(1.0) + x.abs())
}

/// softsign's derivative from its sum: d / (1 + |x|)^2.
#[inline(always)]
pub(super) fn softsign_derivative<A: Element, S: Simd>(x: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    let width = x.constant(1.0) + x.abs();
    d / (width * width)
}

/// elu: x if positive, else exp(x) - 1.
#[inline(always)]
pub(super) fn elu<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    x.constant(0.0).select_le(x, x, expm1(x))
}

/// elu's derivative from its value: d if positive, else (y + 1) d.
#[inline(always)]
pub(super) fn elu_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    y.constant(0.0).select_le(y, d, (y + y.constant(1.0)) * d)
}

/// selu: as elu, with other slopes.
#[inline(always)]
pub(super) fn selu<A: Element, S: Simd>(x: Lanes<A, S>) -> Lanes<A, S> {
    let [slope, slope_alpha] = [SELU_SCALE, SELU_SCALE_ALPHA].map(|c| x.constant(c));
    x.constant(0.0).select_le(x, slope * x, slope_alpha * expm1(x))
}

/// selu's derivative from its value.
#[inline(always)]
pub(super) fn selu_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    let [slope, slope_alpha] = [SELU_SCALE, SELU_SCALE_ALPHA].map(|c| y.constant(c));
    y.constant(0.0).select_le(y, slope, y + slope_alpha) * d
}

/// ln(1 + exp(x)).
pub(super) fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

/// softplus's derivative from its value: sigmoid(x) d = (1 - exp(-y)) d.
#[inline(always)]
pub(super) fn softplus_derivative<A: Element, S: Simd>(y: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    -expm1(-y) * d
}

/// silu's derivative from its sum: s (1 + x (1 - s)) d with s = sigmoid(x).
#[inline(always)]
pub(super) fn silu_derivative<A: Element, S: Simd>(x: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
    let x = bounded(x);
    sigmoid(x) * x.mul_add(sigmoid(-x), x.constant(1.0)) * d
}

/// What `FRAC_1_SQRT_2` lacks of 1 / sqrt(2).
const FRAC_1_SQRT_2_LOW: f64 = -4.833646656726457e-17;

/// The standard normal distribution function, erfc(-x / sqrt(2)) / 2.
fn normal_distribution(x: f64) -> f64 {
    let z = -x * FRAC_1_SQRT_2;
    // Far from 0 the rounding error of z counts z^2 times. To first order `erfc(z + low)` takes it back.
    let low = (-x).mul_add(FRAC_1_SQRT_2, -z) - x * FRAC_1_SQRT_2_LOW;
    let correction = if z.abs() < 28.0 { low * FRAC_2_SQRT_PI * libm::exp(-z * z) } else { 0.0 };
    0.5 * (libm::erfc(z) - correction)
}

/// x Phi(x).
pub(super) fn gelu(x: f64) -> f64 {
    x * normal_distribution(x)
}

/// gelu's derivative from its sum: Phi(x) + x phi(x).
pub(super) fn gelu_derivative(x: f64) -> f64 {
    (x * NORMAL_DENSITY_AT_0).mul_add(libm::exp(-0.5 * x * x), normal_distribution(x))
}

#[cfg(test)]
mod tests {
    use crate::kernels::Activation;
    use crate::kernels::accuracy::{NEAR, every_f32, f32_on_a_stride};

    fn elu(x: f64) -> f64 {
        if x > 0.0 {
            x
        } else if x > -NEAR {
            x + x * x / 2.0 + x * x * x / 6.0
        } else {
            libm::expm1(x)
        }
    }

    fn selu(x: f64) -> f64 {
        if x > 0.0 { super::SELU_SCALE * x } else { super::SELU_SCALE_ALPHA * elu(x) }
    }

    #[test]
    #[ignore = "goes through all 2^32 inputs: some 10 s in release"]
    fn elu_f32_within_one_ulp_everywhere() {
        every_f32(Activation::Elu, elu, 1.0);
    }

    #[test]
    fn f32_on_a_stride_of_all() {
        f32_on_a_stride(Activation::Elu, elu, 1.0);
        f32_on_a_stride(Activation::Selu, selu, 2.0);
    }
}
