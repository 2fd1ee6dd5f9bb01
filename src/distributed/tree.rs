//! Sums in a tree that the numbers of the terms fix.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

use crate::error::{Error, Result, expect_index, expect_positive};
use crate::invariant::Invariant;
use crate::parameters::{Parameters, expect_same, shapes};

/// A sum of M numbered terms, such as the gradients of M micro-batches, added in an order that M alone fixes.
///
/// ```text
/// sum(i) = term i
/// sum(i .. j) = sum(i .. m) + sum(m .. j),   m - i the largest power of two below j - i
/// ```
///
/// So the bits depend neither on the order in which the terms come nor on who adds which of them. Two nodes are added as
/// soon as both are there: terms in ascending order keep at most `log2(M) + 1` nodes. M is a choice of the training, as
/// the size of a batch is, and not the number of ranks.
///
/// Here a term is anything of named arrays: a gradient of any model, a flat [`Array1`](ndarray::Array1), or a tuple of a
/// gradient and an array with the loss. On one machine the tree accumulates the gradients of a batch that no memory holds at
/// once.
///
/// ```
/// use ndarray::{Array2, s};
/// use ndarray_rnn::distributed::TreeSum;
/// use ndarray_rnn::{GradientOf, Linear, LinearConfig, Parameters, loss::MseLoss, manual_seed};
///
/// let linear = Linear::<f32>::new(LinearConfig::new(3, 1), &mut manual_seed(0))?;
/// let (x, y) = (Array2::from_shape_fn((8, 3), |(n, i)| (3 * n + i) as f32 * 0.1), Array2::zeros((8, 1)));
/// let gradient = |m: usize| -> ndarray_rnn::Result<GradientOf<Linear>> {
///     let (x, y) = (x.slice(s![2 * m..2 * m + 2, ..]), y.slice(s![2 * m..2 * m + 2, ..])); // micro-batch m of 4
///     let loss = MseLoss::new().forward(&linear.forward(&x)?, &y)?;
///     Ok(linear.backward(&x, &loss.gradient)?.parameters)
/// };
///
/// let mut one = TreeSum::new(4)?;
/// (0..4).try_for_each(|m| one.add(m, gradient(m)?))?;
///
/// // Two ranks: the second sends what it has, which is one node of the tree.
/// let [mut first, mut second] = [TreeSum::new(4)?, TreeSum::new(4)?];
/// [1, 0].into_iter().try_for_each(|m| first.add(m, gradient(m)?))?;
/// [3, 2].into_iter().try_for_each(|m| second.add(m, gradient(m)?))?;
/// second.take_nodes().into_iter().try_for_each(|node| first.add_node(node))?;
///
/// let (mut mean, same) = (one.take_sum()?, first.take_sum()?);
/// assert_eq!(mean, same); // bit for bit
/// mean.scale(1.0 / 4.0);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TreeSum<G> {
    count: usize,
    /// The sums that lack their sibling, by their first number; each with the end of its numbers.
    nodes: BTreeMap<usize, (usize, G)>,
}

/// A sum of some of the terms of a [`TreeSum`], whose numbers are a node of its tree.
///
/// ```
/// use ndarray::arr1;
/// use ndarray_rnn::distributed::{Node, TreeSum};
///
/// let mut sum = TreeSum::new(6)?; // ((0 1) (2 3)) (4 5)
/// (1..6).try_for_each(|number| sum.add(number, arr1(&[number as f32])))?;
/// let nodes = sum.take_nodes();
/// assert_eq!(nodes[0], Node { numbers: 1..2, sum: arr1(&[1.0]) });
/// assert_eq!(nodes[1], Node { numbers: 2..4, sum: arr1(&[5.0]) });
/// assert_eq!(nodes[2], Node { numbers: 4..6, sum: arr1(&[9.0]) });
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Node<G> {
    /// The numbers of the terms.
    pub numbers: Range<usize>,
    /// The sum of the terms.
    pub sum: G,
}

impl<G: Parameters> TreeSum<G> {
    /// A sum of the terms 0 to `count - 1`, of which none is there.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] if `count` is 0.
    pub fn new(count: usize) -> Result<Self> {
        expect_positive("the number of terms", count)?;
        Ok(Self { count, nodes: BTreeMap::new() })
    }

    /// Adds the term of a number.
    ///
    /// # Errors
    /// [`Error::IndexOutOfBounds`] for a number that is not below the count; otherwise as [`add_node`](Self::add_node).
    pub fn add(&mut self, number: usize, term: G) -> Result<()> {
        expect_index("number", "the number of terms", self.count, number)?;
        self.add_node(Node { numbers: number..number + 1, sum: term })
    }

