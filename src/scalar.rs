//! The public element type.

use std::fmt::Debug;

use crate::cell::{Cell, Elman, Gru, Lstm};
use crate::element::Element;
use crate::engine::{BackReads, BackWrites, Reads, Ready, Scratch, Stack, Writes};
use crate::error::Result;
use crate::kernels::{Activate, Arch, Product, Update};
use crate::planes::Planes;

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
pub trait Scalar: Element + Passes<Elman> + Passes<Lstm> + Passes<Gru> + Leaves {}

impl Scalar for f32 {}
impl Scalar for f64 {}

/// The engine's passes with a cell of type `C`, compiled in this crate.
///
/// A generic function is compiled in every crate that calls it, with that crate's settings. It would be slow to
/// build, and slow to run in a crate that is not optimised.
pub trait Passes<C>: Element {
    /// Runs every layer over every step, once there is memory for it and `ready` is done.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if there is no memory, before anything is written.
    fn forward(
        stack: &Stack<Self, C>,
        reads: Reads<'_, Self>,
        writes: Writes<'_, Self>,
        scratch: &mut Scratch<Self>,
        ready: Option<Ready<'_>>,
    ) -> Result<()>;

    /// Runs every layer, of one direction, over one step of `batch` rows, one after another.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    fn step(
        stack: &Stack<Self, C>,
        rows: &[Self],
        batch: usize,
        state: Planes<&mut [Self]>,
        scratch: &mut Scratch<Self>,
    ) -> Result<()>;

    /// The way back.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if there is no memory; what it writes means nothing then.
    fn backward(
        stack: &Stack<Self, C>,
        reads: &BackReads<'_, Self>,
        writes: BackWrites<'_, Self>,
    ) -> Result<()>;
}

/// A cell of which the engine's passes are compiled here, whichever type the elements have.
pub trait Compiled<A: Element>: Cell<A> + Debug {
    /// As [`Passes::forward`].
    ///
    /// # Errors
    /// As [`Passes::forward`].
    fn run(
        stack: &Stack<A, Self>,
        reads: Reads<'_, A>,
        writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
        ready: Option<Ready<'_>>,
    ) -> Result<()>;

    /// As [`Passes::step`].
    ///
    /// # Errors
    /// As [`Passes::step`].
    fn run_step(
        stack: &Stack<A, Self>,
        rows: &[A],
        batch: usize,
        state: Planes<&mut [A]>,
        scratch: &mut Scratch<A>,
    ) -> Result<()>;

    /// As [`Passes::backward`].
    ///
    /// # Errors
    /// As [`Passes::backward`].
    fn run_back(stack: &Stack<A, Self>, reads: &BackReads<'_, A>, writes: BackWrites<'_, A>) -> Result<()>;
}

impl<A: Passes<C>, C: Cell<A> + Debug> Compiled<A> for C {
    #[inline(always)]
    fn run(
        stack: &Stack<A, C>,
        reads: Reads<'_, A>,
        writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
        ready: Option<Ready<'_>>,
    ) -> Result<()> {
        A::forward(stack, reads, writes, scratch, ready)
    }

    #[inline(always)]
    fn run_step(
        stack: &Stack<A, C>,
        rows: &[A],
        batch: usize,
        state: Planes<&mut [A]>,
        scratch: &mut Scratch<A>,
    ) -> Result<()> {
        A::step(stack, rows, batch, state, scratch)
    }

    #[inline(always)]
    fn run_back(stack: &Stack<A, C>, reads: &BackReads<'_, A>, writes: BackWrites<'_, A>) -> Result<()> {
        A::backward(stack, reads, writes)
    }
}

/// The kernels that are called one by one, compiled in this crate for the same reason as [`Passes`].
pub trait Leaves: Element {
    /// One product.
    fn product(arch: Arch, product: Product<'_, Self>);

    /// One optimiser's step of one parameter.
    fn update(arch: Arch, update: Update<'_, Self>);

    /// An activation of each element of a slice.
    fn activate(arch: Arch, activate: Activate<'_, Self>);
}

macro_rules! compiled {
    ($element:ty: $($cell:ty),*) => {
        $(impl Passes<$cell> for $element {
            fn forward(
                stack: &Stack<Self, $cell>,
                reads: Reads<'_, Self>,
                writes: Writes<'_, Self>,
                scratch: &mut Scratch<Self>,
                ready: Option<Ready<'_>>,
            ) -> Result<()> {
                stack.forward(reads, writes, scratch, ready)
            }

            fn step(
                stack: &Stack<Self, $cell>,
                rows: &[Self],
                batch: usize,
                state: Planes<&mut [Self]>,
                scratch: &mut Scratch<Self>,
            ) -> Result<()> {
                stack.step(rows, batch, state, scratch)
            }

            fn backward(
                stack: &Stack<Self, $cell>,
                reads: &BackReads<'_, Self>,
                writes: BackWrites<'_, Self>,
            ) -> Result<()> {
                stack.backward(reads, writes)
            }
        })*

        impl Leaves for $element {
            fn product(arch: Arch, product: Product<'_, Self>) {
                arch.dispatch(product);
            }

            fn update(arch: Arch, update: Update<'_, Self>) {
                arch.dispatch(update);
            }

            fn activate(arch: Arch, activate: Activate<'_, Self>) {
                arch.dispatch(activate);
            }
        }
    };
}

compiled!(f32: Elman, Lstm, Gru);
compiled!(f64: Elman, Lstm, Gru);
