//! Networks made of recurrent nodes.

use ndarray::{Array, ArrayRef, Axis, RemoveAxis};

use super::inputs::{Given, GraphInput};
use super::kinds::NodeKind;
use super::node::Node;
use super::unsupported;
use crate::arrays::try_standard;
use crate::error::{Error, Result, expect_shape};
use crate::parameters::Parameters;
use crate::planes::Planes;
use crate::recurrent::{CellParameters, Direction, Recurrent, RecurrentParameters, Sizes};
use crate::room::zeros;
use crate::scalar::Scalar;

/// The network whose layers are the given nodes, of which there is one at least.
pub(super) fn network<C: NodeKind, A: Scalar>(
    nodes: &[Node<A>],
    batch_first: bool,
) -> Result<Recurrent<C, A>> {
    let first = &nodes[0];
    let cells = || nodes.iter().flat_map(Node::cells);
    let bias = cells().any(|cell| cell.bias_ih.is_some());
    let sizes = Sizes {
        num_layers: nodes.len(),
        num_directions: first.directions().len(),
        batch_first,
        ..Sizes::of_cell(first.input_size(), first.hidden_size(), bias)
    };
    expect_layer::<C, A>(first, first)?;
    let config = C::of_node(first, &sizes)?;
    for (k, node) in nodes.iter().enumerate() {
        expect_layer::<C, A>(first, node)?;
        C::of_node(node, &sizes)?;
        let expected = [sizes.hidden_size, sizes.layer_input_size(k)];
        expect_shape(&format!("{}.W", node.name()), &expected, &[node.hidden_size(), node.input_size()])?;
    }
    if nodes.len() > 1 {
        expect_states_in_order::<C, A>(nodes)?;
    }
    let mut cells: Vec<_> = cells().map(|cell| in_order(cell, C::BLOCKS)).collect::<Result<_>>()?;
    if bias {
        // Where a node has no bias, the network's is zero.
        for bias in cells.iter_mut().flat_map(|cell| [&mut cell.bias_ih, &mut cell.bias_hh]) {
            if bias.is_none() {
                *bias = Some(zeros("bias", C::BLOCKS.len() * sizes.hidden_size)?);
            }
        }
    }
    let parameters = RecurrentParameters { cells, directions: sizes.num_directions };
    let mut network = Recurrent::zeros(config)?;
    network.load_state_dict(parameters.named_parameters())?;
    Ok(network)
}

/// The parameters of a direction with other blocks first.
///
/// # Errors
/// As [`reordered`].
fn in_order<A: Scalar>(cell: &CellParameters<A>, blocks: &[usize]) -> Result<CellParameters<A>> {
    Ok(CellParameters {
        weight_ih: reordered("W", &cell.weight_ih, blocks)?,
        weight_hh: reordered("R", &cell.weight_hh, blocks)?,
        bias_ih: cell.bias_ih.as_ref().map(|bias| reordered("B", bias, blocks)).transpose()?,
        bias_hh: cell.bias_hh.as_ref().map(|bias| reordered("B", bias, blocks)).transpose()?,
        weight_hr: None,
    })
}

/// An array whose block `k` of rows is the given array's block `blocks[k]`.
///
/// # Errors
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds it.
pub(super) fn reordered<A: Scalar, D: RemoveAxis>(
    name: &str,
    array: &ArrayRef<A, D>,
    blocks: &[usize],
) -> Result<Array<A, D>> {
    let mut ordered = try_standard(name, array)?;
    let units = array.len_of(Axis(0)) / blocks.len();
    for (mut to, &block) in ordered.axis_chunks_iter_mut(Axis(0), units).zip(blocks) {
        to.assign(&array.slice_axis(Axis(0), (block * units..(block + 1) * units).into()));
    }
    Ok(ordered)
}

/// Checks that a node is a layer of a network whose first layer is `first`.
fn expect_layer<C: NodeKind, A: Scalar>(first: &Node<A>, node: &Node<A>) -> Result<()> {
    let refuse = |feature: String| Err(not_of::<C, A>(node, feature));
    if node.operator().kind != C::KIND {
        return refuse(format!("the operator {}", node.op_type()));
    }
    if node.directions() == [Direction::Reverse] {
        return refuse("direction reverse".into());
    }
    if node.directions() != first.directions() {
        return refuse(format!("another direction than {}", first.name()));
    }
    if node.activations() != first.activations() {
        return refuse(format!("other activations than {}", first.name()));
    }
    node.expect_free(&format!("a network of class {}", C::CLASS))
}

/// Checks that layers that read their first states from one input of the graph read them in the layers' order, as a
/// network does.
fn expect_states_in_order<C: NodeKind, A: Scalar>(nodes: &[Node<A>]) -> Result<()> {
    fn inputs<A: Scalar>(node: &Node<A>) -> impl Iterator<Item = (&str, &GraphInput)> {
        node.first_planes().filter_map(|(plane, given)| match given {
            Given::Caller(input) => Some((plane, input)),
            _ => None,
        })
    }
    for (k, node) in nodes.iter().enumerate() {
        for (plane, GraphInput { name, start }) in inputs(node) {
            let reads =
                |node: &&Node<A>| inputs(node).any(|(other, input)| (other, &input.name) == (plane, name));
            let expected: usize = nodes[..k].iter().filter(reads).map(|node| node.directions().len()).sum();
            if *start != expected {
                let feature =
                    format!("a first state that begins at {start} of {name}, and not at {expected},");
                return Err(not_of::<C, A>(node, feature));
            }
        }
    }
    Ok(())
}

impl<A: Scalar> Node<A> {
    /// The planes of the first state, with their names.
    fn first_planes(&self) -> impl Iterator<Item = (&'static str, &Given<ndarray::Array3<A>>)> {
        let Planes { h, c } = self.first_state();
        [("initial_h", Some(h)), ("initial_c", c)]
            .into_iter()
            .filter_map(|(name, plane)| Some((name, plane?)))
    }

    /// Checks that a node has nothing that neither networks nor layers have.
    pub(super) fn expect_free(&self, place: &str) -> Result<()> {
        let refuse = |feature: String| Err(unsupported(self.name(), format!("{feature} in {place}")));
        if let Some(clip) = self.clip() {
            return refuse(format!("clip {clip}"));
        }
        if self.input_forget() {
            return refuse("input_forget".into());
        }
        if self.peepholes().is_some() {
            return refuse("peepholes".into());
        }
        for (plane, given) in self.first_planes() {
            match given {
                Given::Stored(_) => {
                    return refuse(format!("an {plane} that is a constant other than zero"));
                }
                Given::Computed(how) => return refuse(format!("an {plane} {how}")),
                Given::Absent | Given::Caller(_) => {}
            }
        }
        match self.lens() {
            Given::Stored(_) => refuse("sequence_lens that are constants".into()),
            Given::Computed(how) => refuse(format!("sequence_lens {how}")),
            Given::Absent | Given::Caller(_) => Ok(()),
        }
    }
}

pub(super) fn not_of<C: NodeKind, A: Scalar>(node: &Node<A>, feature: impl Into<String>) -> Error {
    unsupported(node.name(), format!("{} in a network of class {}", feature.into(), C::CLASS))
}
