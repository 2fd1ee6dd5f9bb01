//! The ranks of a job, and what they exchange.

use std::ops::Range;

use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::request::{WaitGuard, scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Root, Source};
use mpi::{Count, Rank};
use ndarray::Array1;
use ndarray_rnn::distributed::{Node, TreeSum, tree_nodes};

use crate::Failure;

/// A flat gradient.
pub type Vector = Array1<f32>;

/// The processes that train together.
pub enum Ranks {
    /// One, without MPI.
    Alone,
    /// Those of MPI.
    World(SimpleCommunicator),
}

/// The part of `count` things that falls to one of `parts`: contiguous, in order, of sizes that differ by 1 at most.
pub fn share(count: usize, part: usize, parts: usize) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

impl Ranks {
    /// The number of this rank.
    pub fn rank(&self) -> usize {
        match self {
            Self::Alone => 0,
            Self::World(world) => world.rank() as usize,
        }
    }

    /// The number of ranks.
    pub fn size(&self) -> usize {
        match self {
            Self::Alone => 1,
            Self::World(world) => world.size() as usize,
        }
    }

    /// Numbers of rank 0, on every rank.
    pub fn broadcast(&self, numbers: &mut [f32]) {
        if let Self::World(world) = self {
            world.process_at_rank(0).broadcast_into(numbers);
        }
    }

    /// A file that rank 0 reads, on every rank.
    pub fn broadcast_file(
        &self,
        read: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        let mut bytes = if self.rank() == 0 { read()? } else { Vec::new() };
        if let Self::World(world) = self {
            let root = world.process_at_rank(0);
            let mut len = bytes.len();
            root.broadcast_into(&mut len);
            bytes.resize(len, 0);
            root.broadcast_into(&mut bytes[..]);
        }
        Ok(bytes)
    }

    /// One number of every rank, on every rank.
    pub fn all(&self, number: u64) -> Vec<u64> {
        let mut all = vec![number; self.size()];
        if let Self::World(world) = self {
            world.all_gather_into(&number, &mut all[..]);
        }
        all
    }

    /// Waits for every rank.
    pub fn barrier(&self) {
        if let Self::World(world) = self {
            world.barrier();
        }
    }

    /// MPI's own sum, in an order of its own.
    pub fn all_reduce(&self, vector: Vector) -> Vector {
        let Self::World(world) = self else { return vector };
        let vector = elements(vector);
        let mut sum = vec![0.0; vector.len()];
        world.all_reduce_into(&vector[..], &mut sum[..], SystemOperation::sum());
        sum.into()
    }

    /// The sum of the `count` terms of a tree, each as long as `len`, on every rank, given the nodes of this rank's
    /// [`share`].
    ///
    /// The sum of vectors is that of their slices. Rank r adds slice r of the nodes of all ranks, in the tree, and all get
    /// the sums of all slices:
    ///
    /// ```text
    /// rank s sends slice r of its k nodes to rank r, for all r    k len (W - 1) / W elements, k (W - 1) messages
    /// rank r sends its slice of the sum to all                    MPI_Allgatherv: len (W - 1) / W elements
    /// ```
    pub fn tree_sum(&self, count: usize, len: usize, nodes: Vec<Node<Vector>>) -> Result<Vector, Failure> {
        let mut sum = TreeSum::new(count)?;
        let Self::World(world) = self else {
            nodes.into_iter().try_for_each(|node| sum.add_node(node))?;
            return Ok(sum.take_sum()?);
        };
        let (rank, size) = (self.rank(), self.size());
        let slices: Vec<_> = (0..size).map(|rank| share(len, rank, size)).collect();
        let owned = (0..size).map(|rank| tree_nodes(count, share(count, rank, size)));
        let owned: Vec<Vec<Range<usize>>> = owned.collect::<Result<_, _>>()?;

        // What arrives is received where the tree keeps it, and what is sent lies where it was added: no copy but MPI's.
        let own_nodes: Vec<_> = nodes.into_iter().map(|node| elements(node.sum)).collect();
        let mut parts = Vec::new();
        for (from, nodes) in owned.into_iter().enumerate() {
            for (i, numbers) in nodes.into_iter().enumerate() {
                let own = || own_nodes[i][slices[rank].clone()].to_vec();
                let slice = if from == rank { own() } else { vec![0.0; slices[rank].len()] };
                parts.push((from, numbers, slice));
            }
        }
        scope(|scope| {
            let mut open = Vec::new();
            for (from, _, slice) in parts.iter_mut().filter(|(from, ..)| *from != rank) {
                let request =
                    world.process_at_rank(*from as Rank).immediate_receive_into(scope, &mut slice[..]);
                open.push(WaitGuard::from(request));
            }
            // Each rank begins with the next one, so that not all send to one at the same time.
            for to in (rank + 1..size).chain(0..rank) {
                for node in &own_nodes {
                    let slice = &node[slices[to].clone()];
                    let request = world.process_at_rank(to as Rank).immediate_send(scope, slice);
                    open.push(WaitGuard::from(request));
                }
            }
        });
        for (_, numbers, slice) in parts {
            sum.add_node(Node { numbers, sum: slice.into() })?;
        }
        let sum = elements(sum.take_sum()?);
        let (each, each_at) = counts(slices.iter().map(ExactSizeIterator::len))?;
        let mut total = vec![0.0; len];
        world.all_gather_varcount_into(&sum[..], &mut PartitionMut::new(&mut total[..], each, each_at));
        Ok(total.into())
    }
}

/// The elements of a vector, which is never a part of another one here.
fn elements(vector: Vector) -> Vec<f32> {
    vector.into_raw_vec_and_offset().0
}

/// Counts as MPI takes them, and where each begins.
fn counts(counts: impl Iterator<Item = usize>) -> Result<(Vec<Count>, Vec<Count>), Failure> {
    let mut end: Count = 0;
    let too_many = |_| "more elements than MPI counts, 2^31 - 1";
    let mut pairs = (Vec::new(), Vec::new());
    for count in counts {
        let count = Count::try_from(count).map_err(too_many)?;
        pairs.0.push(count);
        pairs.1.push(end);
        end = end.checked_add(count).ok_or("more elements than MPI counts, 2^31 - 1")?;
    }
    Ok(pairs)
}
