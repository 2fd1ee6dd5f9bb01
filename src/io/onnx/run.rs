//! Running a node.

use ndarray::{Array3, Array4, ArrayRef3, ArrayView3, Axis};

use super::inputs::{Given, Stored};
use super::node::Node;
use super::unsupported;
use crate::arrays::{try_standard, with_plain_rows};
use crate::error::{Error, Result, expect_shape, expect_steps, expect_width};
use crate::layout::Layout;
use crate::planes::Planes;
use crate::recurrent::Direction;
use crate::room::{room, zeros};
use crate::scalar::Scalar;

/// The names of the planes of a first state.
const STATE: [&str; 2] = ["initial_h", "initial_c"];

/// A run of a node over some sequences, made by [`Node::run`]: what else the node is given, then [`forward`](Self::forward).
#[derive(Debug, Clone, Copy)]
#[must_use = "a run does nothing before `forward`"]
pub struct NodeRun<'a, A: Scalar> {
    node: &'a Node<A>,
    x: &'a ArrayRef3<A>,
    sequence_lens: Option<&'a [usize]>,
    initial_h: Option<&'a ArrayRef3<A>>,
    initial_c: Option<&'a ArrayRef3<A>>,
}

/// What a node computes.
///
/// | | layout 0 | layout 1 |
/// |---|---|---|
/// | Y | (L, D, N, hidden_size) | (N, L, D, hidden_size) |
/// | Y_h, Y_c | (D, N, hidden_size) | (N, D, hidden_size) |
#[derive(Debug, Clone, PartialEq)]
pub struct NodeOutput<A> {
    /// Y: the hidden states after every step; zero after a sequence's end.
    pub y: Array4<A>,
    /// Y_h: the hidden state after each sequence's own last step, where the reverse direction starts.
    pub y_h: Array3<A>,
    /// Y_c: the cell state there, with an LSTM.
    pub y_c: Option<Array3<A>>,
}

impl<A: Scalar> Node<A> {
    /// Begins a run over sequences: X, (L, N, input_size), with layout 1 (N, L, input_size).
    ///
    /// ```
    /// use ndarray::Array3;
    /// use ndarray_rnn::io::onnx::{Export, Model};
    /// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
    ///
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let model = Model::<f32>::from_bytes(&Export::new(&rnn).to_bytes()?)?;
    /// let output = model.nodes()[0].run(&Array3::zeros((5, 3, 4))).sequence_lens(&[5, 2, 1]).forward()?;
    /// assert_eq!((output.y.dim(), output.y_h.dim(), output.y_c), ((5, 1, 3, 2), (1, 3, 2), None));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn run<'a>(&'a self, x: &'a ArrayRef3<A>) -> NodeRun<'a, A> {
        NodeRun { node: self, x, sequence_lens: None, initial_h: None, initial_c: None }
    }

    /// An array in layout 0.
    fn exchanged<'a>(&self, array: &'a ArrayRef3<A>) -> ArrayView3<'a, A> {
        let mut view = array.view();
        if self.batch_first() {
            view.swap_axes(0, 1);
        }
        view
    }

    /// A plane of the first state that the caller does not give, (D, N, hidden_size).
    fn own_state(&self, name: &str, given: &Given<Array3<A>>, shape: [usize; 3]) -> Result<Array3<A>> {
        match given {
            Given::Absent | Given::Caller(_) => zeros(name, shape),
            Given::Computed(how) => Err(self.not_given(name, how)),
            Given::Stored(Stored { array, repeated }) => {
                if !repeated {
                    expect_shape(name, &shape, array.shape())?;
                }
                let mut states = zeros(name, shape)?;
                states.assign(array);
                Ok(states)
            }
        }
    }

    /// A plane of the first state that the caller gives.
    fn given_state(&self, name: &str, given: &ArrayRef3<A>, shape: [usize; 3]) -> Result<Array3<A>> {
        let state = self.exchanged(given);
        if state.shape() != shape {
            let [directions, batch, hidden] = shape;
            let expected = if self.batch_first() { [batch, directions, hidden] } else { shape };
            expect_shape(name, &expected, given.shape())?;
        }
        try_standard(name, &state)
    }

    /// The error for an input that the graph computes, in a call that does not give it.
    fn not_given(&self, input: &str, how: &str) -> Error {
        unsupported(self.name(), format!("a call without {input}, {how},"))
    }
}

impl<'a, A: Scalar> NodeRun<'a, A> {
    /// How many steps each sequence has, 0 to L. Default: what the model fixes, else L for each.
    pub fn sequence_lens(self, sequence_lens: &'a [usize]) -> Self {
        Self { sequence_lens: Some(sequence_lens), ..self }
    }

    /// The first hidden state, shaped as Y_h. Default: what the model fixes, else zero.
    pub fn initial_h(self, initial_h: &'a ArrayRef3<A>) -> Self {
        Self { initial_h: Some(initial_h), ..self }
    }

