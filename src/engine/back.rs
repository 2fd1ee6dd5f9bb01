//! The way back through the layers of a stack.

use std::mem;
use std::ops::Range;
use std::time::Duration;

use super::backward::{BackScratch, BackSpan, BackSpanWrites};
use super::calls::{CellBack, Change, WithCell, Work};
use super::form::Form;
use super::gradient::DirectionGradient;
use super::kept::Kept;
use super::pass::planes_of_parts;
use super::place::Place;
use super::share::{Share, ShareMut};
use super::stack::Stack;
use super::team::{Member, Team};
use super::threads;
use super::weights::BackWeights;
use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::copied;
use crate::planes::Planes;
use crate::rows::Source;
use crate::steps::Steps;

/// What the way back reads. A row of a layer is as wide as the hidden states of all directions side by side.
#[derive(Debug)]
pub struct BackReads<'a, A: Element> {
    /// Packed weights by layer, then direction.
    pub(crate) weights: &'a [Vec<BackWeights<A>>],
    /// The record of the pass.
    pub(crate) kept: &'a Kept<A>,
    /// The gradient of the last layer's output rows; `None` stands for zeros.
    pub(crate) d_output: Option<Source<'a, A>>,
}

/// What the way back writes.
#[derive(Debug)]
pub struct BackWrites<'a, A> {
    /// The gradient of the states: of the final states before the call, of the first states after it.
    pub(crate) d_state: Planes<&'a mut [A]>,
    /// Takes the gradient of the input rows, if the caller wants it.
    pub(crate) d_input: Option<&'a mut [A]>,
    /// Take the gradients of the parameters, by layer, then direction. The caller fills them with zeros first.
    pub(crate) d_parameters: Vec<DirectionGradient<'a, A>>,
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// The way back of [`forward`](Stack::forward). It makes the gradient of every sum first, with sequences split
    /// among threads, and then the gradient of every parameter, with units split among threads.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds what it works in.
    pub(crate) fn backward(&self, reads: &BackReads<'_, A>, writes: BackWrites<'_, A>) -> Result<()> {
        let rows = reads.kept.course.layout.steps.rows();
        let threads = threads::count(self.flops(rows));
        let with_cell = |work: Work<'_, A>| self.plan.arch.dispatch(WithCell { cell: self.cell, work });
        let (team, patience) = (self.team(threads), self.patience(rows));
        Back { form: self.form(), reads, with_cell: &with_cell, threads, team, patience }.run(writes)
    }
}

/// The way back of a stack.
struct Back<'s, 'a, A: Element> {
    form: Form,
    reads: &'s BackReads<'a, A>,
    /// Hands the stack's cell to some work.
    with_cell: &'s (dyn Fn(Work<'_, A>) -> Result<()> + Sync),
    /// The threads that the pass is worth, and of these the ones that a single sequence is worth.
    threads: usize,
    team: usize,
    /// How long a pass over one sequence waits for threads that share it.
    patience: Duration,
}

impl<A: Element> Back<'_, '_, A> {
    fn run(&self, writes: BackWrites<'_, A>) -> Result<()> {
        let BackWrites { d_state, d_input, d_parameters } = writes;
        let Self { form, reads: BackReads { kept, .. }, .. } = self;
        let rows = kept.course.layout.steps.rows();
        if rows == 0 {
            return Ok(());
        }
        let (directions, features) = (form.count(), form.features());
        let mut shelf = kept.spares.lock();
        let projected = if form.projected { directions } else { 0 };
        let mut d_sums = shelf.take("gradients of sums", &[directions, rows, form.sums_width()])?;
        let mut d_h = shelf.take("gradients of states", &[projected, rows, features])?;
        drop(shelf);
        self.sums_back(Written {
            d_state: d_state.map(Share::Whole),
            d_input: d_input.map(Share::Whole),
            d_sums: d_sums.chunks_exact_mut(rows * form.sums_width()).map(Share::Whole).collect(),
            d_h: d_h.chunks_exact_mut(rows * features).map(Share::Whole).collect(),
        })?;
        form.parameters_back(kept, d_parameters, [&d_sums, &d_h], self.threads)?;
        let mut shelf = kept.spares.lock();
        [d_sums, d_h].into_iter().for_each(|room| shelf.give(room));
        Ok(())
    }

