//! Running a node on the crate's engine.

use ndarray::{Array2, Array3, Array4, ArrayRef3, ArrayView3, Axis, CowArray, Ix3};

use super::inputs::{Given, Stored};
use super::node::Node;
use super::unsupported;
use crate::arrays::{elements_mut, standard, try_standard, with_plain_rows};
use crate::cell::Elman;
use crate::engine::{Order, Reads, Scratch, Share, Stack, Writes};
use crate::error::{Error, Result, expect_shape, expect_steps, expect_width};
use crate::invariant::Invariant;
use crate::kernels::Plan;
use crate::layout::Layout;
use crate::planes::Planes;
use crate::recurrent::{CellParameters, Direction};
use crate::room::zeros;
use crate::rows::Source;
use crate::scalar::Scalar;

impl<A: Scalar> Node<A> {
    /// Y, the hidden states after every step, and Y_h, the final ones, as ONNX Runtime computes them.
    ///
    /// | | layout 0 | layout 1 |
    /// |---|---|---|
    /// | `x` | (L, N, input_size) | (N, L, input_size) |
    /// | `initial_h`, Y_h | (D, N, hidden_size) | (N, D, hidden_size) |
    /// | Y | (L, D, N, hidden_size) | (N, L, D, hidden_size) |
    ///
    /// Without `sequence_lens` the lengths that the model fixes count, else every sequence has L steps. Without
    /// `initial_h` the first state that the model fixes counts, else zero. Lengths or a first state that the graph
    /// computes must be given. After a sequence's end Y is zero; Y_h is the state after the sequence's own last step,
    /// where the reverse direction starts. The Y_h of a sequence without steps is its first state, where ONNX Runtime
    /// 1.32 reads memory before the array.
    ///
    /// # Errors
    /// [`Error::Width`] for an `x` of another width,
    /// [`Error::EmptySequence`] for L = 0, [`Error::Shape`] for a
    /// state of another shape or another number of lengths than N,
    /// [`Error::EntryOutOfRange`] for a length over L;
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for lengths or a first state that the graph computes
    /// and the caller does not give.
    pub fn forward(
        &self,
        x: &ArrayRef3<A>,
        sequence_lens: Option<&[usize]>,
        initial_h: Option<&ArrayRef3<A>>,
    ) -> Result<(Array4<A>, Array3<A>)> {
        let time_major = self.exchanged(x);
        let (len, batch, actual) = time_major.dim();
        expect_width("X", "input_size", self.input_size(), actual)?;
        expect_steps("X", len, x.shape())?;
        let (directions, hidden) = (self.directions().len(), self.hidden_size());
        let mut y = zeros("Y", (len, directions, batch, hidden))?;
        let mut y_h = self.first_states(initial_h, batch)?;
        let layout = match (sequence_lens, self.lens()) {
            (Some(lens), _) => Layout::sorted(lens, len, batch)?,
            (None, Given::Computed(how)) => return Err(self.not_given("sequence_lens", how)),
            (None, Given::Stored(Stored { array, repeated: true })) => {
                Layout::sorted(&array.repeat(batch), len, batch)?
            }
            (None, Given::Stored(Stored { array, repeated: false })) => Layout::sorted(array, len, batch)?,
            (None, Given::Absent | Given::Caller(_)) => Layout::equal(len, batch),
        };
        let x = with_plain_rows("X", time_major)?;
        for (d, (stack, &direction)) in self.stacks().iter().zip(self.directions()).enumerate() {
            let places = places(&layout, direction);
            let h = standard(&y_h.index_axis(Axis(0), d)).insert_axis(Axis(0));
            let mut state = Planes { h, c: None };
            let rows = run(stack, &x, &layout, &places, &mut state)?;
            y_h.index_axis_mut(Axis(0), d).assign(&state.h.index_axis(Axis(0), 0));
            let mut y = y.index_axis_mut(Axis(1), d);
            for (row, (t, n)) in rows.outer_iter().zip(places) {
                y.index_axis_mut(Axis(0), t).row_mut(n).assign(&row);
            }
        }
        self.in_layout(y, y_h)
    }

