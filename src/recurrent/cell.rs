//! One step of one layer.

use ndarray::{Array, Array2, ArrayRef, ArrayView2, Axis, Dimension, Ix1, Ix2, RemoveAxis};
use rand::Rng;

use super::architecture::CellArchitecture;
use super::back::Gradients;
use super::parameters::CellParameters;
use crate::arrays::{elements_mut, try_standard, with_plain_rows};
use crate::engine::{
    BackReads, BackWeights, BackWrites, Cache, Course, Factors, Kept, Origin, Reads, Ready, Stack, Writes,
};
use crate::error::{Error, Result, expect_shape, expect_width};
use crate::layout::Layout;
use crate::parameters::{Parameters, of_parameters};
use crate::planes::Planes;
use crate::random;
use crate::room::zeros;
use crate::rows::Source;
use crate::scalar::Scalar;

/// One step of one layer. The type of its configuration says of which kind: for an [`RnnCell`](crate::RnnCell) it
/// is [`RnnCellConfig`](crate::RnnCellConfig).
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{LstmCellConfig, RecurrentCell, manual_seed};
///
/// let cell = RecurrentCell::<_, f32>::new(LstmCellConfig::new(4, 2), &mut manual_seed(0))?; // an `LstmCell`
/// let (h, c) = cell.forward(&Array2::ones((3, 4)), None)?;
/// assert_eq!((h.dim(), c.dim()), ((3, 2), (3, 2)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RecurrentCell<C: CellArchitecture, A: Scalar = f32> {
    config: C,
    parameters: CellParameters<A>,
    pub(super) cache: Cache<A, C::Cell<A>>,
}

/// What a step in training leaves for [`RecurrentCell::backward`]: `N (input_size + 2 hidden_size)` numbers for an
/// [`RnnCell`](crate::RnnCell), `N (input_size + 7 hidden_size)` for the others, `hidden_size` rounded up to a cache line.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{GruCell, GruCellConfig};
///
/// let cell = GruCell::<f32>::zeros(GruCellConfig::new(4, 2))?;
/// let (h, trace) = cell.forward_train(&Array2::ones((3, 4)), None)?;
/// assert_eq!(cell.backward(&trace, &h)?.input.dim(), (3, 4));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CellTrace<C, A: Scalar> {
    origin: Origin<C>,
    kept: Box<Kept<A>>,
    /// The shape of the input.
    shape: Vec<usize>,
}

impl<C: CellArchitecture, A: Scalar> RecurrentCell<C, A> {
    /// A cell with torch's initial parameters, each drawn from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    ///
    /// # Errors
    /// [`Error::ZeroSize`] if a size is zero, [`Error::SizeOverflow`] if no memory can hold the parameters.
    pub fn new<R: Rng + ?Sized>(config: C, rng: &mut R) -> Result<Self> {
        let mut cell = Self::zeros(config)?;
        let bound = 1.0 / (cell.config.sizes().hidden_size as f64).sqrt();
        for (_, mut value) in cell.named_parameters_mut() {
            random::uniform(&mut value, -bound, bound, rng)?;
        }
        Ok(cell)
    }

