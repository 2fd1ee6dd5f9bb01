//! Sequences that arrive step by step, with their state.

use ndarray::{Array3, ArrayRef2, ArrayRef3, ArrayView2, ArrayViewD, ArrayViewMutD, Axis};

use super::architecture::{Architecture, CellArchitecture, Kind};
use super::cell::RecurrentCell;
use super::network::Recurrent;
use super::step::{PLANES, Stepwise};
use crate::arrays::{as_elements, elements_mut, with_plain_rows};
use crate::element::Element;
use crate::engine::{Reads, Scratch, Share, Writes};
use crate::error::{Error, Result, expect_shape, expect_steps, expect_width};
use crate::parameters::Parameters;
use crate::planes::Planes;
use crate::room::zeros;
use crate::rows::Source;
use crate::scalar::Scalar;
use crate::steps::Steps;

/// Sequences that arrive in steps or chunks: a network or cell, the state of each sequence, and the memory that a step
/// works in.
///
/// A session holds a borrow of its network, the network itself or an [`Arc`](std::sync::Arc) of it, as
/// [`new`](Self::new) is given one. Many sessions can share one network. A session can be sent to another thread.
///
/// Steps and chunks of any size give the same bits as the whole sequence at once. From the second call on, a step
/// allocates nothing if its input is in standard layout.
///
/// # Shapes
/// N sequences, K layers; a cell has one layer:
///
/// | | |
/// |---|---|
/// | input of [`step`](Self::step) | (N, input_size) |
/// | input of [`chunk`](Self::chunk) | (L, N, input_size), whatever `batch_first` |
/// | planes of the state | (K, N, width) |
///
/// # Example
/// ```
/// use std::sync::Arc;
///
/// use ndarray::array;
/// use ndarray_rnn::{Lstm, LstmConfig, Session, manual_seed};
///
/// struct Sensor {
///     session: Session<Arc<Lstm>>,
/// }
///
/// let lstm = Arc::new(Lstm::new(LstmConfig::new(2, 8), &mut manual_seed(0))?);
/// let mut sensors = Vec::new();
/// for _ in 0..100 {
///     sensors.push(Sensor { session: Session::new(Arc::clone(&lstm), 1)? });
/// }
/// let h = sensors[7].session.step(&array![[0.5, -0.5]])?;
/// assert_eq!(h.dim(), (1, 8));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// # To save a session
/// A session's state is two named arrays, `h` and, of an [`Lstm`](crate::Lstm), `c`. So a session is written to any
/// file, and read from it strictly, as a model is. The network is not saved with it.
///
#[cfg_attr(feature = "safetensors", doc = "```")]
#[cfg_attr(not(feature = "safetensors"), doc = "```ignore")]
/// use ndarray::Array2;
/// use ndarray_rnn::io::{StateDict, safetensors};
/// use ndarray_rnn::{Lstm, LstmConfig, manual_seed};
///
/// let lstm = Lstm::<f32>::new(LstmConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
/// let mut session = lstm.session(3)?;
/// session.step(&Array2::ones((3, 4)))?;
///
/// let mut dict = StateDict::new();
/// dict.add("", &session)?;
/// let bytes = safetensors::to_bytes(&dict)?;
///
/// let mut restored = lstm.session(3)?;
/// safetensors::from_bytes(&bytes)?.load_into(&mut restored)?;
/// assert_eq!(restored.state(), session.state());
/// assert_eq!(restored.step(&Array2::ones((3, 4)))?, session.step(&Array2::ones((3, 4)))?);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// With the feature `serde` of ndarray, [`state`](Self::state) can be serialised, and [`set_state`](Self::set_state)
/// takes what was deserialised.
#[derive(Debug, Clone)]
#[doc(alias = "stateful")]
#[doc(alias = "stream")]
pub struct Session<N: Stepwise> {
    network: N,
    input_size: usize,
    state: Planes<Array3<N::Elem>>,
    scratch: Scratch<N::Elem>,
}

