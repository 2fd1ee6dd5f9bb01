//! Numbers that need not be stored in fixtures: `golden/keras_fixtures.py` makes the same.

use ndarray::{Array, Dimension, IntoDimension};

use super::Real;

/// Numbers in [-1, 1) with 24 bits: splitmix64 of a running count.
pub(crate) struct Numbers {
    count: u64,
}

impl Numbers {
    pub(crate) fn new(seed: usize) -> Self {
        Self { count: (seed as u64) << 32 }
    }

    pub(crate) fn draw<A: Real, D: Dimension>(&mut self, shape: impl IntoDimension<Dim = D>) -> Array<A, D> {
        Array::from_shape_simple_fn(shape.into_dimension(), || A::narrow(self.next()))
    }

    fn next(&mut self) -> f64 {
        self.count += 1;
        let mut z = self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 23) - 1.0
    }
}
