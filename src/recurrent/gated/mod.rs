//! A network of gated cells, for tests alone: the engine carries a cell that needs everything before any cell does.
//!
//! The [cell](crate::cell::Gated) has a c beside h, sums of the input alone, of the state alone and of both, and states
//! that go on directly; the network may project its h to another width. [`forwards`] and [`backwards`] say what it
//! computes as plain loops, in the order of sums that the crate promises; the tests hold the engine to them bit for bit.

mod backwards;
mod forwards;
mod problem;
mod tests;

use std::fmt;

use ndarray::{Array3, Axis};

use self::problem::Problem;
use super::architecture::{Architecture, CellArchitecture, Kind, Sizes, private};
use crate::cell::Gated;
use crate::engine::{BackReads, BackWrites, Order, Reads, Scratch, Stack, Writes};
use crate::planes::Planes;
use crate::scalar::Scalar;

/// The test network, and its cell alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GatedConfig(pub Sizes);

impl fmt::Display for GatedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gated({:?})", self.0)
    }
}

impl private::Sealed for GatedConfig {}

impl Kind for GatedConfig {
    type State<T> = (T, T);
    type Cell<A: Scalar> = Gated;

    /// The owner has z, f, a in `weight_ih` and b, f in `weight_hh`; the cell has a, z, f, b. The first is not its own
    /// inverse, so that an order read the wrong way round gives another result.
    const ORDER: Order = Order { input: &[2, 0, 1], hidden: &[1, 0] };
    const STATE: [&'static str; 2] = ["h_0", "c_0"];

    fn cell<A: Scalar>(&self) -> Gated {
        Gated { direct: self.0.proj_size == 0 }
    }

    fn sizes(&self) -> Sizes {
        self.0
    }

    fn planes<T>((h, c): (T, T)) -> Planes<T> {
        Planes { h, c: Some(c) }
    }

    fn state<T>(Planes { h, c }: Planes<T>) -> (T, T) {
        (h, c.expect("the cell carries a c"))
    }

    fn forward<A: Scalar>(
        stack: &Stack<A, Gated>,
        reads: Reads<'_, A>,
        writes: Writes<'_, A>,
        scratch: &mut Scratch<A>,
    ) {
        stack.forward(reads, writes, scratch);
    }

    fn backward<A: Scalar>(stack: &Stack<A, Gated>, reads: &BackReads<'_, A>, writes: BackWrites<'_, A>) {
        stack.backward(reads, writes);
    }
}

impl Architecture for GatedConfig {}

impl CellArchitecture for GatedConfig {}

/// A row of an array.
fn row<A: Scalar>(array: &Array3<A>, i: usize, n: usize) -> Vec<A> {
    array.index_axis(Axis(0), i).row(n).to_vec()
}

/// Writes a row, from column `column` on.
fn set_row<A: Scalar>(array: &mut Array3<A>, [i, n, column]: [usize; 3], row: &[A]) {
    row.iter().enumerate().for_each(|(k, &value)| array[[i, n, column + k]] = value);
}

/// The bits of numbers.
fn bits<'a, A: Scalar>(numbers: impl IntoIterator<Item = &'a A>) -> Vec<u64> {
    numbers.into_iter().map(|number| number.into_f64().to_bits()).collect()
}
