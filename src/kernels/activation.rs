//! Activations, element by element.

use std::fmt;
use std::str::FromStr;

use pulp::{Simd, WithSimd};

use super::formulas;
use super::lanes::{Lanes, map, vectorize};
use super::sigmoid::{sigmoid, silu};
use super::tanh::tanh;
use crate::element::Element;
use crate::error::{Error, Result};

/// The function from a gate's sum to its value, under Keras's names.
///
/// All have the same bits on every machine, in a slice of any length. The table says what each promises and what
/// an element costs: nanoseconds for `f32` with AVX-512, `f32` with AVX2 and `f64` with AVX-512, on one core of a
/// shared Zen 5 at some 4 GHz (`cargo bench --bench kernels activation`). torch 2.15 takes 2.1 ns for tanh there
/// in `f32` and 5.0 in `f64`, 0.25 and 0.56 for sigmoid.
///
/// | activation | ULP in `f32` | ULP in `f64` | cost |
/// |---|---|---|---|
/// | tanh | 1.6 | 1 | 0.21, 0.44, 0.95 |
/// | sigmoid | 2.5 | 2.5 | 0.11, 0.21, 0.43 |
/// | silu | 2.5 | 2.5 | 0.13, 0.27, 0.45 |
/// | elu | 1 | 1.5 | 0.10, 0.20, 0.36 |
/// | selu | 2 | 2.5 | 0.10, 0.20, 0.36 |
/// | relu, linear, hard_sigmoid, hard_sigmoid_2, softsign | as the formula reads | as the formula reads | 0.03, 0.03, 0.06 (relu) |
/// | softplus, gelu | 0.51 | 4 | 14, 30: functions of the `libm` crate, in `f64` |
///
/// Where a machine has no fused multiply-add, tanh, sigmoid, silu, elu and selu take 8 to 15 ns in `f32`, 40 to 50 in `f64`.
///
/// Source: <https://keras.io/api/layers/activations/>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Activation {
    /// tanh(x).
    #[default]
    Tanh,
    /// max(0, x); NaN stays NaN, -0 becomes 0.
    Relu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x.
    Linear,
    /// min(max(x + 3, 0), 6) / 6: Keras 3's, and torch's.
    HardSigmoid,
    /// min(max(0.2 x + 0.5, 0), 1): what Keras 1 and 2 call hard_sigmoid. Keras 3 has no name for it.
    #[cfg_attr(feature = "serde", serde(rename = "hard_sigmoid_2"))]
    HardSigmoid2,
    /// x where x > 0, exp(x) - 1 elsewhere.
    Elu,
    /// 1.0507009873554805 x where x > 0, 1.7580993408473766 (exp(x) - 1) elsewhere.
    Selu,
    /// x / (1 + |x|).
    Softsign,
    /// ln(1 + exp(x)).
    Softplus,
    /// x Phi(x), with Phi the distribution function of a standard normal variable: Keras's exact form, not its
    /// approximation.
    Gelu,
    /// x / (1 + exp(-x)), also called swish.
    Silu,
}

impl Activation {
    /// All activations.
    pub const ALL: [Self; 12] = [
        Self::Tanh,
        Self::Relu,
        Self::Sigmoid,
        Self::Linear,
        Self::HardSigmoid,
        Self::HardSigmoid2,
        Self::Elu,
        Self::Selu,
        Self::Softsign,
        Self::Softplus,
        Self::Gelu,
        Self::Silu,
    ];

