//! Random arguments: mostly small and right, sometimes wrong by one, empty, huge, or no numbers.

use std::fmt::Debug;

use ndarray::{Array, Dimension, IntoDimension};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Scalar, manual_seed};
use rand::RngExt;

/// The most elements of an array that is not of a right shape by chance.
const ELEMENTS: usize = 1 << 12;

/// A source of arguments.
pub(crate) struct Draws {
    pub(crate) rng: Mt19937,
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: manual_seed(seed) }
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    /// Whether something happens that does in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A size that an argument may have.
    pub(crate) fn size(&mut self) -> usize {
        match self.below(60) {
            0 => 0,
            1 => self.pick(&[1 << 20, 1 << 33, usize::MAX / 8, usize::MAX]),
            _ => 1 + self.below(6),
        }
    }

    /// A size that should be `right`.
    pub(crate) fn near(&mut self, right: usize) -> usize {
        match self.below(60) {
            0 => 0,
            1 => right.saturating_add(1),
            2 => right.saturating_sub(1),
            _ => right,
        }
    }

    /// A number that an option may have.
    pub(crate) fn number(&mut self) -> f64 {
        match self.below(12) {
            0 => {
                self.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 2.0, 1e300, f64::MIN_POSITIVE])
            }
            1 => 0.0,
            2 => 1.0,
            _ => self.rng.random_range(0.0..1.0),
        }
    }

    /// An index that should be below `right`.
    pub(crate) fn index(&mut self, right: usize) -> usize {
        if right == 0 || self.one_in(60) { self.pick(&[right, usize::MAX]) } else { self.below(right) }
    }

    /// An array that should have the shape `right`, of numbers in [-2, 2] and now and then of others, in any layout.
    pub(crate) fn array<A: Scalar, D: Dimension>(
        &mut self,
        right: impl IntoDimension<Dim = D>,
    ) -> Array<A, D> {
        let mut shape = right.into_dimension();
        shape.slice_mut().iter_mut().for_each(|axis| *axis = self.near(*axis));
        let (mut all, mut is_empty) = (1_usize, false);
        for axis in shape.slice_mut() {
            // An axis may be huge if one before it is empty.
            let most = if is_empty { 1 << 40 } else { ELEMENTS };
            if all.saturating_mul(*axis) > most {
                *axis = self.below(2);
            }
            all *= (*axis).max(1);
            is_empty |= *axis == 0;
        }
        let odd = self.one_in(20);
        let mut next = || {
            let number =
                if odd && self.one_in(10) { self.number() * 1e30 } else { self.rng.random_range(-2.0..2.0) };
            A::from_f64(number)
        };
        let array = Array::from_shape_simple_fn(shape, &mut next);
        if self.one_in(2) {
            array.reversed_axes().as_standard_layout().into_owned().reversed_axes()
        } else {
            array
        }
    }

    /// Indices that should be below `right`, in an array that should have this shape.
    pub(crate) fn indices<D: Dimension>(
        &mut self,
        shape: impl IntoDimension<Dim = D>,
        right: usize,
    ) -> Array<usize, D> {
        let shape = self.array::<f32, D>(shape).raw_dim();
        Array::from_shape_fn(shape, |_| self.index(right))
    }
}

/// How often each call worked and how often it was refused.
#[derive(Debug, Default)]
pub(crate) struct Counts(std::collections::BTreeMap<&'static str, [u64; 2]>);

impl Counts {
    /// Notes a call. Returns its result, and its error's text is made, since that may fail too.
    pub(crate) fn note<T>(&mut self, name: &'static str, result: ndarray_rnn::Result<T>) -> Option<T> {
        let count = self.0.entry(name).or_default();
        match result {
            Ok(value) => {
                count[0] += 1;
                Some(value)
            }
            Err(error) => {
                count[1] += 1;
                assert!(!error.to_string().is_empty() && !format!("{error:?}").is_empty());
                None
            }
        }
    }

    /// Checks that every call worked and was refused, but those that cannot be.
    pub(crate) fn expect_both(&self, never_refused: &[&str]) {
        let fits = |(name, [worked, refused]): (&&str, &[u64; 2])| {
            *worked > 0 && (*refused == 0) == never_refused.contains(name)
        };
        let wrong: Vec<_> = self.0.iter().filter(|&count| !fits(count)).collect();
        assert!(
            wrong.is_empty(),
            "calls that never worked or were never refused, or should not be: {wrong:?}"
        );
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().flatten().sum()
    }
}
