//! One direction of one layer: the crate's loop over time.
//!
//! What few passes take (factors, resets, columns of wider rows) is called and not inlined: the compiler would prepare
//! its loops at every step, and keep less in registers.

use std::ops::Range;

use ndarray::{Array1, ArrayRef2};
use pulp::Simd;

use super::resets::Resets;
use super::share::{ShareMut, Target};
use super::team::Member;
use crate::cell::Cell;
use crate::element::Element;
use crate::kernels::{Chain, Matrix, Panels, PanelsRef, Plan, Product, Start, copy};
use crate::sequence::Source;
use crate::steps::Steps;

/// The packed weights of one direction of one layer.
#[derive(Debug, Clone)]
pub struct Weights<A: Element> {
    input: Panels<A>,
    hidden: Panels<A>,
    /// Where the chains over the input and over the state start.
    bias_ih: Vec<A>,
    bias_hh: Vec<A>,
}

/// The weights of one direction of one layer, packed for the way back.
#[derive(Debug, Clone)]
pub struct BackWeights<A: Element> {
    input: Panels<A>,
    hidden: Panels<A>,
}

/// What a direction runs over.
#[derive(Debug)]
pub(super) struct Span<'a, 't, A> {
    /// The layer's input.
    pub(super) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(super) steps: &'a Steps,
    /// The steps to run over.
    pub(super) range: Range<usize>,
    pub(super) plan: &'a Plan,
    /// Whether time runs from the last step to the first.
    pub(super) reverse: bool,
    /// A row of state for each row of the first step: before the pass the first state, after it the final one.
    pub(super) state: &'a mut [A],
    /// Where sequences begin anew.
    pub(super) resets: Option<Resets<'a, A>>,
    /// What the hidden part of each row of state is multiplied with before the recurrent product reads it.
    pub(super) factors: Option<&'a [A]>,
    /// Where the hidden states go, if they are wanted.
    pub(super) target: Option<Target<'a, 't, A>>,
    /// Where the sums go, if they are wanted.
    pub(super) kept: Option<ShareMut<'a, 't, A>>,
    /// The threads that share the units of a single sequence, if there are any.
    pub(super) team: Option<&'a Member<'a>>,
}

/// What a direction runs back over. "Rows" are as wide as all directions' hidden states side by side.
#[derive(Debug)]
pub(super) struct BackSpan<'a, 't, A> {
    /// How rows fall into steps.
    pub(super) steps: &'a Steps,
    pub(super) plan: &'a Plan,
    /// Whether time ran from the last step to the first.
    pub(super) reverse: bool,
    /// The layer's output rows.
    pub(super) outputs: Source<'a, A>,
    /// The sums, if the cell reads them.
    pub(super) kept: Option<Source<'a, A>>,
    /// What the recurrent product read the hidden states multiplied with.
    pub(super) factors: Option<&'a [A]>,
    /// The gradient of the layer's output rows.
    pub(super) d_outputs: Source<'a, A>,
    /// The first of this direction's columns in these rows.
    pub(super) column: usize,
    /// The gradient of the states: before the pass of the final one, after it of the first.
    pub(super) d_state: &'a mut [A],
    /// Where sequences begin anew.
    pub(super) resets: Option<Resets<'a, A>>,
    /// Takes the gradient of every sum.
    pub(super) d_sums: ShareMut<'a, 't, A>,
    /// The gradient of the layer's input rows, if it is wanted: the forward direction's replaces what is there, the
    /// reverse direction's is added.
    pub(super) d_inputs: Option<ShareMut<'a, 't, A>>,
}

/// Room that passes reuse.
#[derive(Debug, Clone, Default)]
pub struct Scratch<A> {
    pub(super) room: Room<A>,
    /// What lies between two layers: read by one, written by the one below.
    pub(super) below: Vec<A>,
    pub(super) above: Vec<A>,
}

/// Room for one direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Room<A> {
    sums: Vec<A>,
    offsets: Vec<usize>,
    /// Rows of the output or its gradient, and of the input's gradient, where they are not read or written in place.
    rows: Vec<A>,
    /// States times factors, on the way back sums that were kept.
    second: Vec<A>,
}

impl<A: Element> Weights<A> {
    /// Packs weights of shapes (gates * hidden, input) and (gates * hidden, hidden), and the biases of each, zero if there
    /// are none.
    pub(crate) fn new([weight_ih, weight_hh]: [&ArrayRef2<A>; 2], biases: [Option<&Array1<A>>; 2]) -> Self {
        let [bias_ih, bias_hh] =
            biases.map(|bias| bias.map_or_else(|| vec![A::zero(); weight_ih.nrows()], |bias| bias.to_vec()));
        let [input, hidden] = [weight_ih, weight_hh].map(Panels::transposed);
        Self { input, hidden, bias_ih, bias_hh }
    }