    fn sums_back(&self, mut written: Written<'_, A>) -> Result<()> {
        let steps = &self.reads.kept.course.layout.steps;
        if self.threads > 1 && steps.batch(0) > 1 {
            let workers = self.threads.min(steps.batch(0));
            let ranges = steps.ranges(workers);
            let parts = written.split(&self.form, self.reads.inputs(0), steps, &ranges)?;
            threads::try_for_each(workers, parts.into_iter().zip(ranges), |(mut written, range)| {
                let rows = BackRows { steps: &steps.narrow(&range)?, first: range.start, team: None };
                self.rows_back(rows, &mut written)
            })
        } else if self.team > 1 && self.shares_back() {
            self.sums_back_together(written)
        } else {
            self.rows_back(BackRows { steps, first: 0, team: None }, &mut written)
        }
    }

    /// Whether threads can share the way back of one sequence: what a product reads is the gradient of the sums alone.
    fn shares_back(&self) -> bool {
        let masks = self.reads.kept.factors.masks.iter().all(Option::is_none);
        masks && !self.form.projected && !self.form.gates_state
    }

    /// The way back of one sequence on several threads. Each keeps the gradient of the whole state and of all input rows, and
    /// makes some columns of the one and some rows of the other.
    fn sums_back_together(&self, mut written: Written<'_, A>) -> Result<()> {
        let Self { form, reads, .. } = self;
        let (steps, spares) = (&reads.kept.course.layout.steps, &reads.kept.spares);
        let (rows, widest) = (steps.rows(), (0..form.depth).map(|layer| reads.inputs(layer)).max());
        let chunk = form.plan.chunk_of::<A>(form.sums_width()).min(rows);
        let team = Team::new(form.features().max(chunk * widest.invariant("a stack has a layer")))?;
        let first = written.d_state.as_ref().try_map(Share::copied)?;
        let inputs = written.d_input.as_ref().map(|_| [rows, reads.inputs(0)]);
        let prepare = || {
            let d_input =
                inputs.map(|shape| spares.lock().take("gradients of inputs", &shape)).transpose()?;
            Ok((first.as_ref().try_map(|plane| copied("state", plane))?, d_input))
        };
        let help = |member: &Member<'_>, (mut d_state, mut d_input): (Planes<Vec<A>>, Option<Vec<A>>)| {
            let mut written = Written {
                d_state: d_state.as_mut().map(|plane| Share::Whole(plane)),
                d_input: d_input.as_mut().map(|rows| Share::Whole(rows)),
                d_sums: Share::nowhere(form.count()),
                d_h: Vec::new(),
            };
            self.rows_back(BackRows { steps, first: 0, team: Some(member) }, &mut written)?;
            d_input.into_iter().for_each(|rows| spares.lock().give(rows));
            Ok(())
        };
        team.work(self.team, self.patience, (prepare, help), |team| {
            self.rows_back(BackRows { steps, first: 0, team }, &mut written)
        })
    }

    /// The way back through some rows of every step, on this thread.
    fn rows_back(&self, rows: BackRows<'_>, written: &mut Written<'_, A>) -> Result<()> {
        (self.with_cell)(&mut |cell| {
            RunBack { form: &self.form, reads: self.reads, cell, rows, written }.run()
        })
    }
}

impl<A: Element> BackReads<'_, A> {
    /// The width of a layer's input rows.
    fn inputs(&self, layer: usize) -> usize {
        self.weights[layer][0].inputs()
    }
}

/// Some rows of every step of the way back, for one thread.
#[derive(Debug, Clone, Copy)]
struct BackRows<'r> {
    /// How these rows fall into steps, and the first of them in each step.
    steps: &'r Steps,
    first: usize,
    /// The threads that share a single sequence, if any do.
    team: Option<&'r Member<'r>>,
}

/// What the first half of the way back writes: all rows, or one thread's rows of every step.
#[derive(Debug)]
struct Written<'a, A> {
    d_state: Planes<Share<'a, A>>,
    d_input: Option<Share<'a, A>>,
    /// The gradient of every sum, by layer, then direction.
    d_sums: Vec<Share<'a, A>>,
    /// The gradient of every hidden state, by layer, then direction; empty without a projection.
    d_h: Vec<Share<'a, A>>,
}

impl<A: Element> Written<'_, A> {
    /// Splits it into one part for each range of each step's rows.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds a number for each step.
    fn split(self, form: &Form, inputs: usize, steps: &Steps, ranges: &[Range<usize>]) -> Result<Vec<Self>> {
        let states = Steps::Equal { len: form.count(), batch: steps.batch(0) };
        let state = self.d_state.zip(form.widths);
        let state = state.try_map(|(plane, width)| plane.split(width, &states, ranges))?;
        let mut parts: Vec<_> = planes_of_parts(state)
            .map(|d_state| Self { d_state, d_input: None, d_sums: Vec::new(), d_h: Vec::new() })
            .collect();
        if let Some(d_input) = self.d_input {
            let pieces = d_input.split(inputs, steps, ranges)?;
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.d_input = Some(rows));
        }
        for d_sums in self.d_sums {
            let pieces = d_sums.split(form.sums_width(), steps, ranges)?;
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.d_sums.push(rows));
        }
        for d_h in self.d_h {
            let pieces = d_h.split(form.features(), steps, ranges)?;
            parts.iter_mut().zip(pieces).for_each(|(part, rows)| part.d_h.push(rows));
        }
        Ok(parts)
    }
}

