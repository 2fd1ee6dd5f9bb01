//! Layers and directions.

use std::mem;

use pulp::{Arch, Simd, WithSimd};

use super::direction::{Scratch, Span, Target, Weights};
use crate::cell::Cell;
use crate::element::Element;
use crate::sequence::{Source, Steps};

/// The packed weights of every direction of every layer, and the cell they feed.
#[derive(Debug, Clone)]
pub struct Stack<A: Element, C> {
    /// By layer, then direction.
    pub(crate) layers: Vec<Vec<Weights<A>>>,
    pub(crate) cell: C,
    pub(crate) hidden: usize,
}

/// What a stack runs over.
#[derive(Debug)]
pub struct Forward<'a, A> {
    /// The first layer's input.
    pub(crate) source: Source<'a, A>,
    /// How its rows fall into steps.
    pub(crate) steps: Steps,
    /// Rows of state by layer, then direction: before the pass the first state, after it the final one.
    pub(crate) state: &'a mut [A],
    /// The last layer's output rows, directions side by side, if they are wanted.
    pub(crate) output: Option<&'a mut [A]>,
}

impl<A: Element, C: Cell<A>> Stack<A, C> {
    /// Runs every layer over every step.
    #[inline(always)]
    pub(crate) fn forward(&self, arch: Arch, pass: Forward<'_, A>) {
        arch.dispatch(Run { stack: self, pass });
    }
}

struct Run<'a, A: Element, C> {
    stack: &'a Stack<A, C>,
    pass: Forward<'a, A>,
}

impl<A: Element, C: Cell<A>> WithSimd for Run<'_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Stack { layers, cell, hidden } = self.stack;
        let Forward { source, steps, state, mut output } = self.pass;
        let directions = layers[0].len();
        let width = directions * hidden;
        let block = steps.batch(0) * C::STATES * hidden;
        let mut states = state.chunks_exact_mut(block.max(1));
        let mut scratch = Scratch::new();
        // What lies between two layers: read by one, written by the one below.
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for (k, layer) in layers.iter().enumerate() {
            let last = k + 1 == layers.len();
            if !last {
                above.resize(steps.rows() * width, A::zero());
            }
            for (d, (weights, state)) in layer.iter().zip(&mut states).enumerate() {
                let rows = if last { output.as_deref_mut() } else { Some(&mut above[..]) };
                let span = Span {
                    source: if k == 0 { source } else { Source::contiguous(&below, &steps, width) },
                    steps,
                    reverse: d == 1,
                    state,
                    target: rows.map(|rows| Target { rows, width, column: d * hidden }),
                };
                weights.forward(simd, *cell, span, &mut scratch);
            }
            mem::swap(&mut below, &mut above);
        }
    }
}
