//! The engine, with a cell that needs everything, held to the loops.

mod backward;
mod errors;
mod forward;
mod masks;
mod plans;
mod stream;
#[cfg(feature = "rayon")]
mod threads;

use super::Problem;
use super::problem::sizes;
use crate::error::Result;
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Every option of a network at units that fill no panel: few columns and more, of input and state; with a projection, and
/// without one.
fn networks() -> Vec<Sizes> {
    let one = [(3, 5, 0), (9, 17, 0), (2, 17, 6), (10, 33, 11)];
    let one = one.map(|(inputs, units, proj_size)| Sizes { proj_size, ..sizes(inputs, units) });
    let [few, _, few_projected, projected] = one;
    let deep = [
        sizes(1, 1),
        Sizes { num_layers: 2, dropout: 0.5, ..few },
        Sizes { num_layers: 3, bias: false, ..few_projected },
        Sizes { num_directions: 2, ..projected },
        Sizes { num_layers: 2, num_directions: 2, dropout: 0.25, ..few_projected },
        Sizes { num_layers: 2, num_directions: 2, ..sizes(4, 19) },
    ];
    one.into_iter().chain(deep).collect()
}

/// Problems of every kind: of no sequence, of one and of more, ragged or not, with resets or not.
fn problems<A: Scalar>() -> Result<Vec<Problem<A>>> {
    let mut all = Vec::new();
    for sizes in networks() {
        for batch in [0, 1, 5, 8] {
            let plain = Problem::new(sizes, 7, batch)?;
            all.push(plain.clone().with_resets());
            all.push(plain.clone().ragged()?.with_resets().with_reset_state());
            all.push(plain);
        }
    }
    Ok(all)
}
