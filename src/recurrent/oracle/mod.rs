//! What networks of every kind compute, written anew as plain loops, for tests alone.
//!
//! [`steps`] says what one unit of each kind makes of its sums, and how the gradient goes back through it. [`forwards`] and
//! [`backwards`] are the loops around it, in the order of sums that the crate promises. The tests hold the engine to the
//! loops bit for bit, and the loops' gradients to differences of a loss.

mod backwards;
mod forwards;
mod problem;
mod steps;
mod tests;

use ndarray::{Array3, Axis};

use self::problem::Problem;
use self::steps::Oracle;
use crate::scalar::Scalar;

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