    /// The number of weights.
    pub(super) fn len(&self) -> usize {
        self.bias_ih.len() * (self.input.all().depth() + self.hidden.all().depth())
    }

    /// The weights of the units that a member of a team makes, or of all, and which units these are.
    #[inline(always)]
    fn part(&self, team: Option<&Member<'_>>) -> (PanelsRef<'_, A>, PanelsRef<'_, A>, Range<usize>) {
        let (input, hidden) = (self.input.all(), self.hidden.all());
        let Some(team) = team else { return (input, hidden, 0..hidden.width()) };
        let panels = team.share(hidden.count());
        let (input, hidden, first) =
            (input.part(panels.clone()), hidden.part(panels.clone()), panels.start * A::PANEL);
        (input, hidden, first..first + hidden.width())
    }

    /// Cuts off the next steps, and says whether they are best given their input's terms together, ahead of the
    /// recurrence.
    #[inline(always)]
    fn next_steps(
        &self,
        steps: &Steps,
        left: &mut Range<usize>,
        plan: &Plan,
        reverse: bool,
    ) -> Option<(Range<usize>, bool)> {
        if left.start >= left.end {
            return None;
        }
        let next = if reverse { left.end - 1 } else { left.start };
        if steps.batch(next) >= plan.ahead && self.len() <= plan.near {
            return Some((steps.cut_large(left, plan.ahead, reverse), false));
        }
        let chunk = steps.cut(left, plan.chunk, reverse)?;
        let several = chunk.len() > 1;
        Some((chunk, several))
    }

    /// Runs a cell over some steps.
    ///
    /// A sum is two chains, each from its bias, and one addition: the input's, of many steps ahead of the recurrence or of
    /// each with the state's, and the state's.
    #[inline(always)]
    pub(super) fn forward<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        span: Span<'_, '_, A>,
        room: &mut Room<A>,
    ) {
        let Span { source, steps, mut range, plan, reverse, state, resets, factors, team, .. } = span;
        let Span { mut target, mut kept, .. } = span;
        let (input, hidden, own) = self.part(team);
        let [bias_ih, bias_hh] = [&self.bias_ih, &self.bias_hh].map(|bias| Start::Bias(&bias[own.clone()]));
        let units = own.len();
        let width = C::STATES * hidden.depth();
        let Room { sums, offsets, second, .. } = room;
        while let Some((mut chunk, ahead)) = self.next_steps(steps, &mut range, plan, reverse) {
            let origin = steps.start(chunk.start);
            // The earliest of some steps has the most rows.
            let rows = if ahead { steps.start(chunk.end) - origin } else { steps.batch(chunk.start) };
            let sums = first_of(sums, rows * units);
            if ahead {
                let a = source.matrix(steps, chunk.clone(), offsets);
                Product::new(&[Chain { start: bias_ih, a, weights: input }], sums).run(simd);
            }
            while let Some(t) = if reverse { chunk.next_back() } else { chunk.next() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                if let Some(resets) = &resets {
                    resets.apply(if reverse { t + 1 } else { t }, state, width);
                }
                let state = &mut state[..batch * width];
                let first = if ahead { start - origin } else { 0 };
                let sums = &mut sums[first * units..][..batch * units];
                let a = recurrent(state, [batch, hidden.depth(), width], factors, second);
                let h = Chain { start: bias_hh, a, weights: hidden };
                if ahead {
                    run(simd, Product::new(&[h], sums).added(), t);
                } else {
                    let a = source.matrix(steps, t..t + 1, offsets);
                    run(simd, Product::new(&[Chain { start: bias_ih, a, weights: input }, h], sums), t);
                }
                if let Some(kept) = &mut kept {
                    copy(sums, kept.step(t, start * units..(start + batch) * units));
                }
                match team {
                    None => cell.forward(simd, sums, state),
                    Some(team) => {
                        cell.forward(simd, sums, &mut state[own.clone()]);
                        team.exchange(own.clone(), state);
                    }
                }
                if let Some(target) = &mut target {
                    target.store(t, start..start + batch, state, [width, hidden.depth()]);
                }
            }
        }
    }
}

impl<A: Element> BackWeights<A> {
    /// Packs weights of shapes (gates * hidden, input) and (gates * hidden, hidden).
    pub(crate) fn new(weight_ih: &ArrayRef2<A>, weight_hh: &ArrayRef2<A>) -> Self {
        Self { input: Panels::straight(weight_ih), hidden: Panels::straight(weight_hh) }
    }

    /// The width of the layer's input rows.
    pub(super) fn inputs(&self) -> usize {
        self.input.all().width()
    }

