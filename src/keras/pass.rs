//! A layer's passes: arguments checked, forward, in training mode.

use std::convert::identity;

use ndarray::{Array, Array2, Array3, ArrayRef2, ArrayRef3, CowArray, Dimension, Ix3};

use super::architecture::{Architecture, Options};
use super::call::{Arguments, Call, Callable, Returned};
use super::engine::{forward, forward_train};
use super::layer::Layer;
use super::rows::{Rows, Shown};
use super::seeds::SeedGenerator;
use super::train::{DropoutMasks, Trace};
use crate::arrays::{try_standard, with_plain_rows};
use crate::error::{Result, expect_shape, expect_steps, expect_width};
use crate::kernels::copy;
use crate::planes::Planes;
use crate::room::{room, zeros};
use crate::rows::Source;
use crate::scalar::Scalar;

/// A call of a layer, its arguments checked.
#[derive(Debug)]
pub(super) struct Pass<'a, C: Architecture, A: Scalar> {
    layer: &'a Layer<C, A>,
    input: CowArray<'a, A, Ix3>,
    rows: Rows,
    offsets: Option<Vec<usize>>,
    /// (N, units), in the caller's order and standard layout.
    first: Planes<Array2<A>>,
    /// Room for the last outputs, or for the rows of every step's.
    output: Vec<A>,
}

/// A layer's arguments.
pub(super) type LayerArguments<'a, C, A> = Arguments<'a, A, <C as Architecture>::State<&'a ArrayRef2<A>>>;

impl<C: Architecture, A: Scalar> Layer<C, A> {
    /// A call with options: mask, first state. See [`Call`].
    pub fn call<'a>(&'a self, input: &'a ArrayRef3<A>) -> Call<'a, Self> {
        Call::new(self, input)
    }

    /// The outputs of every step, (N, T, units), and the final state, of a batch of sequences (N, T, input_dim).
    ///
    /// # Errors
    /// As [`Call::forward`].
    pub fn forward(&self, input: &ArrayRef3<A>) -> Result<(Array3<A>, C::State<Array2<A>>)> {
        self.call(input).forward()
    }

    /// Checks a call's arguments, for outputs of `D` axes.
    pub(super) fn pass<'a, D: Dimension>(
        &'a self,
        arguments: LayerArguments<'a, C, A>,
    ) -> Result<Pass<'a, C, A>> {
        let Arguments { input, mask, initial_state, zero_output_for_mask } = arguments;
        let options = self.config().options();
        let Options { input_dim, units, go_backwards, .. } = options;
        let (batch, len, actual) = input.dim();
        expect_width("input", "input_dim", input_dim, actual)?;
        expect_steps("input", len, input.shape())?;
        mask.map_or(Ok(()), |mask| expect_shape("mask", &[batch, len], mask.shape()))?;
        let rows = match mask {
            None => Rows::all([batch, len], go_backwards),
            Some(mask) => {
                let zero = zero_output_for_mask.unwrap_or(options.zero_output_for_mask);
                Rows::masked(mask, go_backwards, zero)?
            }
        };
        let output = rows.room(Shown::of::<D>(), units)?;
        let first = match initial_state.map(C::planes) {
            None => Planes::new(C::CARRIES, || zeros("initial_state", (batch, units))).try_map(identity)?,
            Some(planes) => planes.named(C::STATES[0]).try_map(|(name, plane)| {
                expect_shape(name, &[batch, units], plane.shape())?;
                try_standard(name, plane)
            })?,
        };
        let mut input = with_plain_rows("input", input.view())?;
        input.swap_axes(0, 1);
        let offsets = rows.offsets(&input)?;
        Ok(Pass { layer: self, input, rows, offsets, first, output })
    }
}

impl<C: Architecture, A: Scalar> Callable for Layer<C, A> {
    type Elem = A;
    type Output<D: Dimension> = Array<A, D>;
    type State = C::State<Array2<A>>;
    type StateRef<'a> = C::State<&'a ArrayRef2<A>>;
    type Seeds = SeedGenerator;
    type Trace = Trace<C, A>;

    // Inlined, a call without training does not move the trace that it does not have: 40 of 660 ns at 2 units.
    #[inline(always)]
    fn run<'a, D: Dimension>(
        &'a self,
        arguments: LayerArguments<'a, C, A>,
        seeds: Option<&mut SeedGenerator>,
    ) -> Result<Returned<Self, D>> {
        let pass = self.pass::<D>(arguments)?;
        let Some(seeds) = seeds else {
            let (output, state) = pass.forward()?;
            return Ok((output, C::state(state), None));
        };
        // Nothing is drawn where there is an error.
        let mut drawn = seeds.clone();
        let masks = self.dropout_masks(pass.rows.batch, &mut drawn)?;
        let (output, state, trace) = pass.forward_train(&masks)?;
        *seeds = drawn;
        Ok((output, C::state(state), Some(trace)))
    }
}

impl<C: Architecture, A: Scalar> Pass<'_, C, A> {
    /// Runs the layer; returns outputs of `D` axes and the final state.
    pub(super) fn forward<D: Dimension>(self) -> Result<(Array<A, D>, Planes<Array2<A>>)> {
        let Self { layer, input, rows, offsets, first, mut output } = self;
        let source = rows.source(&input, offsets.as_deref());
        let every = (Shown::of::<D>() == Shown::Every).then_some(&mut output[..]);
        let own = (layer.stack()?, &**layer.cache.spares());
        let states = forward::<C, A>(own, &rows.layout, source, first, every)?;
        Ok((rows.outputs(output, &states.h)?, states))
    }

    /// Runs the layer in training mode; returns outputs of `D` axes, the final state and the trace.
    pub(super) fn forward_train<D: Dimension>(
        self,
        masks: &DropoutMasks<A>,
    ) -> Result<(Array<A, D>, Planes<Array2<A>>, Trace<C, A>)> {
        // One mask multiplies the rows that the engine reads, whose chains it makes ahead. Several are the engine's.
        let (one, each) = match &masks.input[..] {
            [mask] => (Some(mask), &[][..]),
            masks => (None, masks),
        };
        let (input, input_factors) = (self.dropped_input(one)?, one.map(|mask| try_standard("mask", mask)));
        let Self { layer, rows, first, mut output, .. } = self;
        let width = layer.config().options().input_dim;
        let (states, kept) = forward_train::<C, A>(
            (layer.stack()?, layer.cache.spares()),
            &rows.layout,
            (&input, width),
            first,
            [each, &masks.state],
        )?;
        let shown = Shown::of::<D>();
        if shown == Shown::Every {
            copy(kept.output(), &mut output);
        }
        let output = rows.outputs(output, &states.h)?;
        let (origin, input_factors) = (layer.cache.origin(layer.config()), input_factors.transpose()?);
        Ok((output, states, Trace { origin, rows, shown, input_factors, kept }))
    }

    /// The input's rows, one after another, times their sequences' factors.
    fn dropped_input(&self, factors: Option<&Array2<A>>) -> Result<Vec<A>> {
        let source: Source<'_, A> = self.rows.source(&self.input, self.offsets.as_deref());
        let steps = &self.rows.layout.steps;
        let mut input = room("input", &[steps.rows(), source.width()])?;
        for (t, b) in steps.places(0..steps.len()) {
            let row = source.row(t, b).iter();
            match factors {
                None => input.extend(row),
                Some(factors) => {
                    let factors = factors.row(self.rows.sequence(b));
                    input.extend(row.zip(factors).map(|(&x, &factor)| x * factor));
                }
            }
        }
        Ok(input)
    }
}