    /// Keras's name, of [`HardSigmoid2`](Self::HardSigmoid2) one like it.
    fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Linear => "linear",
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSigmoid2 => "hard_sigmoid_2",
            Self::Elu => "elu",
            Self::Selu => "selu",
            Self::Softsign => "softsign",
            Self::Softplus => "softplus",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
        }
    }

    /// Whether [`derive`](Self::derive) reads the sums. The other derivatives follow from the values.
    pub(crate) fn derives_from_sums(self) -> bool {
        matches!(self, Self::Softsign | Self::Gelu | Self::Silu)
    }

    /// The derivative times `d`, `at` what [`derive`](Self::derive) computes it from.
    #[inline(always)]
    pub(crate) fn slope<A: Element, S: Simd>(self, at: Lanes<A, S>, d: Lanes<A, S>) -> Lanes<A, S> {
        let [mut of_at, mut d_to, mut d_from] = [A::Line::default(); 3];
        let lanes = ..Lanes::<A, S>::COUNT;
        at.store(&mut of_at[lanes]);
        d.store(&mut d_to[lanes]);
        let (at, d_to, d_from) = (&of_at[lanes], &d_to[lanes], &mut d_from[lanes]);
        self.derive(d.simd(), [at; 2], d_to, d_from);
        Lanes::load(d.simd(), d_from)
    }

    /// `to[i] = f(from[i])`. Not inlined: every place that asks for a function would have the code of all of them.
    #[inline(never)]
    pub(crate) fn map<A: Element, S: Simd>(self, simd: S, from: &[A], to: &mut [A]) {
        vectorize::<A, _, _>(simd, Values(Activate { activation: self, from, to }));
    }

    /// `d_from[i] = f'(from[i]) * d_to[i]`. The derivative f' is computed from `from` if
    /// [`derives_from_sums`](Self::derives_from_sums), else from `to[i] = f(from[i])`.
    #[inline(never)]
    pub(crate) fn derive<A: Element, S: Simd>(
        self,
        simd: S,
        [from, to]: [&[A]; 2],
        d_to: &[A],
        d_from: &mut [A],
    ) {
        let at = if self.derives_from_sums() { from } else { to };
        vectorize::<A, _, _>(simd, Derive { activation: self, at, d_to, d_from });
    }
}

/// Keras's name; `hard_sigmoid_2` for the `hard_sigmoid` of Keras 1 and 2.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From Keras's name; `swish` is `silu`.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let wanted = if name == "swish" { "silu" } else { name };
        Self::ALL.into_iter().find(|activation| activation.name() == wanted).ok_or_else(|| {
            Error::UnknownName {
                what: "activation",
                expected: Self::ALL.into_iter().map(Self::name).chain(["swish"]).collect(),
                actual: name.into(),
            }
        })
    }
}

/// An activation of each element of a slice.
#[derive(Debug)]
pub struct Activate<'a, A> {
    /// The function.
    pub activation: Activation,
    /// The arguments.
    pub from: &'a [A],
    /// The values, as many as arguments.
    pub to: &'a mut [A],
}

/// By [`Activation::map`], whose code is compiled only once.
impl<A: Element> WithSimd for Activate<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.activation.map(simd, self.from, self.to);
    }
}

/// The loop of [`Activate`].
struct Values<'a, A>(Activate<'a, A>);

impl<A: Element> WithSimd for Values<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Activate { activation, from, to } = self.0;
        match activation {
            Activation::Tanh => map!(simd, tanh(from) => to),
            Activation::Relu => map!(simd, formulas::relu(from) => to),
            Activation::Sigmoid => map!(simd, sigmoid(from) => to),
            Activation::Linear => to.copy_from_slice(from),
            Activation::HardSigmoid => map!(simd, formulas::hard_sigmoid(from) => to),
            Activation::HardSigmoid2 => map!(simd, formulas::hard_sigmoid_2(from) => to),
            Activation::Elu => map!(simd, formulas::elu(from) => to),
            Activation::Selu => map!(simd, formulas::selu(from) => to),
            Activation::Softsign => map!(simd, formulas::softsign(from) => to),
            Activation::Softplus => in_double(from, to, formulas::softplus),
            Activation::Gelu => in_double(from, to, formulas::gelu),
            Activation::Silu => map!(simd, silu(from) => to),
        }
    }
}

/// A derivative times a gradient.
struct Derive<'a, A> {
    activation: Activation,
    at: &'a [A],
    d_to: &'a [A],
    d_from: &'a mut [A],
}