    /// The way back of [`Weights::forward`].
    ///
    /// The gradient of a state sums over the next step's sums in ascending order, that of an input likewise, the
    /// forward direction's first.
    #[inline(always)]
    pub(super) fn backward<S: Simd, C: Cell<A>>(
        &self,
        simd: S,
        cell: C,
        span: BackSpan<'_, '_, A>,
        room: &mut Room<A>,
    ) {
        let BackSpan { steps, reverse, outputs, kept, factors, d_outputs, column, .. } = span;
        let BackSpan { d_state, resets, mut d_sums, mut d_inputs, .. } = span;
        let Room { sums, rows: copied, second, .. } = room;
        let (hidden, inputs) = (self.hidden.all().width(), self.input.all().width());
        let (units, columns) = (C::GATES * hidden, column..column + hidden);
        let mut left = 0..steps.len();
        while let Some(chunk) = steps.cut(&mut left, span.plan.chunk, !reverse) {
            let rows = steps.start(chunk.start)..steps.start(chunk.end);
            let range = rows.start * units..rows.end * units;
            let chunk_sums = d_sums.rows(chunk.clone(), range, false, sums);
            let mut times = chunk.clone();
            while let Some(t) = if reverse { times.next() } else { times.next_back() } {
                let (start, batch) = (steps.start(t), steps.batch(t));
                let d_state = &mut d_state[..batch * hidden];
                let sums = &mut chunk_sums[(start - rows.start) * units..][..batch * units];
                let d_output = d_outputs.columns([t, batch], columns.clone(), copied);
                d_state.iter_mut().zip(d_output).for_each(|(d_state, &d_output)| *d_state += d_output);
                let next = outputs.columns([t, batch], columns.clone(), copied);
                let kept = kept.map_or(&[][..], |kept| kept.columns([t, batch], 0..units, second));
                cell.backward(simd, kept, next, d_state, sums);
                let a = Matrix::contiguous(sums, batch, units);
                self.to_state(simd, a, factors, d_state, second, t);
                if let Some(resets) = &resets {
                    resets.cut(if reverse { t + 1 } else { t }, d_state, hidden);
                }
            }
            if let Some(d_inputs) = &mut d_inputs {
                let a = Matrix::contiguous(chunk_sums, rows.len(), units);
                let range = rows.start * inputs..rows.end * inputs;
                let c = d_inputs.rows(chunk.clone(), range, reverse, copied);
                let start = if reverse { Start::Output } else { Start::Zero };
                Product::new(&[Chain { start, a, weights: self.input.all() }], c).run(simd);
                d_inputs.put(chunk.clone(), copied);
            }
            d_sums.put(chunk, sums);
        }
    }
}

impl<A: Element> BackWeights<A> {
    /// Adds what comes through the recurrent product to the gradient of rows of state.
    #[inline(always)]
    fn to_state<S: Simd>(
        &self,
        simd: S,
        d_sums: Matrix<'_, A>,
        factors: Option<&[A]>,
        d_state: &mut [A],
        room: &mut Vec<A>,
        t: usize,
    ) {
        let chain = Chain { start: Start::Output, a: d_sums, weights: self.hidden.all() };
        let run = |c| run(simd, Product::new(&[chain], c), t);
        let Some(factors) = factors else {
            return run(d_state);
        };
        room.clear();
        room.resize(d_state.len(), A::zero());
        run(room);
        let terms = room.iter().zip(factors);
        d_state.iter_mut().zip(terms).for_each(|(d, (&term, &factor))| *d = term.mul_add(factor, *d));
    }
}

/// The first elements of some room, which grows where it is too small.
#[inline(always)]
fn first_of<A: Element>(room: &mut Vec<A>, len: usize) -> &mut [A] {
    if room.len() < len {
        room.resize(len, A::zero());
    }
    &mut room[..len]
}

/// Makes the recurrent product of step `t`, every other one from the weights' end.
#[inline(always)]
fn run<A: Element, S: Simd>(simd: S, mut product: Product<'_, A>, t: usize) {
    product.last_first = t % 2 == 1;
    product.run(simd);
}

/// What the recurrent product reads of rows of state: their hidden part, times factors if there are any.
#[inline(always)]
fn recurrent<'r, A: Element>(
    state: &'r [A],
    [rows, hidden, width]: [usize; 3],
    factors: Option<&[A]>,
    room: &'r mut Vec<A>,
) -> Matrix<'r, A> {
    let Some(factors) = factors else {
        return Matrix::strided(state, rows, hidden, width);
    };
    multiply(state, [hidden, width], factors, room);
    Matrix::contiguous(room, rows, hidden)
}

/// Multiplies the hidden part of rows of state with factors.
#[inline(never)]
fn multiply<A: Element>(state: &[A], [hidden, width]: [usize; 2], factors: &[A], to: &mut Vec<A>) {
    to.clear();
    for (state, factors) in state.chunks_exact(width).zip(factors.chunks_exact(hidden)) {
        to.extend(state.iter().zip(factors).map(|(&h, &factor)| h * factor));
    }
}