    /// A cell whose parameters are zero.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: C) -> Result<Self> {
        let sizes = config.sizes();
        sizes.validate()?;
        let shape = [sizes.input_size, sizes.features()];
        let parameters = CellParameters::zeros(C::ORDER, sizes.hidden_size, shape, sizes.bias)?;
        Ok(Self { config, parameters, cache: Cache::default() })
    }

    /// Returns the next state. The input is a batch (2-D) or one row (1-D); the state is zero if not given.
    ///
    /// # Errors
    /// [`Error::Width`] if the input has another width, [`Error::Shape`] if the state has another shape.
    pub fn forward<D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        state: Option<C::State<&ArrayRef<A, D>>>,
    ) -> Result<C::State<Array<A, D>>> {
        let (rows, mut state) = self.checked(input, state)?;
        let layout = Layout::equal(1, rows.nrows());
        let rows = with_plain_rows("input", rows.insert_axis(Axis(0)))?;
        let planes = state.as_mut().map(|plane| elements_mut(plane));
        let reads = Reads::new(Source::grid(&rows, None), &layout.steps);
        let (stack, spares) = (self.stack()?, self.cache.spares());
        spares.with_scratch(|scratch| C::forward(stack, reads, Writes::new(planes), scratch, None))?;
        Ok(C::state(state.map(D::from_rows)))
    }

    /// As [`forward`](Self::forward), and also returns the trace that [`backward`](Self::backward) reads.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: CellDim>(
        &self,
        input: &ArrayRef<A, D>,
        state: Option<C::State<&ArrayRef<A, D>>>,
    ) -> Result<(C::State<Array<A, D>>, CellTrace<C, A>)> {
        let (rows, mut state) = self.checked(input, state)?;
        let course = Course::of(Layout::equal(1, rows.nrows()));
        let layout = course.layout.copied()?;
        let rows = with_plain_rows("input", rows.insert_axis(Axis(0)))?;
        let (stack, spares) = (self.stack()?, self.cache.spares());
        let run = |reads: Reads<'_, A>, writes: Writes<'_, A>, ready: Option<Ready<'_>>| {
            spares.with_scratch(|scratch| C::forward(stack, reads, writes, scratch, ready))
        };
        let source = Source::grid(&rows, layout.order.as_deref());
        let planes = state.as_mut().map(|plane| elements_mut(plane));
        let kept = Kept::of(stack, course, source, planes, (Factors::default(), 0, |_| Ok(())), spares, run)?;
        let trace = CellTrace { origin: self.cache.origin(&self.config), kept, shape: input.shape().into() };
        Ok((C::state(state.map(D::from_rows)), trace))
    }

    /// Returns the gradients of a loss with respect to parameters, input and state, from its gradient with respect
    /// to the next state.
    ///
    /// The formulas and the order of every sum are those of [`Recurrent::backward`](crate::Recurrent::backward)
    /// for one step. Over several steps the caller adds up the gradients of the parameters.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`] and [`Error::StaleTrace`] as [`Recurrent::backward`](crate::Recurrent::backward);
    /// [`Error::Rank`] if `d_state` is of a batch and the step was of one row, or the reverse; [`Error::Shape`] if
    /// `d_state` has another shape.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Nonlinearity, Parameters, RnnCell, RnnCellConfig};
    ///
    /// let mut cell = RnnCell::<f64>::zeros(RnnCellConfig::new(1, 1).nonlinearity(Nonlinearity::Relu).bias(false))?;
    /// cell.named_parameters_mut().into_iter().for_each(|(_, mut weight)| weight.fill(2.0));
    ///
    /// let (next, trace) = cell.forward_train(&array![3.0], Some(&array![5.0]))?; // relu(2 * 3 + 2 * 5)
    /// assert_eq!(next, array![16.0]);
    /// let gradients = cell.backward(&trace, &array![1.0])?;
    /// assert_eq!((gradients.input, gradients.state), (array![2.0], array![2.0]));
    /// assert_eq!(gradients.parameters.weight_ih(), array![[3.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[expect(clippy::type_complexity, reason = "gradients of parameters, input and state")]
    pub fn backward<D: CellDim>(
        &self,
        trace: &CellTrace<C, A>,
        d_state: C::State<&ArrayRef<A, D>>,
    ) -> Result<Gradients<CellParameters<A>, Array<A, D>, C::State<Array<A, D>>>> {
        self.cache.expect(&self.config, &trace.origin)?;
        let (expected, planes) = (trace.shape.len(), C::planes(d_state));
        if expected != planes.h.ndim() {
            return Err(Error::Rank { array: "d_h", expected, actual: planes.h.ndim() });
        }
        self.expect_state(["d_h", "d_c"], planes.as_ref().map(|plane| plane.shape()), &trace.shape)?;
        let planes = planes.named(["d_h", "d_c"]);
        let mut d_state = planes.try_map(|(name, plane)| try_standard(name, &D::rows(plane)))?;
        let mut d_input = zeros("d_input", (d_state.h.nrows(), self.config.sizes().input_size))?;
        let mut parameters = self.parameters.try_zeros_like()?;
        let reads = BackReads { weights: self.back_weights()?, kept: &trace.kept, d_output: None };
        let writes = BackWrites {
            d_state: d_state.as_mut().map(|plane| elements_mut(plane)),
            d_input: Some(elements_mut(&mut d_input)),
            d_parameters: vec![parameters.lend(C::ORDER)],
        };
        C::backward(self.stack()?, &reads, writes)?;
        Ok(Gradients { parameters, input: D::from_rows(d_input), state: C::state(d_state.map(D::from_rows)) })
    }

    /// The input as rows, and the state, or zeros.
    fn checked<'a, D: CellDim>(
        &self,
        input: &'a ArrayRef<A, D>,
        state: Option<C::State<&ArrayRef<A, D>>>,
    ) -> Result<(ArrayView2<'a, A>, Planes<Array2<A>>)> {
        let (rows, sizes) = (D::rows(input), self.config.sizes());
        expect_width("input", "input_size", sizes.input_size, rows.ncols())?;
        let state = match state.map(C::planes) {
            None => sizes
                .state_shapes::<C>(rows.nrows())
                .named(C::STATE)
                .try_map(|(name, [_, batch, width])| zeros(name, (batch, width)))?,
            Some(planes) => {
                self.expect_state(C::STATE, planes.as_ref().map(|plane| plane.shape()), input.shape())?;
                let planes = planes.named(C::STATE);
                planes.try_map(|(name, plane)| try_standard(name, &D::rows(plane)))?
            }
        };
        Ok((rows, state))
    }

    /// Checks the shapes of a state against the shape of an input.
    fn expect_state(&self, names: [&str; 2], state: Planes<&[usize]>, input: &[usize]) -> Result<()> {
        let batch = &input[..input.len() - 1];
        let planes = state.zip(self.config.sizes().state_shapes::<C>(0));
        for (name, plane) in names.into_iter().zip([Some(planes.h), planes.c]) {
            let Some((actual, [.., width])) = plane else { continue };
            let expected: Vec<_> = batch.iter().copied().chain([width]).collect();
            expect_shape(name, &expected, actual)?;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn stack(&self) -> Result<&Stack<A, C::Cell<A>>> {
        self.cache.stack(|plan| {
            let weights = self.parameters.view(C::ORDER).pack::<C::Cell<A>>()?;
            Ok(Stack::new(vec![weights], 1, self.config.cell(), plan))
        })
    }

    fn back_weights(&self) -> Result<&[Vec<BackWeights<A>>]> {
        self.cache.back_weights(|| Ok(vec![vec![self.parameters.view(C::ORDER).pack_back()?]]))
    }
}

of_parameters!([C: CellArchitecture, A: Scalar] RecurrentCell<C, A> { C, CellParameters<A>, cache });

/// The number of axes of a step's input: [`Ix2`](type@Ix2) for a batch, [`Ix1`](type@Ix1) for one row. Sealed.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use ndarray_rnn::{GruCell, GruCellConfig};
///
/// let cell = GruCell::<f32>::zeros(GruCellConfig::new(4, 2))?;
/// assert_eq!(cell.forward(&Array2::ones((3, 4)), None)?.dim(), (3, 2)); // a batch
/// assert_eq!(cell.forward(&Array1::ones(4), None)?.dim(), 2); // one row
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait CellDim:
    Dimension<Larger: RemoveAxis<Smaller = Self> + 'static> + private::Sealed + 'static
{
    /// The array as (N, width).
    #[doc(hidden)]
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A>;

    /// The result's array from (N, width).
    #[doc(hidden)]
    fn from_rows<A>(array: Array2<A>) -> Array<A, Self>;
}

impl CellDim for Ix2 {
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A> {
        array.view()
    }

    fn from_rows<A>(array: Array2<A>) -> Array<A, Self> {
        array
    }
}

impl CellDim for Ix1 {
    fn rows<A>(array: &ArrayRef<A, Self>) -> ArrayView2<'_, A> {
        array.view().insert_axis(Axis(0))
    }

    fn from_rows<A>(array: Array2<A>) -> Array<A, Self> {
        array.index_axis_move(Axis(0), 0)
    }
}

mod private {
    use ndarray::{Ix1, Ix2};

    pub trait Sealed {}
    impl Sealed for Ix1 {}
    impl Sealed for Ix2 {}
}
