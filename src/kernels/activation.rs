//! Activations, element by element.

use std::fmt;
use std::str::FromStr;

use pulp::{Simd, WithSimd};

use super::formulas;
use super::tanh::{CHUNK, tanh_f32, tanh_f64};
use crate::element::Element;
use crate::error::{Error, Result};

/// The function from a gate's sum to its value, under Keras's names.
///
/// tanh, relu, linear, hard_sigmoid and softsign are basic operations of the element type. The others are computed in `f64`
/// and rounded once: in `f32` within 0.51 ULP of the formula, in `f64` within 4. All have the same bits on every
/// machine.
///
/// Source: <https://keras.io/api/layers/activations/>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Activation {
    /// tanh(x): correctly rounded in `f32`, within 1 ULP in `f64`.
    #[default]
    Tanh,
    /// max(0, x); NaN stays NaN, -0 becomes 0.
    Relu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x.
    Linear,
    /// min(max(x + 3, 0), 6) / 6.
    HardSigmoid,
    /// x where x > 0, exp(x) - 1 elsewhere.
    Elu,
    /// 1.0507009873554805 x where x > 0, 1.7580993408473766 (exp(x) - 1) elsewhere.
    Selu,
    /// x / (1 + |x|).
    Softsign,
    /// ln(1 + exp(x)).
    Softplus,
    /// x Phi(x), Phi the distribution function of a standard normal variable; Keras's, not its approximation.
    Gelu,
    /// x / (1 + exp(-x)), also called swish.
    Silu,
}

impl Activation {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Tanh,
        Self::Relu,
        Self::Sigmoid,
        Self::Linear,
        Self::HardSigmoid,
        Self::Elu,
        Self::Selu,
        Self::Softsign,
        Self::Softplus,
        Self::Gelu,
        Self::Silu,
    ];

    /// Keras's name.
    fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Linear => "linear",
            Self::HardSigmoid => "hard_sigmoid",
            Self::Elu => "elu",
            Self::Selu => "selu",
            Self::Softsign => "softsign",
            Self::Softplus => "softplus",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
        }
    }

    /// `to[i] = f(from[i])`.
    #[inline(always)]
    pub(crate) fn map<A: Element, S: Simd>(self, simd: S, from: &[A], to: &mut [A]) {
        match self {
            Self::Tanh => simd.vectorize(Tanh { from, to }),
            Self::Relu => simd.vectorize(Map { from, to, f: relu }),
            Self::Linear => to.copy_from_slice(from),
            Self::HardSigmoid => simd.vectorize(Map { from, to, f: hard_sigmoid }),
            Self::Softsign => simd.vectorize(Map { from, to, f: softsign }),
            Self::Sigmoid => in_double(from, to, formulas::sigmoid),
            Self::Elu => in_double(from, to, formulas::elu),
            Self::Selu => in_double(from, to, formulas::selu),
            Self::Softplus => in_double(from, to, formulas::softplus),
            Self::Gelu => in_double(from, to, formulas::gelu),
            Self::Silu => in_double(from, to, formulas::silu),
        }
    }

    /// Whether [`derive`](Self::derive) reads the sums; for the others the values say enough.
    pub(crate) fn derives_from_sums(self) -> bool {
        matches!(self, Self::Softsign | Self::Gelu | Self::Silu)
    }

    /// `d_from[i] = f'(from[i]) * d_to[i]`, f' in terms of `to[i] = f(from[i])`, or of `from` where
    /// [`derives_from_sums`](Self::derives_from_sums).
    #[inline(always)]
    pub(crate) fn derive<A: Element, S: Simd>(
        self,
        simd: S,
        from: &[A],
        to: &[A],
        d_to: &[A],
        d_from: &mut [A],
    ) {
        match self {
            Self::Tanh => simd.vectorize(Derive { at: to, d_to, d_from, f: tanh_derivative }),
            Self::Relu => simd.vectorize(Derive { at: to, d_to, d_from, f: relu_derivative }),
            Self::Linear => d_from.copy_from_slice(d_to),
            Self::HardSigmoid => simd.vectorize(Derive { at: to, d_to, d_from, f: hard_sigmoid_derivative }),
            Self::Softsign => simd.vectorize(Derive { at: from, d_to, d_from, f: softsign_derivative }),
            Self::Sigmoid => derive_in_double(to, d_to, d_from, formulas::sigmoid_derivative),
            Self::Elu => derive_in_double(to, d_to, d_from, formulas::elu_derivative),
            Self::Selu => derive_in_double(to, d_to, d_from, formulas::selu_derivative),
            Self::Softplus => derive_in_double(to, d_to, d_from, formulas::softplus_derivative),
            Self::Gelu => derive_in_double(from, d_to, d_from, formulas::gelu_derivative),
            Self::Silu => derive_in_double(from, d_to, d_from, formulas::silu_derivative),
        }
    }
}