    /// Adds a sum of some terms, such as another rank [gave out](Self::take_nodes).
    ///
    /// # Errors
    /// [`Error::ForeignNode`] for numbers that are no node of this tree; [`Error::RepeatedTerms`] if some of the numbers
    /// are there already; [`Error::MissingParameter`], [`Error::UnexpectedParameter`] or [`Error::Shape`] for arrays of other
    /// names or shapes than those that are there. The sum is unchanged then.
    pub fn add_node(&mut self, node: Node<G>) -> Result<()> {
        let Node { mut numbers, mut sum } = node;
        if family(self.count, &numbers).is_none() {
            return Err(Error::ForeignNode { numbers, count: self.count });
        }
        if let Some((&start, &(end, _))) = self.nodes.range(..numbers.end).next_back()
            && end > numbers.start
        {
            return Err(Error::RepeatedTerms { numbers, present: start..end });
        }
        if let Some((_, present)) = self.nodes.values().next() {
            expect_same("term ", shapes(&present.named_parameters()), shapes(&sum.named_parameters()))?;
        }
        while let Some(Family { sibling: Some(sibling), parent }) = family(self.count, &numbers) {
            let is_sibling = |(end, _): &(usize, G)| *end == sibling.end;
            if !self.nodes.get(&sibling.start).is_some_and(is_sibling) {
                break;
            }
            let (_, other) = self.nodes.remove(&sibling.start).invariant("the sibling is there");
            sum.accumulate(&other).invariant("all sums have the same names and shapes");
            numbers = parent;
        }
        self.nodes.insert(numbers.start, (numbers.end, sum));
        Ok(())
    }

    /// The sums that lack their sibling, in ascending order: what is sent to whoever has the siblings. Nothing is left.
    ///
    /// For the terms of a range of numbers these are the fewest nodes that cover it, [`tree_nodes`].
    #[must_use]
    pub fn take_nodes(&mut self) -> Vec<Node<G>> {
        let nodes = mem::take(&mut self.nodes).into_iter();
        nodes.map(|(start, (end, sum))| Node { numbers: start..end, sum }).collect()
    }

    /// The sum of all terms. Nothing is left, for the next sum.
    ///
    /// # Errors
    /// [`Error::MissingTerms`] for the first numbers of which no term is there; the sum is unchanged then.
    pub fn take_sum(&mut self) -> Result<G> {
        let mut end = 0;
        for (&start, &(next, _)) in &self.nodes {
            if start > end {
                return Err(Error::MissingTerms { numbers: end..start, count: self.count });
            }
            end = next;
        }
        if end < self.count {
            return Err(Error::MissingTerms { numbers: end..self.count, count: self.count });
        }
        let (_, (_, sum)) = self.nodes.pop_first().invariant("a sum has a term");
        Ok(sum)
    }
}

/// The fewest nodes of the tree of a [`TreeSum`] of `count` terms that cover a range of numbers, in ascending order: what
/// the terms of this range add up to, at most `2 log2(count)` nodes for a count of 2 or more. Every rank so knows what each
/// other one sends.
///
/// # Errors
/// [`Error::IndexOutOfBounds`] for a range that ends beyond `count`.
///
/// ```
/// use ndarray_rnn::distributed::tree_nodes;
///
/// assert_eq!(tree_nodes(8, 0..4)?, [0..4]);
/// assert_eq!(tree_nodes(8, 3..7)?, [3..4, 4..6, 6..7]);
/// assert_eq!(tree_nodes(7, 4..7)?, [4..7]); // (0..4) + ((4 5) + 6)
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub fn tree_nodes(count: usize, numbers: Range<usize>) -> Result<Vec<Range<usize>>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    expect_index("the last number", "the number of terms", count, numbers.end - 1)?;
    let mut nodes = Vec::new();
    cover(0..count, &numbers, &mut nodes);
    Ok(nodes)
}

/// Lists the largest nodes within some numbers, of a node and those below it.
fn cover(node: Range<usize>, numbers: &Range<usize>, nodes: &mut Vec<Range<usize>>) {
    if numbers.start <= node.start && node.end <= numbers.end {
        nodes.push(node);
    } else if node.start < numbers.end && numbers.start < node.end {
        halves(&node).into_iter().for_each(|half| cover(half, numbers, nodes));
    }
}

/// Where a node stands.
struct Family {
    /// What it is added to; nothing if it is the whole sum.
    sibling: Option<Range<usize>>,
    /// What both make; the whole sum is its own.
    parent: Range<usize>,
}

/// Where the node of these numbers stands in a tree of `count` terms; `None` if there is no such node.
fn family(count: usize, numbers: &Range<usize>) -> Option<Family> {
    let (mut node, mut found) = (0..count, Family { sibling: None, parent: 0..count });
    while node != *numbers {
        if node.len() < 2 {
            return None;
        }
        let [first, second] = halves(&node);
        let (own, sibling) = if numbers.start < second.start { (first, second) } else { (second, first) };
        found = Family { sibling: Some(sibling), parent: mem::replace(&mut node, own) };
    }
    Some(found)
}

/// The two nodes, of two terms or more, that a node is the sum of.
fn halves(numbers: &Range<usize>) -> [Range<usize>; 2] {
    let middle = numbers.start + (1 << (numbers.len() - 1).ilog2());
    [numbers.start..middle, middle..numbers.end]
}