    /// An LSTM's first cell state, shaped as Y_c. Default: what the model fixes, else zero.
    pub fn initial_c(self, initial_c: &'a ArrayRef3<A>) -> Self {
        Self { initial_c: Some(initial_c), ..self }
    }

    /// Y, Y_h and Y_c as ONNX Runtime computes them. Lengths or a first state that the graph computes must be given.
    ///
    /// The last state of a sequence without steps is its first; ONNX Runtime 1.32 gives zeros there, with an RNN what
    /// stands in memory before the array.
    ///
    /// # Errors
    /// [`Error::Width`] for an X of another width,
    /// [`Error::EmptySequence`] for L = 0, [`Error::Shape`] for a
    /// state of another shape or another number of lengths than N,
    /// [`Error::EntryOutOfRange`] for a length over L;
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for lengths or a first state that the graph computes
    /// and the caller does not give, and for `initial_c` where the node is no LSTM.
    pub fn forward(self) -> Result<NodeOutput<A>> {
        let node = self.node;
        let time_major = node.exchanged(self.x);
        let (len, batch, actual) = time_major.dim();
        expect_width("X", "input_size", node.input_size(), actual)?;
        expect_steps("X", len, self.x.shape())?;
        let (directions, hidden) = (node.directions().len(), node.hidden_size());
        let mut y = zeros("Y", (len, directions, batch, hidden))?;
        let mut states = self.first_state(batch)?;
        let layout = self.layout(len, batch)?;
        let x = with_plain_rows("X", time_major)?;
        for (d, (engine, &direction)) in node.engines()?.iter().zip(node.directions()).enumerate() {
            let places = places(&layout, direction)?;
            let plane = |plane: &Array3<A>| {
                Ok(try_standard("state", &plane.index_axis(Axis(0), d))?.insert_axis(Axis(0)))
            };
            let mut state = states.as_ref().try_map(plane)?;
            let rows = engine.run(&x, &layout, &places, &mut state)?;
            states.as_mut().zip(state).map(|(all, own)| {
                all.index_axis_mut(Axis(0), d).assign(&own.index_axis(Axis(0), 0));
            });
            let mut y = y.index_axis_mut(Axis(1), d);
            for (row, (t, n)) in rows.outer_iter().zip(places) {
                y.index_axis_mut(Axis(0), t).row_mut(n).assign(&row);
            }
        }
        self.in_layout(y, states)
    }

    /// The first states, (D, N, hidden_size).
    fn first_state(&self, batch: usize) -> Result<Planes<Array3<A>>> {
        let node = self.node;
        let own = node.first_state();
        if self.initial_c.is_some() && own.c.is_none() {
            return Err(unsupported(node.name(), format!("initial_c of the operator {}", node.op_type())));
        }
        let shape = [node.directions().len(), batch, node.hidden_size()];
        let given = Planes { h: self.initial_h, c: own.c.map(|_| self.initial_c) };
        own.zip(given).named(STATE).try_map(|(name, (own, given))| match given {
            Some(given) => node.given_state(name, given, shape),
            None => node.own_state(name, own, shape),
        })
    }

    /// The lengths of the sequences.
    fn layout(&self, len: usize, batch: usize) -> Result<Layout> {
        match (self.sequence_lens, self.node.lens()) {
            (Some(lens), _) => Layout::sorted(lens, len, batch),
            (None, Given::Computed(how)) => Err(self.node.not_given("sequence_lens", how)),
            (None, Given::Stored(Stored { array, repeated: true })) => {
                Layout::sorted(&array.repeat(batch), len, batch)
            }
            (None, Given::Stored(Stored { array, repeated: false })) => Layout::sorted(array, len, batch),
            (None, Given::Absent | Given::Caller(_)) => Ok(Layout::equal(len, batch)),
        }
    }

    /// Results in the node's layout.
    fn in_layout(&self, y: Array4<A>, states: Planes<Array3<A>>) -> Result<NodeOutput<A>> {
        let (mut y, mut states) = (y, states);
        if self.node.batch_first() {
            y = try_standard("Y", &y.permuted_axes([2, 0, 1, 3]))?;
            let exchange =
                |(name, plane): (&str, Array3<A>)| try_standard(name, &plane.permuted_axes([1, 0, 2]));
            states = states.named(["Y_h", "Y_c"]).try_map(exchange)?;
        }
        Ok(NodeOutput { y, y_h: states.h, y_c: states.c })
    }
}

/// The step and the sequence of every row; rows follow one another as the direction goes through time.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds them.
fn places(layout: &Layout, direction: Direction) -> Result<Vec<(usize, usize)>> {
    let steps = &layout.steps;
    let place = |(step, b)| {
        let n = layout.sequence(b);
        match direction {
            Direction::Forward => (step, n),
            // The reverse direction begins at a sequence's own last step.
            Direction::Reverse => (steps.len_of(b) - 1 - step, n),
        }
    };
    let mut places = room("X", &[steps.rows()])?;
    places.extend(steps.places(0..steps.len()).map(place));
    Ok(places)
}