    /// An input or state in layout 0.
    fn exchanged<'a>(&self, array: &'a ArrayRef3<A>) -> ArrayView3<'a, A> {
        let mut view = array.view();
        if self.batch_first() {
            view.swap_axes(0, 1);
        }
        view
    }

    /// The first states, (D, N, hidden_size).
    fn first_states(&self, given: Option<&ArrayRef3<A>>, batch: usize) -> Result<Array3<A>> {
        let shape = [self.directions().len(), batch, self.hidden_size()];
        let Some(given) = given else {
            return match self.first_state() {
                Given::Absent | Given::Caller(_) => zeros("initial_h", shape),
                Given::Computed(how) => Err(self.not_given("initial_h", how)),
                Given::Stored(Stored { array, repeated }) => {
                    if !repeated {
                        expect_shape("initial_h", &shape, array.shape())?;
                    }
                    let mut states = zeros("initial_h", shape)?;
                    states.assign(array);
                    Ok(states)
                }
            };
        };
        let state = self.exchanged(given);
        if state.shape() != shape {
            let [directions, batch, hidden] = shape;
            let expected = if self.batch_first() { [batch, directions, hidden] } else { shape };
            expect_shape("initial_h", &expected, given.shape())?;
        }
        try_standard("initial_h", &state)
    }

    /// The error for an input that the graph computes, in a call that does not give it.
    fn not_given(&self, input: &str, how: &str) -> Error {
        unsupported(self.name(), format!("a call without {input}, {how},"))
    }

    /// Results in the node's layout.
    fn in_layout(&self, y: Array4<A>, y_h: Array3<A>) -> Result<(Array4<A>, Array3<A>)> {
        if !self.batch_first() {
            return Ok((y, y_h));
        }
        let y = try_standard("Y", &y.permuted_axes([2, 0, 1, 3]))?;
        Ok((y, try_standard("Y_h", &y_h.permuted_axes([1, 0, 2]))?))
    }

    /// Each direction, its weights packed for the engine.
    pub(super) fn pack(&self) -> Vec<Stack<A, Elman>> {
        let directions = self.cells().iter().zip(self.activations());
        let stack = |(parameters, &activation): (&CellParameters<A>, _)| {
            let cell = Elman::new(activation).clip(self.clip());
            Stack::new(vec![vec![parameters.view(Order::ONE).pack::<Elman>()]], cell, Plan::default())
        };
        directions.map(stack).collect()
    }
}

/// The step and the sequence of every row; rows follow one another as the direction goes through time.
fn places(layout: &Layout, direction: Direction) -> Vec<(usize, usize)> {
    let steps = &layout.steps;
    let place = |(step, b)| {
        let n = layout.sequence(b);
        match direction {
            Direction::Forward => (step, n),
            // The reverse direction begins at a sequence's own last step.
            Direction::Reverse => (steps.len_of(b) - 1 - step, n),
        }
    };
    steps.places(0..steps.len()).map(place).collect()
}

/// Runs one direction: returns its hidden states as rows, and leaves the final state in `state`.
fn run<A: Scalar>(
    stack: &Stack<A, Elman>,
    x: &CowArray<'_, A, Ix3>,
    layout: &Layout,
    places: &[(usize, usize)],
    state: &mut Planes<Array3<A>>,
) -> Result<Array2<A>> {
    let [time, sequence] = [Axis(0), Axis(1)].map(|axis| x.stride_of(axis).unsigned_abs());
    let offsets: Vec<_> = places.iter().map(|&(t, n)| t * time + n * sequence).collect();
    let data = x.as_slice_memory_order().invariant("`with_plain_rows` gives a dense array");
    let mut rows = zeros("Y", (places.len(), stack.features()))?;
    layout.with_sorted_state(state, |state| {
        let source = Source::table(data, x.len_of(Axis(2)), &layout.steps, &offsets);
        let output = Some(Share::Whole(elements_mut(&mut rows)));
        let writes = Writes { output, ..Writes::new(state) };
        A::forward(stack, Reads::new(source, &layout.steps), writes, &mut Scratch::default());
    })?;
    Ok(rows)
}
