//! The gradient of one direction's parameters: as its owner lends it, and each thread's part of it.

use std::ops::Range;

use super::threads;
use super::weights::Order;
use crate::element::Element;
use crate::invariant::Invariant;
use crate::kernels::copy;

/// The gradient of one direction's parameters, of the same shapes.
#[derive(Debug)]
pub struct DirectionGradient<'a, A> {
    pub(crate) weight_ih: &'a mut [A],
    pub(crate) weight_hh: &'a mut [A],
    pub(crate) bias_ih: Option<&'a mut [A]>,
    pub(crate) bias_hh: Option<&'a mut [A]>,
    pub(crate) weight_hr: Option<&'a mut [A]>,
    pub(crate) order: Order,
}

/// The rows of some units in every block of an array, by the cell's blocks.
#[derive(Debug)]
pub(super) enum BlockRows<'a, A> {
    /// The rows of all units: the whole array, and which of its blocks each of the cell's blocks is.
    Whole(&'a mut [A], &'static [usize]),
    /// The rows of some units in each of the cell's blocks.
    Pieces(Vec<&'a mut [A]>),
}

/// The gradient of some units' parameters.
#[derive(Debug)]
pub(super) struct UnitsGradient<'a, A> {
    pub(super) units: Range<usize>,
    pub(super) weight_ih: BlockRows<'a, A>,
    pub(super) weight_hh: BlockRows<'a, A>,
    pub(super) bias_ih: Option<BlockRows<'a, A>>,
    pub(super) bias_hh: Option<BlockRows<'a, A>>,
    /// The features whose rows of `weight_hr` this part has.
    pub(super) features: Range<usize>,
    pub(super) weight_hr: Option<&'a mut [A]>,
}

impl<'a, A: Element> DirectionGradient<'a, A> {
    /// Splits it among workers, one unit or more for each.
    pub(super) fn split(
        self,
        [units, features]: [usize; 2],
        workers: usize,
    ) -> impl Iterator<Item = UnitsGradient<'a, A>> {
        let Self { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, order } = self;
        let whole = UnitsGradient {
            units: 0..units,
            weight_ih: BlockRows::Whole(weight_ih, order.input),
            weight_hh: BlockRows::Whole(weight_hh, order.hidden),
            bias_ih: bias_ih.map(|bias| BlockRows::Whole(bias, order.input)),
            bias_hh: bias_hh.map(|bias| BlockRows::Whole(bias, order.hidden)),
            features: 0..features,
            weight_hr,
        };
        let (whole, parts) =
            if workers == 1 { (Some(whole), Vec::new()) } else { (None, whole.split(workers.min(units))) };
        whole.into_iter().chain(parts)
    }
}

impl<'a, A> UnitsGradient<'a, A> {
    /// Splits all units among workers.
    fn split(self, workers: usize) -> Vec<Self> {
        let Self { units, weight_ih, weight_hh, bias_ih, bias_hh, features, mut weight_hr } = self;
        let ranges = || threads::ranges(units.len(), workers);
        let split = |rows: BlockRows<'a, A>| rows.split(units.len(), ranges()).into_iter();
        let (mut bias_ih, mut bias_hh) = (bias_ih.map(split), bias_hh.map(split));
        let next = |bias: &mut Option<std::vec::IntoIter<_>>| {
            bias.as_mut().map(|parts| parts.next().invariant("there is a part for each worker"))
        };
        let parts = ranges()
            .zip(threads::ranges(features.len(), workers))
            .zip(split(weight_ih).zip(split(weight_hh)));
        let part = |((of_units, features), (weight_ih, weight_hh)): ((_, Range<usize>), _)| Self {
            units: of_units,
            weight_ih,
            weight_hh,
            bias_ih: next(&mut bias_ih),
            bias_hh: next(&mut bias_hh),
            weight_hr: weight_hr.as_mut().map(|rest| cut(rest, features.len() * units.len())),
            features,
        };
        parts.map(part).collect()
    }
}

/// Cuts the first elements off.
fn cut<'a, A>(elements: &mut &'a mut [A], count: usize) -> &'a mut [A] {
    elements.split_off_mut(..count).invariant("a part is no longer than the whole")
}

impl<'a, A> BlockRows<'a, A> {
    /// The rows of one block.
    #[inline(always)]
    pub(super) fn block(&mut self, i: usize) -> &mut [A] {
        match self {
            Self::Whole(array, order) => {
                let len = array.len() / order.len();
                &mut array[order[i] * len..][..len]
            }
            Self::Pieces(pieces) => pieces[i],
        }
    }

    /// Splits the rows of all units.
    fn split(self, units: usize, ranges: impl ExactSizeIterator<Item = Range<usize>> + Clone) -> Vec<Self> {
        let Self::Whole(array, order) = self else { return vec![self] };
        let len = array.len() / order.len();
        let mut blocks: Vec<_> = array.chunks_exact_mut(len).map(Some).collect();
        let mut parts: Vec<Vec<_>> = ranges.clone().map(|_| Vec::with_capacity(order.len())).collect();
        for &block in order {
            let mut rest = blocks[block].take().invariant("an order lists each block once");
            for (part, units_of_part) in parts.iter_mut().zip(ranges.clone()) {
                part.push(cut(&mut rest, units_of_part.len() * len / units));
            }
        }
        parts.into_iter().map(Self::Pieces).collect()
    }
}

impl<A: Element> UnitsGradient<'_, A> {
    /// Writes the gradient of every block's sums, of this thread's units, to the biases: those that both take to each.
    pub(super) fn put_biases(&mut self, d_sums: &[A], both: &SharedBlocks) {
        let units = self.units.len();
        for (bias, blocks) in [(&mut self.bias_ih, &both.input), (&mut self.bias_hh, &both.hidden)] {
            let Some(bias) = bias else { continue };
            for (i, block) in blocks.clone().enumerate() {
                copy(&d_sums[block * units..][..units], bias.block(i));
            }
        }
    }
}

/// The blocks of sums that the input's chains go to, and those that the state's chains go to.
#[derive(Debug, Clone)]
pub(super) struct SharedBlocks {
    pub(super) input: Range<usize>,
    pub(super) hidden: Range<usize>,
}

impl SharedBlocks {
    /// The number of blocks that hold sums.
    pub(super) fn sums(&self) -> usize {
        self.input.end.max(self.hidden.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the sum 3 to the biases that there are.
    fn biases<'a>(bias_ih: Option<&'a mut [f64]>, bias_hh: Option<&'a mut [f64]>) {
        let rows = |rows: &'a mut [f64]| BlockRows::Whole(rows, &[0]);
        let (weight_ih, weight_hh) = (rows(&mut []), rows(&mut []));
        let (bias_ih, bias_hh) = (bias_ih.map(rows), bias_hh.map(rows));
        let mut gradient = UnitsGradient {
            units: 0..1,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            features: 0..1,
            weight_hr: None,
        };
        let both = SharedBlocks { input: 0..1, hidden: 0..1 };
        gradient.put_biases(&[3.0], &both);
    }

    #[test]
    fn each_bias_gets_the_whole_gradient_alone_or_beside_the_other() {
        let ([mut first, mut second], [mut alone_ih, mut alone_hh]) = ([[0.0]; 2], [[0.0]; 2]);
        biases(Some(&mut first), Some(&mut second));
        biases(Some(&mut alone_ih), None);
        biases(None, Some(&mut alone_hh));
        assert_eq!([first, second, alone_ih, alone_hh], [[3.0]; 4]);
    }
}
