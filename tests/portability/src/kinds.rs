//! The kinds of network that the cases go through.

use ndarray::{Array3, ArrayRef3};
use ndarray_rnn::{Architecture, GruConfig, LstmConfig, Nonlinearity, RnnConfig, Scalar};

/// A configuration and its options.
type Named<C> = (&'static str, C);

/// A kind of network, and how the cases see its states: as h and c, c of no width for a kind that has none.
pub trait Net: Architecture {
    /// What names that do not say the kind take on.
    const NAME: &'static str;
    /// Every so many of the sizes is tried.
    const EVERY: usize;

    fn configs(input: usize, hidden: usize) -> Vec<Named<Self>>;
    /// One network of so many layers.
    fn of(input: usize, hidden: usize, layers: usize) -> Self;
    fn batch_first(&self) -> bool;

    /// The shapes of h and c.
    fn states(&self, batch: usize) -> [[usize; 3]; 2];

    fn lent<A>(planes: &[Array3<A>; 2]) -> Self::State<&ArrayRef3<A>>;
    fn arrays<A: Scalar>(state: Self::State<Array3<A>>) -> [Array3<A>; 2];

    /// Every number of a state.
    fn numbers<A: Scalar>(state: Self::State<Array3<A>>) -> Vec<A> {
        Self::arrays(state).into_iter().flatten().collect()
    }

    /// The same, of a state that is lent.
    fn numbers_of<A: Scalar>(state: Self::State<&Array3<A>>) -> Vec<A>;
}

/// What is the same for every kind whose state is one plane.
macro_rules! one_plane {
    () => {
        fn of(input: usize, hidden: usize, layers: usize) -> Self {
            Self::new(input, hidden).num_layers(layers)
        }

        fn batch_first(&self) -> bool {
            self.batch_first
        }

        fn states(&self, batch: usize) -> [[usize; 3]; 2] {
            let count = self.num_layers * self.num_directions();
            [[count, batch, self.hidden_size], [count, batch, 1]]
        }

        fn lent<A>([h, _]: &[Array3<A>; 2]) -> &ArrayRef3<A> {
            h
        }

        fn arrays<A: Scalar>(h: Array3<A>) -> [Array3<A>; 2] {
            [h, Array3::zeros((0, 0, 0))]
        }

        fn numbers_of<A: Scalar>(h: &Array3<A>) -> Vec<A> {
            h.iter().copied().collect()
        }
    };
}

impl Net for RnnConfig {
    const NAME: &'static str = "";
    const EVERY: usize = 1;

    fn configs(input: usize, hidden: usize) -> Vec<Named<Self>> {
        let config = || Self::new(input, hidden);
        let relu = || config().nonlinearity(Nonlinearity::Relu);
        vec![
            ("tanh", config()),
            ("relu", relu()),
            ("tanh.no_bias.batch_first", config().bias(false).batch_first(true)),
            ("tanh.both", config().bidirectional(true).dropout(0.5)),
            ("tanh.2_layers", config().num_layers(2).dropout(0.25)),
            ("relu.2_layers.both", relu().num_layers(2).bidirectional(true)),
        ]
    }

    one_plane!();
}

impl Net for GruConfig {
    const NAME: &'static str = ".gru";
    const EVERY: usize = 3;

    fn configs(input: usize, hidden: usize) -> Vec<Named<Self>> {
        let config = || Self::new(input, hidden);
        vec![
            ("gru", config()),
            ("gru.no_bias.batch_first", config().bias(false).batch_first(true)),
            ("gru.2_layers.both", config().num_layers(2).bidirectional(true).dropout(0.5)),
        ]
    }

    one_plane!();
}

impl Net for LstmConfig {
    const NAME: &'static str = ".lstm";
    const EVERY: usize = 3;

    fn configs(input: usize, hidden: usize) -> Vec<Named<Self>> {
        let config = || Self::new(input, hidden);
        let half = hidden / 2;
        vec![
            ("lstm", config()),
            ("lstm.no_bias.batch_first", config().bias(false).batch_first(true)),
            ("lstm.2_layers.both", config().num_layers(2).bidirectional(true).dropout(0.5)),
            ("lstm.projected.2_layers.both", config().num_layers(2).bidirectional(true).proj_size(half)),
        ]
    }

    fn of(input: usize, hidden: usize, layers: usize) -> Self {
        Self::new(input, hidden).num_layers(layers).proj_size(if layers > 1 { hidden - 2 } else { 0 })
    }

    fn batch_first(&self) -> bool {
        self.batch_first
    }

    fn states(&self, batch: usize) -> [[usize; 3]; 2] {
        let count = self.num_layers * self.num_directions();
        [[count, batch, self.output_size() / self.num_directions()], [count, batch, self.hidden_size]]
    }

    fn lent<A>([h, c]: &[Array3<A>; 2]) -> (&ArrayRef3<A>, &ArrayRef3<A>) {
        (h, c)
    }

    fn arrays<A: Scalar>((h, c): (Array3<A>, Array3<A>)) -> [Array3<A>; 2] {
        [h, c]
    }

    fn numbers_of<A: Scalar>((h, c): (&Array3<A>, &Array3<A>)) -> Vec<A> {
        h.iter().chain(c).copied().collect()
    }
}