/// Keras's name.
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
    /// Its arguments.
    pub from: &'a [A],
    /// As many values.
    pub to: &'a mut [A],
}

impl<A: Element> WithSimd for Activate<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.activation.map(simd, self.from, self.to);
    }
}

/// tanh over a slice, compiled for an instruction set.
struct Tanh<'a, A> {
    from: &'a [A],
    to: &'a mut [A],
}

impl<A: Element> WithSimd for Tanh<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (to, to_rest) = self.to.as_chunks_mut::<CHUNK>();
        let (from, from_rest) = self.from.as_chunks::<CHUNK>();
        to.iter_mut().zip(from).for_each(|(to, from)| tanh(simd, from, to));
        // Vectors for the rest too: one by one would take longer than many chunks.
        if !from_rest.is_empty() {
            let lanes = size_of::<A::Vector<S>>() / size_of::<A>();
            let mut rest = [A::zero(); CHUNK];
            for (vector, from) in A::vectors_mut::<S>(&mut rest).iter_mut().zip(from_rest.chunks(lanes)) {
                *vector = A::load_part(simd, from);
            }
            let mut values = rest;
            tanh(simd, &rest, &mut values);
            for (to, &vector) in to_rest.chunks_mut(lanes).zip(A::vectors::<S>(&values)) {
                A::store_part(simd, to, vector);
            }
        }
    }
}

/// tanh of a chunk.
#[inline(always)]
fn tanh<A: Element, S: Simd>(simd: S, from: &[A; CHUNK], to: &mut [A; CHUNK]) {
    // The conversions are exact there and back; of `f64` they compile to nothing.
    if A::SINGLE {
        let mut xs = [0.0; CHUNK];
        for i in 0..CHUNK {
            xs[i] = from[i].into_f64();
        }
        tanh_f32(simd, &mut xs);
        for i in 0..CHUNK {
            to[i] = A::from_f64(xs[i]);
        }
    } else {
        for i in 0..CHUNK {
            to[i] = A::from_f64(tanh_f64(from[i].into_f64()));
        }
    }
}

/// `f` over a slice, compiled for an instruction set.
struct Map<'a, A, F> {
    from: &'a [A],
    to: &'a mut [A],
    f: F,
}

impl<A: Element, F: Fn(A) -> A> WithSimd for Map<'_, A, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.to.iter_mut().zip(self.from).for_each(|(to, &from)| *to = (self.f)(from));
    }
}

/// As [`Map`], for a function of two values.
struct Derive<'a, A, F> {
    at: &'a [A],
    d_to: &'a [A],
    d_from: &'a mut [A],
    f: F,
}

impl<A: Element, F: Fn(A, A) -> A> WithSimd for Derive<'_, A, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let pairs = self.at.iter().zip(self.d_to);
        self.d_from.iter_mut().zip(pairs).for_each(|(d_from, (&at, &d_to))| *d_from = (self.f)(at, d_to));
    }
}

/// `f` over a slice, rounded once. Compiled once: what calls functions of libm is no vector code.
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

#[inline(always)]
fn relu<A: Element>(x: A) -> A {
    if x <= A::zero() { A::zero() } else { x }
}

/// NaN stays NaN.
#[inline(always)]
fn hard_sigmoid<A: Element>(x: A) -> A {
    let six = A::from_f64(6.0);
    let x = relu(x + A::from_f64(3.0));
    (if x > six { six } else { x }) / six
}

#[inline(always)]
fn softsign<A: Element>(x: A) -> A {
    x / (A::one() + x.abs())
}

/// (1 - tanh^2) d, the difference rounded once.
#[inline(always)]
fn tanh_derivative<A: Element>(y: A, d: A) -> A {
    d * (-y).mul_add(y, A::one())
}

/// d where relu is positive; a NaN passes it on, as in torch.
#[inline(always)]
fn relu_derivative<A: Element>(y: A, d: A) -> A {
    if y <= A::zero() { A::zero() } else { d }
}

/// d / 6 strictly between the ends; a NaN passes it on.
#[inline(always)]
fn hard_sigmoid_derivative<A: Element>(y: A, d: A) -> A {
    if y <= A::zero() || y >= A::one() { A::zero() } else { d / A::from_f64(6.0) }
}

/// d / (1 + |x|)^2.
#[inline(always)]
fn softsign_derivative<A: Element>(x: A, d: A) -> A {
    let width = A::one() + x.abs();
    d / (width * width)
}