/// The first half of the way back for some rows of every step, on one thread.
struct RunBack<'r, 'a, 'l, A: Element> {
    form: &'r Form,
    reads: &'r BackReads<'a, A>,
    cell: &'r dyn CellBack<A>,
    rows: BackRows<'r>,
    written: &'r mut Written<'l, A>,
}

impl<A: Element> RunBack<'_, '_, '_, A> {
    fn run(mut self) -> Result<()> {
        let (mut room, mut above) = (BackScratch::default(), Vec::new());
        for layer in (0..self.form.depth).rev() {
            let below = self.layer(layer, &above, &mut room)?;
            let unneeded = mem::replace(&mut above, below);
            if !unneeded.is_empty() {
                self.reads.kept.spares.lock().give(unneeded);
            }
        }
        Ok(())
    }

    /// The way back through a layer. It reads the gradient of the layer's output rows, which for the last layer
    /// comes from the caller, and returns the gradient of the layer's input rows. For the first layer it writes
    /// that gradient where the caller wants it, and returns nothing.
    fn layer(&mut self, layer: usize, above: &[A], room: &mut BackScratch<A>) -> Result<Vec<A>> {
        let Self { form, reads, cell, rows: BackRows { steps, first, team }, .. } = *self;
        let kept = reads.kept;
        let Written { d_state, d_input, d_sums, d_h } = &mut *self.written;
        let extras = kept.extras(form.features());
        let (all, batch) = (&kept.course.layout.steps, steps.batch(0));
        let mut below = match layer {
            0 => Vec::new(),
            _ => kept.spares.lock().take("gradients of inputs", &[steps.rows(), reads.inputs(layer)])?,
        };
        for (d, weights) in reads.weights[layer].iter().enumerate() {
            let i = layer * form.directions + d;
            let rows = |rows, width| Source::rows(rows, width, all, 0).skip(first);
            let (column, place) = (d * form.features(), Place { layer, direction: d, i, first });
            let d_outputs = if layer + 1 == form.depth {
                reads.d_output.map(|d_output| d_output.skip(first))
            } else {
                Some(Source::rows(above, form.width(), steps, 0))
            };
            let state = d_state.as_mut().zip(form.widths);
            let span = BackSpan {
                weights,
                cell,
                steps,
                form,
                place,
                team,
                rows: kept.rows.get(i).map(|kept| rows(kept, form.row_width)),
                cells: match kept.cells.get(i) {
                    Some(cells) => (rows(cells, form.blocks.units), 0),
                    None => (rows(&kept.outputs[layer], form.width()), column),
                },
                d_outputs: d_outputs.map(|d_outputs| (d_outputs, column)),
                resets: extras.resets.as_ref(),
                masks: extras.masks_at(place),
            };
            let writes = BackSpanWrites {
                d_state: state.map(|(plane, width)| {
                    plane.borrow().into_step(i, i * batch * width..(i + 1) * batch * width)
                }),
                d_sums: d_sums[i].borrow(),
                d_h: d_h.get_mut(i).map(Share::borrow),
                d_inputs: match layer {
                    0 => d_input.as_mut().map(Share::borrow),
                    _ => Some(ShareMut::Whole(&mut below)),
                },
            };
            span.run(writes, room)?;
        }
        if let Some(factors) = layer.checked_sub(1).and_then(|below| kept.factors.between.get(below)) {
            self.drop_out(factors, &mut below);
        }
        Ok(below)
    }

    /// The way back through the dropout between a layer and the one above: multiplies the gradient with the
    /// factors.
    fn drop_out(&self, factors: &[A], d_inputs: &mut [A]) {
        let (BackRows { steps, first, .. }, all, width) =
            (self.rows, &self.reads.kept.course.layout.steps, self.form.width());
        for t in 0..steps.len() {
            let to = &mut d_inputs[steps.start(t) * width..steps.start(t + 1) * width];
            let factors = &factors[(all.start(t) + first) * width..];
            self.cell.kernels().change(Change::Multiply { factors, to });
        }
    }
}
