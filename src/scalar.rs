//! The public element type.

use crate::cell::Elman;
use crate::element::Element;
use crate::engine::{Backward, Forward, Scratch, Stack};
use crate::kernels::{Arch, Product, Update};

/// The element type of arrays, parameters and results: `f32` or `f64`, and no other.
///
/// The trait is sealed: every implementation is a promise about bits that the tests of this crate keep.
///
/// ```
/// use ndarray_rnn::{Rnn, RnnConfig, Scalar, manual_seed};
///
/// fn layers<A: Scalar>() -> ndarray_rnn::Result<usize> {
///     let rnn = Rnn::<A>::new(RnnConfig::new(4, 2).num_layers(3), &mut manual_seed(0))?;
///     Ok(rnn.config().num_layers)
/// }
/// assert_eq!(layers::<f32>()?, layers::<f64>()?);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Scalar: Element + Passes<Elman> + Leaves {}

impl Scalar for f32 {}
impl Scalar for f64 {}

/// The engine's passes with a cell of type `C`, compiled in this crate.
///
/// A generic function would be compiled in every crate that calls it, with that crate's settings: slow to build, and
/// slow to run where it is not optimised.
pub trait Passes<C>: Element {
    /// Runs every layer over every step.
    fn forward(stack: &Stack<Self, C>, pass: Forward<'_, Self>, scratch: &mut Scratch<Self>);

    /// The way back.
    fn backward(stack: &Stack<Self, C>, pass: Backward<'_, Self>);
}

impl Passes<Elman> for f32 {
    fn forward(stack: &Stack<Self, Elman>, pass: Forward<'_, Self>, scratch: &mut Scratch<Self>) {
        stack.forward(pass, scratch);
    }

    fn backward(stack: &Stack<Self, Elman>, pass: Backward<'_, Self>) {
        stack.backward(pass);
    }
}

impl Passes<Elman> for f64 {
    fn forward(stack: &Stack<Self, Elman>, pass: Forward<'_, Self>, scratch: &mut Scratch<Self>) {
        stack.forward(pass, scratch);
    }

    fn backward(stack: &Stack<Self, Elman>, pass: Backward<'_, Self>) {
        stack.backward(pass);
    }
}

/// The kernels that are called one by one, compiled in this crate as [`Passes`] are.
pub trait Leaves: Element {
    /// One product.
    fn product(arch: Arch, product: Product<'_, Self>);

    /// One optimiser's step of one parameter.
    fn update(arch: Arch, update: Update<'_, Self>);
}

impl Leaves for f32 {
    fn product(arch: Arch, product: Product<'_, Self>) {
        arch.dispatch(product);
    }

    fn update(arch: Arch, update: Update<'_, Self>) {
        arch.dispatch(update);
    }
}

impl Leaves for f64 {
    fn product(arch: Arch, product: Product<'_, Self>) {
        arch.dispatch(product);
    }

    fn update(arch: Arch, update: Update<'_, Self>) {
        arch.dispatch(update);
    }
}
