//! Vectors of numbers that are written as one number, and loops over slices by them.
//!
//! An algorithm over [`Lanes`] is written once, and compiled for each instruction set. IEEE 754 fixes the result
//! of each operation, so every instruction set gives the same bits, and so does every lane.
//!
//! Pulp's masks load and store a part of a vector. By way of a padded array on the stack, the load would wait for
//! the writes of single numbers: tanh of 8 numbers with AVX-512 would take 28 ns, not 4.

use std::ops::{Add, Div, Mul, Neg, Sub};

use pulp::{Simd, WithSimd};

use crate::element::{Element, Wide, in_software};

/// As many numbers as a vector register holds.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<A: Element, S: Simd> {
    simd: S,
    vector: A::Vector<S>,
}

impl<A: Element, S: Simd> Lanes<A, S> {
    /// The number of lanes.
    pub const COUNT: usize = size_of::<A::Vector<S>>() / size_of::<A>();

    /// The lanes of a register.
    #[inline(always)]
    pub fn new(simd: S, vector: A::Vector<S>) -> Self {
        Self { simd, vector }
    }

    /// The instruction set.
    #[inline(always)]
    pub(crate) fn simd(self) -> S {
        self.simd
    }

    /// The register.
    #[inline(always)]
    pub fn vector(self) -> A::Vector<S> {
        self.vector
    }

    /// One number in every lane, rounded to the type.
    #[inline(always)]
    pub fn splat(simd: S, value: f64) -> Self {
        Self { simd, vector: A::splat(simd, A::from_f64(value)) }
    }

    /// The numbers of a slice, up to as many as there are lanes; the other lanes are zero.
    #[inline(always)]
    pub fn load(simd: S, slice: &[A]) -> Self {
        if let Some(&vector) = A::vectors::<S>(slice).first() {
            return Self { simd, vector };
        }
        Self { simd, vector: A::load_part(simd, slice) }
    }

    /// Writes the first lanes, as many as there is room for.
    #[inline(always)]
    pub fn store(self, slice: &mut [A]) {
        match A::vectors_mut::<S>(slice).first_mut() {
            Some(vector) => *vector = self.vector,
            None => A::store_part(self.simd, slice, self.vector),
        }
    }

    /// The same number in every lane of another vector.
    #[inline(always)]
    pub(crate) fn constant(self, value: f64) -> Self {
        Self::splat(self.simd, value)
    }

    #[inline(always)]
    fn with(self, vector: A::Vector<S>) -> Self {
        Self { vector, ..self }
    }

    /// `self * factor + summand`, rounded once.
    #[inline(always)]
    pub fn mul_add(self, factor: Self, summand: Self) -> Self {
        self.with(A::fma(self.simd, self.vector, factor.vector, summand.vector))
    }

    /// `yes` where `self <= bound`; `no` elsewhere, and where one is NaN.
    #[inline(always)]
    pub(super) fn select_le(self, bound: Self, yes: Self, no: Self) -> Self {
        self.with(A::select_le(self.simd, self.vector, bound.vector, yes.vector, no.vector))
    }

    /// The larger of `self` and a bound that is not 0; NaN stays NaN.
    #[inline(always)]
    pub(crate) fn at_least(self, bound: f64) -> Self {
        self.with(A::at_least(self.simd, self.constant(bound).vector, self.vector))
    }

    /// The smaller of `self` and a bound that is not 0; NaN stays NaN.
    #[inline(always)]
    pub(crate) fn at_most(self, bound: f64) -> Self {
        self.with(A::at_most(self.simd, self.constant(bound).vector, self.vector))
    }

    /// The sign bit alone.
    #[inline(always)]
    fn sign(self) -> Self {
        self.with(A::and(self.simd, self.vector, self.constant(-0.0).vector))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.with(A::xor(self.simd, self.vector, other.vector))
    }

    /// The absolute value.
    #[inline(always)]
    pub(super) fn abs(self) -> Self {
        self.xor(self.sign())
    }

    /// `self` with the sign of another.
    #[inline(always)]
    pub(super) fn copysign(self, sign: Self) -> Self {
        self.abs().xor(sign.sign())
    }

    /// `self * 2^n`, where n is the integer in the low bits of `shifted`. `self` and the result are normal powers
    /// of two.
    #[inline(always)]
    pub(super) fn scale(self, shifted: Self) -> Self {
        self.with(A::scale(self.simd, self.vector, shifted.vector))
    }
}

/// Implements an operator of Rust by an operation of the element type.
macro_rules! operator {
    ($($operator:ident $name:ident),*) => {
        $(impl<A: Element, S: Simd> $operator for Lanes<A, S> {
            type Output = Self;

            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                self.with(<A as Element>::$name(self.simd, self.vector, other.vector))
            }
        })*
    };
}

operator!(Add add, Sub sub, Mul mul, Div div);

impl<A: Element, S: Simd> Neg for Lanes<A, S> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.xor(self.constant(-0.0))
    }
}

/// Runs a loop over [`Lanes`], of [`Wide`] vectors where `f64` have fused multiply-adds in software. An `f32` has its own in
/// 2 ns: such vectors would win a tenth with 16 units, but take twice as long with one.
#[inline(always)]
pub(crate) fn vectorize<A: Element, S: Simd, L: WithSimd>(simd: S, work: L) -> L::Output {
    if const { in_software::<S>() && !A::SINGLE } { widely(work) } else { simd.vectorize(work) }
}

/// Not inlined: a program of every kind of network would be larger by 220 kB.
#[inline(never)]
fn widely<L: WithSimd>(work: L) -> L::Output {
    Wide.vectorize(work)
}

/// `to[i] = f(from[i], ..)` for slices of the same length.
///
/// A macro, since a function that is passed as an argument is not compiled for the instruction set.
macro_rules! map {
    ($simd:ident, $($f:ident)::+($($from:ident),+) => $to:ident) => {{
        let whole = $to.len() / Lanes::<A, S>::COUNT * Lanes::<A, S>::COUNT;
        {
            let to = A::vectors_mut::<S>($to);
            $(let $from = &A::vectors::<S>($from)[..to.len()];)+
            for i in 0..to.len() {
                to[i] = $($f)::+($(Lanes::<A, S>::new($simd, $from[i])),+).vector();
            }
        }
        if whole < $to.len() {
            $($f)::+($(Lanes::<A, S>::load($simd, &$from[whole..])),+).store(&mut $to[whole..]);
        }
    }};
}

pub(super) use map;
