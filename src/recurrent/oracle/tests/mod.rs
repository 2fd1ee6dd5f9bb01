//! The engine, with the cell of every kind, held to the loops.

/// Makes a check of one kind of network and one type of number a test of every kind and both types.
macro_rules! of_every_kind {
    ($test:ident, $expect:ident) => {
        mod $test {
            use crate::error::Result;
            use crate::recurrent::{GruConfig, LstmConfig, RnnConfig};

            of_every_kind!(super::$expect: rnn_f32 RnnConfig f32, rnn_f64 RnnConfig f64);
            of_every_kind!(super::$expect: lstm_f32 LstmConfig f32, lstm_f64 LstmConfig f64);
            of_every_kind!(super::$expect: gru_f32 GruConfig f32, gru_f64 GruConfig f64);
        }
    };
    ($expect:path: $($test:ident $kind:ident $number:ident),*) => {
        $(#[test]
        fn $test() -> Result<()> {
            use $expect as expect;
            expect::<$kind, $number>()
        })*
    };
}

mod backward;
mod errors;
mod forward;
mod masks;
mod plans;
mod session;
#[cfg(feature = "rayon")]
mod threads;

use super::problem::sizes;
use super::{Oracle, Problem};
use crate::error::Result;
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Every option of a network at units that fill no panel: few columns and more, of input and state; with a projection, if
/// the kind has one, and without.
fn networks<K: Oracle>() -> Vec<Sizes> {
    let one = [(3, 5, 0), (9, 17, 0), (2, 17, 6), (10, 33, 11)];
    let one = one.map(|(inputs, units, proj_size)| {
        let proj_size = if K::PROJECTS { proj_size } else { 0 };
        Sizes { proj_size, ..sizes(inputs, units) }
    });
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

/// Problems of every sort: of no sequence, of one and of more, ragged or not, with resets or not.
fn problems<K: Oracle, A: Scalar>() -> Result<Vec<Problem<K, A>>> {
    let mut all = Vec::new();
    for sizes in networks::<K>() {
        for batch in [0, 1, 5, 8] {
            let plain = Problem::new(sizes, 7, batch)?;
            all.push(plain.clone().with_resets());
            all.push(plain.clone().ragged()?.with_resets().with_reset_state());
            all.push(plain);
        }
    }
    Ok(all)
}