impl<A: Element> WithSimd for Derive<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { activation, at, d_to, d_from } = self;
        match activation {
            Activation::Tanh => map!(simd, formulas::tanh_derivative(at, d_to) => d_from),
            Activation::Relu => map!(simd, formulas::relu_derivative(at, d_to) => d_from),
            Activation::Sigmoid => map!(simd, formulas::sigmoid_derivative(at, d_to) => d_from),
            Activation::Linear => d_from.copy_from_slice(d_to),
            Activation::HardSigmoid => map!(simd, formulas::hard_sigmoid_derivative(at, d_to) => d_from),
            Activation::HardSigmoid2 => map!(simd, formulas::hard_sigmoid_2_derivative(at, d_to) => d_from),
            Activation::Elu => map!(simd, formulas::elu_derivative(at, d_to) => d_from),
            Activation::Selu => map!(simd, formulas::selu_derivative(at, d_to) => d_from),
            Activation::Softsign => map!(simd, formulas::softsign_derivative(at, d_to) => d_from),
            Activation::Softplus => map!(simd, formulas::softplus_derivative(at, d_to) => d_from),
            Activation::Gelu => derive_in_double(at, d_to, d_from, formulas::gelu_derivative),
            Activation::Silu => map!(simd, formulas::silu_derivative(at, d_to) => d_from),
        }
    }
}

/// `f` of each element, rounded once. Compiled once for all instruction sets, since calls of libm's functions are
/// not vectorised.
#[inline(never)]
fn in_double<A: Element>(from: &[A], to: &mut [A], f: fn(f64) -> f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = A::from_f64(f(from.into_f64())));
}

/// `f(at) * d_to`, rounded once in `f32`.
#[inline(never)]
fn derive_in_double<A: Element>(at: &[A], d_to: &[A], d_from: &mut [A], f: fn(f64) -> f64) {
    for (d_from, (at, d_to)) in d_from.iter_mut().zip(at.iter().zip(d_to)) {
        *d_from = A::from_f64(f(at.into_f64()) * d_to.into_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::Activation;
    use crate::kernels::accuracy::values;
    use crate::kernels::{Arch, Element, archs};
    use pulp::{Simd, WithSimd};

    /// A derivative at some numbers times a gradient.
    struct Slopes<'a, A>(Activation, &'a [A], &'a [A]);

    impl<A: Element> WithSimd for Slopes<'_, A> {
        type Output = Vec<A>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<A> {
            let Self(activation, at, d_to) = self;
            let mut d_from = at.to_vec();
            activation.derive(simd, [at; 2], d_to, &mut d_from);
            d_from
        }
    }

    fn slopes<A: Element>(arch: Arch, activation: Activation, at: &[A], d_to: &[A]) -> Vec<A> {
        arch.dispatch(Slopes(activation, at, d_to))
    }

    /// A number has the same bits wherever it stands, in a whole vector or in a part of one, on every instruction
    /// set.
    fn of_any_length<A: Element>() {
        let number = |i: i32| A::from_f64(f64::from(i * 37 % 101 - 50) / 9.0);
        let xs: Vec<A> = (0..67).map(number).collect();
        for activation in Activation::ALL {
            let alone = |x: &A, d: &A| {
                let d = slopes(Arch::Scalar, activation, &[*x], &[*d])[0];
                [values(Arch::Scalar, activation, &[*x])[0], d]
            };
            let expected: Vec<_> = xs.iter().zip(xs.iter().rev()).map(|(x, d)| alone(x, d)).collect();
            for (name, arch) in archs() {
                for length in 0..=xs.len() {
                    let d: Vec<_> = xs.iter().rev().take(length).copied().collect();
                    let ys = values(arch, activation, &xs[..length]);
                    let slopes = slopes(arch, activation, &xs[..length], &d);
                    for (i, pair) in ys.into_iter().zip(slopes).enumerate() {
                        let bits = |x: A| x.into_f64().to_bits();
                        assert_eq!(
                            [pair.0, pair.1].map(bits),
                            expected[i].map(bits),
                            "{activation} of number {i} of {length} with {name}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn of_any_length_f32() {
        of_any_length::<f32>();
    }

    #[test]
    fn of_any_length_f64() {
        of_any_length::<f64>();
    }
}
