//! One step of a network or a cell, whoever keeps the state.

use std::sync::Arc;

use ndarray::{Array, ArrayRef, ArrayView, Axis, Dimension};

use super::architecture::{Architecture, CellArchitecture, Kind, Sizes};
use super::cell::{CellDim, RecurrentCell};
use super::network::Recurrent;
use crate::arrays::{as_elements, elements_mut, try_standard};
use crate::engine::{Spares, Stack};
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::planes::{AsPlanes, Planes};
use crate::scalar::Scalar;

/// What a [`Session`](crate::Session) runs: a [`Recurrent`] network or a [`RecurrentCell`], or a borrow or an [`Arc`]
/// of one. Sealed.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{Gru, GruConfig, Result, Session, Stepwise};
///
/// /// For sessions over any kind of network, owned, shared or borrowed.
/// fn steps<N: Stepwise>(session: &mut Session<N>, inputs: &[Array2<N::Elem>]) -> Result<()> {
///     inputs.iter().try_for_each(|input| session.step(input).map(drop))
/// }
/// steps(&mut Gru::<f32>::zeros(GruConfig::new(4, 2))?.session(3)?, &[Array2::ones((3, 4))])?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Stepwise: private::Sealed {
    /// The configuration.
    type Kind: Kind;

    /// The element type.
    type Elem: Scalar;

    #[doc(hidden)]
    fn config(&self) -> &Self::Kind;

    #[doc(hidden)]
    fn stack(&self) -> Result<&Stack<Self::Elem, <Self::Kind as Kind>::Cell<Self::Elem>>>;

    /// The sizes of a network that can take single steps.
    #[doc(hidden)]
    fn sizes(&self, operation: &'static str) -> Result<Sizes> {
        let sizes = self.config().sizes();
        if sizes.num_directions > 1 {
            let reason = "a bidirectional network begins at the end of a sequence, which no step has seen";
            return Err(Error::Unsupported { operation, reason });
        }
        Ok(sizes)
    }
}

/// Makes a network or a cell something that can take steps.
macro_rules! stepwise {
    ($network:ident: $kind:ident) => {
        impl<C: $kind, A: Scalar> Stepwise for $network<C, A> {
            type Kind = C;
            type Elem = A;

            fn config(&self) -> &C {
                self.config()
            }

            #[inline(always)]
            fn stack(&self) -> Result<&Stack<A, C::Cell<A>>> {
                self.stack()
            }
        }
    };
}

stepwise!(Recurrent: Architecture);
stepwise!(RecurrentCell: CellArchitecture);

/// Makes a pointer to what can take steps something that can take steps.
macro_rules! pointer {
    ($($pointer:ty),*) => {
        $(impl<N: Stepwise> Stepwise for $pointer {
            type Kind = N::Kind;
            type Elem = N::Elem;

            fn config(&self) -> &N::Kind {
                (**self).config()
            }

            #[inline(always)]
            fn stack(&self) -> Result<&Stack<N::Elem, <N::Kind as Kind>::Cell<N::Elem>>> {
                (**self).stack()
            }
        })*
    };
}

pointer!(&N, Arc<N>);

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// Takes one step and replaces the state, for a caller who keeps states; a [`Session`](crate::Session) keeps its own.
    /// Returns the last layer's hidden state, which is a view of `state`.
    ///
    /// A step has the bits of the same step of a whole pass. It works in memory that the network lends to four passes and
    /// steps at one time. So it allocates nothing after the first step, if its arrays are in standard layout. A step of a
    /// session takes less time: it checks fewer shapes and locks nothing.
    ///
    /// # Shapes
    /// | | batch | one sequence |
    /// |---|---|---|
    /// | `input` | (N, input_size) | (input_size) |
    /// | each plane of `state` | (num_layers, N, width) | (num_layers, width) |
    /// | result | (N, hidden_size) | (hidden_size) |
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the network is bidirectional, [`Error::Width`] if the input has another width,
    /// [`Error::Shape`] if the state has another shape; the state is unchanged then.
    ///
    /// ```
    /// use ndarray::{Array2, Axis, array};
    /// use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
    ///
    /// let lstm = Lstm::<f32>::new(LstmConfig::new(2, 8), &mut manual_seed(0))?;
    /// let input = array![[0.5, -0.5], [0.25, 0.0], [1.0, 1.0]]; // one sequence of 3 steps
    /// let (output, _) = lstm.forward(&input, None)?;
    ///
    /// let mut state = (Array2::zeros((1, 8)), Array2::zeros((1, 8)));
    /// for (x, expected) in input.outer_iter().zip(output.outer_iter()) {
    ///     assert_eq!(lstm.step(&x, &mut state)?, expected);
    /// }
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn step<'s, D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        state: &'s mut C::State<Array<A, D::Larger>>,
    ) -> Result<ArrayView<'s, A, D>> {
        let sizes = Stepwise::sizes(self, "step")?;
        let h = advance(self, self.cache.spares(), input, state.planes_mut(), Some(sizes.num_layers))?;
        Ok(h.index_axis(Axis(0), sizes.num_layers - 1))
    }
}