impl<C: Architecture, A: Scalar> Recurrent<C, A> {
    /// A session of `batch` sequences over a borrow of this network. See [`Session::new`].
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn session(&self, batch: usize) -> Result<Session<&Self>> {
        Session::new(self, batch)
    }
}

impl<C: CellArchitecture, A: Scalar> RecurrentCell<C, A> {
    /// A session of `batch` rows over a borrow of this cell. See [`Session::new`].
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn session(&self, batch: usize) -> Result<Session<&Self>> {
        Session::new(self, batch)
    }
}

impl<N: Stepwise> Session<N> {
    /// A session of `batch` sequences whose state is zero. `network` is a [`Recurrent`] network or a
    /// [`RecurrentCell`], or a borrow or an [`Arc`](std::sync::Arc) of one.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the network is bidirectional: its reverse direction begins at the end, which a
    /// session has not seen; [`Error::SizeOverflow`] if no memory can hold the state.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ndarray_rnn::{Gru, GruCell, GruCellConfig, GruConfig, Session, manual_seed};
    ///
    /// let gru = Gru::<f32>::new(GruConfig::new(4, 2), &mut manual_seed(0))?;
    /// let cell = GruCell::<f32>::new(GruCellConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut owns = Session::new(gru.clone(), 3)?;
    /// let mut borrows = Session::new(&cell, 3)?;
    /// assert_eq!(owns.step(&Array2::ones((3, 4)))?, borrows.step(&Array2::ones((3, 4)))?);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn new(network: N, batch: usize) -> Result<Self> {
        let sizes = network.sizes("session")?;
        let state = sizes.state_shapes::<N::Kind>(batch).try_map(|shape| zeros("state", shape))?;
        network.stack()?;
        Ok(Self { network, input_size: sizes.input_size, state, scratch: Scratch::default() })
    }

    /// What the session was made of: the network, or its borrow or [`Arc`](std::sync::Arc).
    #[must_use]
    pub fn network(&self) -> &N {
        &self.network
    }

    /// Takes one step, (N, input_size), and returns the last layer's hidden state, (N, hidden_size).
    ///
    /// # Errors
    /// [`Error::Width`] if the input has another width, [`Error::Shape`] if it is of another batch; the state is
    /// unchanged then.
    pub fn step(&mut self, input: &ArrayRef2<N::Elem>) -> Result<ArrayView2<'_, N::Elem>> {
        self.expect_input(&[], input.shape())?;
        let rows = as_elements("input", input)?;
        let Self { network, state, scratch, .. } = self;
        let batch = state.h.len_of(Axis(1));
        let planes = state.as_mut().map(|plane| elements_mut(plane));
        N::Kind::step(network.stack()?, &rows, batch, planes, scratch)?;
        let last = state.h.len_of(Axis(0)) - 1;
        Ok(state.h.index_axis(Axis(0), last))
    }

    /// Takes some steps, (L, N, input_size) whatever [`batch_first`](crate::RnnConfig::batch_first), and returns the last
    /// layer's hidden states, (L, N, hidden_size).
    ///
    /// # Errors
    /// As [`step`](Self::step); [`Error::EmptySequence`] if L is 0, [`Error::SizeOverflow`] if no memory can hold
    /// the output.
    pub fn chunk(&mut self, input: &ArrayRef3<N::Elem>) -> Result<Array3<N::Elem>> {
        let (len, batch, _) = input.dim();
        expect_steps("input", len, input.shape())?;
        self.expect_input(&[len], input.shape())?;
        let mut output = zeros("output", (len, batch, self.state.h.len_of(Axis(2))))?;
        let rows = with_plain_rows("input", input.view())?;
        let steps = Steps::Equal { len, batch };
        let reads = Reads::new(Source::grid(&rows, None), &steps);
        let planes = self.state.as_mut().map(|plane| elements_mut(plane));
        let writes = Writes { output: Some(Share::Whole(elements_mut(&mut output))), ..Writes::new(planes) };
        N::Kind::forward(self.network.stack()?, reads, writes, &mut self.scratch, None)?;
        Ok(output)
    }

    /// The state of every layer, of shape (layers, N, width): the final state of what came so far.
    #[must_use]
    pub fn state(&self) -> <N::Kind as Kind>::State<&Array3<N::Elem>> {
        N::Kind::state(self.state.as_ref())
    }

    /// Sets the state, to go on from a saved state or from another pass's final state.
    ///
    /// # Errors
    /// [`Error::Shape`] if the state has another shape; nothing is changed then.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
    ///
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut session = rnn.session(3)?;
    /// let saved = session.state().clone();
    /// let once = session.step(&Array2::ones((3, 4)))?.to_owned();
    /// session.set_state(&saved)?;
    /// assert_eq!(session.step(&Array2::ones((3, 4)))?, once);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn set_state(&mut self, state: <N::Kind as Kind>::State<&ArrayRef3<N::Elem>>) -> Result<()> {
        let planes = self.state.as_mut().zip(N::Kind::planes(state));
        for (name, plane) in PLANES.into_iter().zip([Some(&planes.h), planes.c.as_ref()]) {
            plane.map_or(Ok(()), |(to, from)| expect_shape(name, to.shape(), from.shape()))?;
        }
        planes.map(|(to, from)| to.assign(from));
        Ok(())
    }

    /// Sets the state of some sequences to zero.
    ///
    /// # Errors
    /// [`Error::EntryOutOfRange`] if the batch has no such sequence; nothing is changed then.
    ///
    /// ```
    /// use ndarray::{Array2, Axis};
    /// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
    ///
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut session = rnn.session(3)?;
    /// session.step(&Array2::ones((3, 4)))?;
    /// session.reset([1])?; // sequence 1 begins anew
    /// assert!(session.state().index_axis(Axis(1), 1).iter().all(|&h| h == 0.0));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn reset(&mut self, sequences: impl IntoIterator<Item = usize>) -> Result<()> {
        let batch = self.state.h.len_of(Axis(1));
        let sequences: Vec<_> = sequences.into_iter().collect();
        if let Some((index, &actual)) = sequences.iter().enumerate().find(|&(_, &n)| n >= batch) {
            let expected = 0..=batch.saturating_sub(1);
            return Err(Error::EntryOutOfRange { list: "sequences", index, expected, actual });
        }
        for n in sequences {
            self.state.as_mut().map(|plane| plane.index_axis_mut(Axis(1), n).fill(N::Elem::from_f64(0.0)));
        }
        Ok(())
    }

    /// Checks an input's shape: `steps`, then N and input_size.
    fn expect_input(&self, steps: &[usize], shape: &[usize]) -> Result<()> {
        let (batch, width) = (shape[steps.len()], shape[steps.len() + 1]);
        expect_width("input", "input_size", self.input_size, width)?;
        if batch == self.state.h.len_of(Axis(1)) {
            return Ok(());
        }
        let batch = self.state.h.len_of(Axis(1));
        let expected: Vec<_> = steps.iter().copied().chain([batch, self.input_size]).collect();
        expect_shape("input", &expected, shape)
    }
}

/// The state, under the names `h` and `c`: to be saved and restored. The network's parameters are not among them.
impl<N: Stepwise> Parameters for Session<N> {
    type Elem = N::Elem;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, N::Elem>)> {
        named(self.state.as_ref().map(|plane| plane.view().into_dyn()))
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, N::Elem>)> {
        named(self.state.as_mut().map(|plane| plane.view_mut().into_dyn()))
    }
}

/// Planes as a list, each with its name.
fn named<T>(planes: Planes<T>) -> Vec<(String, T)> {
    let Planes { h, c } = planes.named(PLANES);
    [Some(h), c].into_iter().flatten().map(|(name, plane)| (name.to_owned(), plane)).collect()
}
