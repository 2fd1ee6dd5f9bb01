//! The kinds of network that are compared, each known by torch's configuration.

use ndarray_rnn::keras::{self, Layer};
use ndarray_rnn::{
    Architecture, CellArchitecture, GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, Recurrent,
    RnnCellConfig, RnnConfig, Scalar,
};

use crate::protocol::Case;

/// A kind of network, with what differs between kinds when a case is made.
pub trait Compared: Architecture {
    type ForCell: CellArchitecture;
    type ForKeras: keras::Architecture;

    fn for_network(case: &Case) -> Self;

    fn for_cell(case: &Case) -> Self::ForCell;

    fn to_keras<A: Scalar>(network: &Recurrent<Self, A>) -> ndarray_rnn::Result<Layer<Self::ForKeras, A>>;

    /// The planes h, and c where there is one, of a state.
    fn list<T>(state: Self::State<T>) -> Vec<T>;
}

macro_rules! compared {
    ($config:ident, $cell:ident, $keras:ident, $state:pat => $planes:expr) => {
        impl Compared for $config {
            type ForCell = $cell;
            type ForKeras = keras::$keras;

            fn for_network(case: &Case) -> Self {
                let config = Self::new(case.input, case.hidden);
                config.num_layers(case.layers).bidirectional(case.bidirectional)
            }

            fn for_cell(case: &Case) -> $cell {
                $cell::new(case.input, case.hidden)
            }

            fn to_keras<A: Scalar>(
                network: &Recurrent<Self, A>,
            ) -> ndarray_rnn::Result<Layer<Self::ForKeras, A>> {
                Layer::try_from(network)
            }

            fn list<T>($state: Self::State<T>) -> Vec<T> {
                $planes
            }
        }
    };
}

compared!(RnnConfig, RnnCellConfig, SimpleRnnConfig, h => vec![h]);
compared!(LstmConfig, LstmCellConfig, LstmConfig, (h, c) => vec![h, c]);
compared!(GruConfig, GruCellConfig, GruConfig, h => vec![h]);
