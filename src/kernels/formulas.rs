//! Activations that need an exponential or an error function, and their derivatives.
//!
//! Elementary functions are those of the `libm` crate, within 1 ULP and the same on every machine; each formula is
//! written so that nothing cancels, and is within 4 ULP (`tests/keras/activations.rs` holds them to mpmath).

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2};

/// selu's slope for positive numbers (Klambauer et al. 2017, <https://arxiv.org/abs/1706.02515>).
const SELU_SCALE: f64 = 1.0507009873554805;

/// selu's slope times its alpha.
const SELU_SCALE_ALPHA: f64 = 1.7580993408473766;

/// 1 / sqrt(2 pi).
const NORMAL_DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// 1 / (1 + exp(-x)).
pub(super) fn sigmoid(x: f64) -> f64 {
    if x < 0.0 {
        let e = libm::exp(x);
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + libm::exp(-x))
    }
}

/// From the value.
pub(super) fn sigmoid_derivative(y: f64) -> f64 {
    y * (1.0 - y)
}

/// x or exp(x) - 1.
pub(super) fn elu(x: f64) -> f64 {
    if x > 0.0 { x } else { libm::expm1(x) }
}

/// From the value.
pub(super) fn elu_derivative(y: f64) -> f64 {
    if y < 0.0 { y + 1.0 } else { 1.0 }
}

/// As elu, with other slopes.
pub(super) fn selu(x: f64) -> f64 {
    if x > 0.0 { SELU_SCALE * x } else { SELU_SCALE_ALPHA * libm::expm1(x) }
}

/// From the value.
pub(super) fn selu_derivative(y: f64) -> f64 {
    if y < 0.0 { y + SELU_SCALE_ALPHA } else { SELU_SCALE }
}

/// ln(1 + exp(x)).
pub(super) fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

/// From the value: sigmoid(x) = 1 - exp(-y).
pub(super) fn softplus_derivative(y: f64) -> f64 {
    // Above ln 2 the difference does not cancel, and loses less than expm1.
    if y > LN_2 { 1.0 - libm::exp(-y) } else { -libm::expm1(-y) }
}

/// What `FRAC_1_SQRT_2` lacks of 1 / sqrt(2).
const FRAC_1_SQRT_2_LOW: f64 = -4.833646656726457e-17;

/// The standard normal distribution function, erfc(-x / sqrt(2)) / 2.
fn normal_distribution(x: f64) -> f64 {
    let z = -x * FRAC_1_SQRT_2;
    // Far out the rounding of z would weigh z^2 times as much: to first order erfc(z + low) takes it back.
    let low = (-x).mul_add(FRAC_1_SQRT_2, -z) - x * FRAC_1_SQRT_2_LOW;
    let correction = if z.abs() < 28.0 { low * FRAC_2_SQRT_PI * libm::exp(-z * z) } else { 0.0 };
    0.5 * (libm::erfc(z) - correction)
}

/// x Phi(x).
pub(super) fn gelu(x: f64) -> f64 {
    x * normal_distribution(x)
}

/// From the sum: Phi(x) + x phi(x).
pub(super) fn gelu_derivative(x: f64) -> f64 {
    (x * NORMAL_DENSITY_AT_0).mul_add(libm::exp(-0.5 * x * x), normal_distribution(x))
}

/// x sigmoid(x).
pub(super) fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// From the sum: s (1 + x (1 - s)), s = sigmoid(x).
pub(super) fn silu_derivative(x: f64) -> f64 {
    sigmoid(x) * x.mul_add(sigmoid(-x), 1.0)
}
