//! The parameters of one direction of one layer: as their owner holds them, and packed.

use ndarray::{ArrayView1, ArrayView2};

use crate::cell::Cell;
use crate::element::Element;
use crate::error::Result;
use crate::kernels::{Blocks, Panels};
use crate::room::zero_elements;

/// Which block of an owner's parameters each of a cell's blocks is.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// For each of the cell's `INPUT` blocks.
    pub input: &'static [usize],
    /// For each of the cell's `HIDDEN` blocks.
    pub hidden: &'static [usize],
}

impl Order {
    /// One block.
    pub(crate) const ONE: Self = Self { input: &[0], hidden: &[0] };
}

/// The parameters of one direction of one layer: blocks of rows of `weight_ih` (blocks units, inputs), `weight_hh` (blocks
/// units, features) and the biases, which are zero if missing, and `weight_hr` (features, units) if there is a projection.
#[derive(Debug, Clone, Copy)]
pub struct DirectionParameters<'a, A> {
    pub(crate) weight_ih: ArrayView2<'a, A>,
    pub(crate) weight_hh: ArrayView2<'a, A>,
    pub(crate) bias_ih: Option<ArrayView1<'a, A>>,
    pub(crate) bias_hh: Option<ArrayView1<'a, A>>,
    pub(crate) weight_hr: Option<ArrayView2<'a, A>>,
    /// ONNX's peepholes: blocks of `units` numbers.
    pub(crate) peepholes: Option<ArrayView1<'a, A>>,
    pub(crate) order: Order,
}

/// The packed weights of one direction of one layer.
#[derive(Debug, Clone)]
pub struct Weights<A: Element> {
    pub(super) input: Panels<A>,
    pub(super) hidden: Panels<A>,
    /// Where the input's and the state's chains start, padded as the panels are.
    pub(super) bias_ih: Vec<A>,
    pub(super) bias_hh: Vec<A>,
    pub(super) projection: Option<Panels<A>>,
    /// Padded as the panels are, in the order of the cell; empty if there are none.
    pub(super) peepholes: Vec<A>,
    pub(super) blocks: Blocks,
    /// The number of weights.
    pub(super) count: usize,
}

/// The weights of one direction of one layer, packed for the way back.
#[derive(Debug, Clone)]
pub struct BackWeights<A: Element> {
    pub(super) input: Panels<A>,
    pub(super) hidden: Panels<A>,
    pub(super) projection: Option<Panels<A>>,
}

impl<A: Element> DirectionParameters<'_, A> {
    /// The number of units of a block.
    fn units(&self) -> usize {
        self.weight_ih.nrows() / self.order.input.len()
    }

    /// Packs the parameters for a cell's forward passes.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds them once more.
    pub(crate) fn pack<C: Cell<A>>(&self) -> Result<Weights<A>> {
        let blocks = Blocks::of::<A>(self.units(), C::BLOCKS);
        let peepholes = self.peepholes.map(|_| padded(self.peepholes, blocks, PEEPHOLES));
        Ok(Weights {
            input: Panels::transposed_blocks(&self.weight_ih, blocks, self.order.input)?,
            hidden: Panels::transposed_blocks(&self.weight_hh, blocks, self.order.hidden)?,
            bias_ih: padded(self.bias_ih, blocks, self.order.input)?,
            bias_hh: padded(self.bias_hh, blocks, self.order.hidden)?,
            projection: self.weight_hr.map(|weight| Panels::transposed(&weight)).transpose()?,
            peepholes: peepholes.transpose()?.unwrap_or_default(),
            blocks,
            count: self.weight_ih.len()
                + self.weight_hh.len()
                + self.weight_hr.map_or(0, |weight| weight.len()),
        })
    }

    /// Packs the weights for the way back.
    ///
    /// # Errors
    /// As [`pack`](Self::pack).
    pub(crate) fn pack_back(&self) -> Result<BackWeights<A>> {
        Ok(BackWeights {
            input: Panels::straight_blocks(&self.weight_ih, self.units(), self.order.input)?,
            hidden: Panels::straight_blocks(&self.weight_hh, self.units(), self.order.hidden)?,
            projection: self.weight_hr.map(|weight| Panels::straight(&weight)).transpose()?,
        })
    }
}

/// ONNX has i, o and f; the cell i, f and o.
const PEEPHOLES: &[usize] = &[0, 2, 1];

/// A bias laid out as the columns of a product; zeros if there is none.
fn padded<A: Element>(bias: Option<ArrayView1<'_, A>>, blocks: Blocks, order: &[usize]) -> Result<Vec<A>> {
    let mut padded = zero_elements("bias", &[(order.len() * blocks.apart).next_multiple_of(A::PANEL)])?;
    if let Some(bias) = bias {
        for (to, &block) in padded.chunks_exact_mut(blocks.apart).zip(order) {
            let from = bias.iter().skip(block * blocks.units).take(blocks.units);
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        }
    }
    Ok(padded)
}

impl<A: Element> Weights<A> {
    /// The width of the hidden state.
    pub(super) fn features(&self) -> usize {
        self.hidden.all().depth()
    }
}

impl<A: Element> BackWeights<A> {
    /// The width of the layer's input rows.
    pub(super) fn inputs(&self) -> usize {
        self.input.all().width()
    }
}