impl<C: CellArchitecture, A: Scalar> RecurrentCell<C, A> {
    /// Takes one step and replaces the state. Returns the hidden state, which is a view of `state`.
    ///
    /// It has the bits of [`forward`](Self::forward), and allocates as little as [`Recurrent::step`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward); the state is unchanged then.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ndarray_rnn::{GruCell, GruCellConfig, manual_seed};
    ///
    /// let cell = GruCell::<f32>::new(GruCellConfig::new(4, 2), &mut manual_seed(0))?;
    /// let (x, mut h) = (Array2::ones((3, 4)), Array2::zeros((3, 2)));
    /// cell.step(&x, &mut h)?;
    /// assert_eq!(h, cell.forward(&x, None)?);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn step<'s, D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        state: &'s mut C::State<Array<A, D>>,
    ) -> Result<ArrayView<'s, A, D>> {
        Ok(advance(self, self.cache.spares(), input, state.planes_mut(), None)?.view())
    }
}

/// The names of the planes of a state that steps replace.
pub(super) const PLANES: [&str; 2] = ["h", "c"];

/// Takes one step in memory of the network. Each plane of the state is shaped as the input, with an axis of layers in
/// front if `layers` is given. Returns the plane h.
fn advance<'s, N: Stepwise, D: Dimension, E: Dimension>(
    network: &N,
    spares: &Spares<N::Elem>,
    input: &ArrayRef<N::Elem, D>,
    mut state: Planes<&'s mut Array<N::Elem, E>>,
    layers: Option<usize>,
) -> Result<&'s Array<N::Elem, E>> {
    let sizes = network.config().sizes();
    let (batch, width) = input.shape().split_at(input.ndim() - 1);
    expect_width("input", "input_size", sizes.input_size, width[0])?;
    let shapes = sizes.state_shapes::<N::Kind>(0).named(PLANES).zip(state.as_mut());
    let mut fitting = shapes.try_map(|((name, [.., width]), plane)| {
        let layered = match layers {
            Some(layers) => plane.shape().strip_prefix(&[layers]),
            None => Some(plane.shape()),
        };
        if layered.and_then(|shape| shape.split_last()) != Some((&width, batch)) {
            let expected: Vec<_> = layers.iter().chain(batch).chain([&width]).copied().collect();
            expect_shape(name, &expected, plane.shape())?;
        }
        Ok((name, plane))
    })?;
    fitting.as_mut().try_map(|(name, plane)| {
        if !plane.is_standard_layout() {
            ***plane = try_standard(name, plane)?;
        }
        Ok(())
    })?;
    let rows = as_elements("input", input)?;
    let planes = fitting.map(|(_, plane)| elements_mut(&mut **plane));
    let (stack, batch) = (network.stack()?, batch.iter().product());
    spares.with_scratch(|scratch| N::Kind::step(stack, &rows, batch, planes, scratch))?;
    Ok(state.h)
}

mod private {
    use std::sync::Arc;

    use super::{Architecture, CellArchitecture, Recurrent, RecurrentCell, Scalar};

    pub trait Sealed {}
    impl<C: Architecture, A: Scalar> Sealed for Recurrent<C, A> {}
    impl<C: CellArchitecture, A: Scalar> Sealed for RecurrentCell<C, A> {}
    impl<N: Sealed> Sealed for &N {}
    impl<N: Sealed> Sealed for Arc<N> {}
}
