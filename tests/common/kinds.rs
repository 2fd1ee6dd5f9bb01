//! Networks and cells of every kind, made from the same options.

use ndarray::{Array, ArrayRef, Dimension};
use ndarray_rnn::{
    Architecture, CellArchitecture, GruCellConfig, GruConfig, Kind, LstmCellConfig, LstmConfig,
    RnnCellConfig, RnnConfig,
};

/// What a network is made of, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    /// 0 for any kind that cannot project.
    pub(crate) proj_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) bias: bool,
    pub(crate) batch_first: bool,
    pub(crate) dropout: f64,
    pub(crate) bidirectional: bool,
}

impl Shape {
    /// torch's defaults.
    pub(crate) fn new(input_size: usize, hidden_size: usize) -> Self {
        let (proj_size, num_layers, bias) = (0, 1, true);
        let (batch_first, dropout, bidirectional) = (false, 0.0, false);
        Self { input_size, hidden_size, proj_size, num_layers, bias, batch_first, dropout, bidirectional }
    }

    pub(crate) fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The width of h.
    pub(crate) fn features(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    pub(crate) fn output_size(&self) -> usize {
        self.directions() * self.features()
    }

    /// The width of each plane of a state.
    pub(crate) fn widths<C: Planes>(&self) -> Vec<usize> {
        [self.features(), self.hidden_size][..C::PLANES.len()].into()
    }
}

/// A kind of network or cell, its states taken apart into planes.
pub(crate) trait Planes: Kind {
    /// The planes of a state.
    const PLANES: &'static [&'static str];

    fn split<T>(state: Self::State<T>) -> Vec<T>;

    /// The state whose i-th plane a function gives.
    fn join<T>(plane: impl FnMut(usize) -> T) -> Self::State<T>;

    /// A state of borrowed planes.
    fn lend<A, D: Dimension>(planes: &[Array<A, D>]) -> Self::State<&ArrayRef<A, D>> {
        Self::join(|i| &*planes[i])
    }
}

/// A kind of network.
pub(crate) trait Network: Planes + Architecture {
    fn of(shape: Shape) -> Self;

    fn shape(&self) -> Shape;

    /// The same network with another number of layers.
    fn with_layers(&self, num_layers: usize) -> Self;
}

/// A kind of cell.
pub(crate) trait Cell: Planes + CellArchitecture {
    fn of(input_size: usize, hidden_size: usize, bias: bool) -> Self;
}

/// States of h alone, or of h and c.
macro_rules! planes {
    (h: $($config:ty),+) => {
        $(impl Planes for $config {
            const PLANES: &'static [&'static str] = &["h"];

            fn split<T>(state: T) -> Vec<T> {
                vec![state]
            }

            fn join<T>(mut plane: impl FnMut(usize) -> T) -> T {
                plane(0)
            }
        })+
    };
    (h, c: $($config:ty),+) => {
        $(impl Planes for $config {
            const PLANES: &'static [&'static str] = &["h", "c"];

            fn split<T>((h, c): (T, T)) -> Vec<T> {
                vec![h, c]
            }

            fn join<T>(mut plane: impl FnMut(usize) -> T) -> (T, T) {
                (plane(0), plane(1))
            }
        })+
    };
}

planes!(h: RnnConfig, RnnCellConfig, GruConfig, GruCellConfig);
planes!(h, c: LstmConfig, LstmCellConfig);

macro_rules! network {
    ($config:ident $(, $proj_size:ident)?) => {
        impl Network for $config {
            fn of(shape: Shape) -> Self {
                $config::new(shape.input_size, shape.hidden_size)
                    .num_layers(shape.num_layers)
                    .bias(shape.bias)
                    .batch_first(shape.batch_first)
                    .dropout(shape.dropout)
                    .bidirectional(shape.bidirectional)
                    $(.$proj_size(shape.$proj_size))?
            }

            fn shape(&self) -> Shape {
                Shape {
                    input_size: self.input_size,
                    hidden_size: self.hidden_size,
                    num_layers: self.num_layers,
                    bias: self.bias,
                    batch_first: self.batch_first,
                    dropout: self.dropout,
                    bidirectional: self.bidirectional,
                    proj_size: 0 $(+ self.$proj_size)?,
                }
            }

            fn with_layers(&self, num_layers: usize) -> Self {
                self.clone().num_layers(num_layers)
            }
        }
    };
}

network!(RnnConfig);
network!(LstmConfig, proj_size);
network!(GruConfig);

macro_rules! cell {
    ($($config:ident),+) => {
        $(impl Cell for $config {
            fn of(input_size: usize, hidden_size: usize, bias: bool) -> Self {
                $config::new(input_size, hidden_size).bias(bias)
            }
        })+
    };
}

cell!(RnnCellConfig, LstmCellConfig, GruCellConfig);
