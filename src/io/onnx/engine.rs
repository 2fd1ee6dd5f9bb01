//! One direction of a node on the crate's engine.

use ndarray::{Array2, Array3, Axis, CowArray, Ix3};

use super::node::Node;
use super::operator::Kind;
use crate::arrays::elements_mut;
use crate::cell::{Bounded, Cell, Elman, Forget, Gru, GruGates, Lstm, LstmGates, Reset};
use crate::engine::{DirectionParameters, Reads, Scratch, Share, Stack, Writes};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::{Activation, Plan};
use crate::layout::Layout;
use crate::planes::Planes;
use crate::room::{collected, zeros};
use crate::rows::Source;
use crate::scalar::{Passes, Scalar};

/// The weights of one direction, packed for its cell.
#[derive(Debug, Clone)]
pub(super) enum Engine<A: Scalar> {
    Rnn(Stack<A, Elman>),
    Lstm(Stack<A, Lstm>),
    Gru(Stack<A, Gru>),
}

impl<A: Scalar> Engine<A> {
    /// Packs direction `d` of a node.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the weights once more.
    pub(super) fn pack(node: &Node<A>, d: usize) -> Result<Self> {
        let (kind, attributes) = (node.operator().kind, node.attributes());
        let activations = node.activations().iter().skip(d * node.operator().activations.len());
        let mut bounded = activations.map(|&activation| Bounded { activation, clip: attributes.clip });
        let mut next = || bounded.next().invariant("a node has the activations of each direction");
        let mut parameters = node.cells()[d].view(kind.order());
        parameters.peepholes = node.peepholes().map(|rows| rows.row(d));
        Ok(match kind {
            Kind::Rnn => {
                let Bounded { activation, clip } = next();
                Self::Rnn(stack(&parameters, Elman::new(activation).clip(clip))?)
            }
            Kind::Lstm => {
                let forget = if attributes.input_forget { Forget::Coupled } else { Forget::Gate };
                // The clip bounds sums, and c' is none.
                let functions = [next(), next(), Bounded { clip: None, ..next() }];
                let cell = Lstm::new(LstmGates { forget });
                let any = node.peepholes().is_some();
                let cell = if any { cell.bounded(functions) } else { cell.functions(functions) };
                Self::Lstm(stack(&parameters, cell)?)
            }
            Kind::Gru => {
                let reset = if attributes.linear_before_reset { Reset::After } else { Reset::Before };
                let functions = [next(), next(), Activation::Tanh.into()];
                Self::Gru(stack(&parameters, Gru::new(GruGates(reset)).functions(functions))?)
            }
        })
    }

    /// Runs the direction over rows that stand at some steps and sequences: returns its hidden states as rows, and leaves
    /// the final state in `state`.
    pub(super) fn run(
        &self,
        x: &CowArray<'_, A, Ix3>,
        layout: &Layout,
        places: &[(usize, usize)],
        state: &mut Planes<Array3<A>>,
    ) -> Result<Array2<A>> {
        match self {
            Self::Rnn(stack) => run(stack, x, layout, places, state),
            Self::Lstm(stack) => run(stack, x, layout, places, state),
            Self::Gru(stack) => run(stack, x, layout, places, state),
        }
    }
}

/// Packs the parameters of a direction for a cell.
fn stack<A: Scalar, C: Cell<A>>(parameters: &DirectionParameters<'_, A>, cell: C) -> Result<Stack<A, C>> {
    Ok(Stack::new(vec![parameters.pack::<C>()?], 1, cell, Plan::default()))
}

/// Runs a stack of one direction.
fn run<A: Scalar + Passes<C>, C: Cell<A>>(
    stack: &Stack<A, C>,
    x: &CowArray<'_, A, Ix3>,
    layout: &Layout,
    places: &[(usize, usize)],
    state: &mut Planes<Array3<A>>,
) -> Result<Array2<A>> {
    let [time, sequence] = [Axis(0), Axis(1)].map(|axis| x.stride_of(axis).unsigned_abs());
    let offsets = collected("X", places.iter().map(|&(t, n)| t * time + n * sequence))?;
    let data = x.as_slice_memory_order().invariant("`with_plain_rows` gives a dense array");
    let mut rows = zeros("Y", (places.len(), stack.features()))?;
    layout.with_sorted_state(state, |state| {
        let source = Source::table(data, x.len_of(Axis(2)), &layout.steps, &offsets);
        let output = Some(Share::Whole(elements_mut(&mut rows)));
        let writes = Writes { output, ..Writes::new(state) };
        A::forward(stack, Reads::new(source, &layout.steps), writes, &mut Scratch::default(), None)
    })?;
    Ok(rows)
}
