//! How the two layers of a `Bidirectional` become one output.

use std::fmt::Debug;

use ndarray::{Array, ArrayRef, Axis, Dimension};

use crate::error::{Result, expect_shape};
use crate::scalar::Scalar;
use crate::sequence::standard;

/// How the two layers of a [`Bidirectional`](super::Bidirectional) become one output; Keras's fifth, `None`, is
/// [`BidirectionalCall::unmerged`](super::BidirectionalCall::unmerged).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum MergeMode {
    /// Side by side, forward first.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their product.
    Mul,
    /// Their mean.
    Ave,
}

impl MergeMode {
    /// Keras's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Concat => "concat",
            Self::Sum => "sum",
            Self::Mul => "mul",
            Self::Ave => "ave",
        }
    }

    /// The one of a name.
    #[cfg(feature = "keras-h5")]
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Concat, Self::Sum, Self::Mul, Self::Ave].into_iter().find(|mode| mode.name() == name)
    }
}

/// The outputs merged as the layer's [`MergeMode`] says.
#[derive(Debug, Clone, Copy)]
pub struct Merged;

/// The outputs as a pair.
#[derive(Debug, Clone, Copy)]
pub struct Unmerged;

/// Whether outputs are [`Merged`] or [`Unmerged`]. Sealed.
pub trait Merge: Sized + Debug + private::Sealed {
    /// One output, or a pair.
    type Value<Y>;

    /// What is returned of a pair.
    #[doc(hidden)]
    fn merge<A: Scalar, D: Dimension>(mode: MergeMode, pair: [Array<A, D>; 2]) -> Self::Value<Array<A, D>>;

    /// The gradient of each of a pair, from that of what was returned.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a gradient of another shape.
    #[doc(hidden)]
    fn split<A: Scalar, D: Dimension>(
        mode: MergeMode,
        gradient: Self::Value<&ArrayRef<A, D>>,
        pair: &[Array<A, D>; 2],
    ) -> Result<[Array<A, D>; 2]>;
}

impl Merge for Unmerged {
    type Value<Y> = [Y; 2];

    fn merge<A: Scalar, D: Dimension>(_: MergeMode, pair: [Array<A, D>; 2]) -> [Array<A, D>; 2] {
        pair
    }

    fn split<A: Scalar, D: Dimension>(
        _: MergeMode,
        gradient: [&ArrayRef<A, D>; 2],
        pair: &[Array<A, D>; 2],
    ) -> Result<[Array<A, D>; 2]> {
        for (gradient, output) in gradient.iter().zip(pair) {
            expect_shape("d_output", output.shape(), gradient.shape())?;
        }
        Ok(gradient.map(standard))
    }
}

impl Merge for Merged {
    type Value<Y> = Y;

    fn merge<A: Scalar, D: Dimension>(mode: MergeMode, [mut first, second]: [Array<A, D>; 2]) -> Array<A, D> {
        let two = A::one() + A::one();
        match mode {
            MergeMode::Concat => return side_by_side(&first, &second),
            MergeMode::Sum => first.zip_mut_with(&second, |x, &y| *x += y),
            MergeMode::Mul => first.zip_mut_with(&second, |x, &y| *x *= y),
            MergeMode::Ave => first.zip_mut_with(&second, |x, &y| *x = (*x + y) / two),
        }
        first
    }

    fn split<A: Scalar, D: Dimension>(
        mode: MergeMode,
        gradient: &ArrayRef<A, D>,
        [first, second]: &[Array<A, D>; 2],
    ) -> Result<[Array<A, D>; 2]> {
        let last = Axis(first.ndim() - 1);
        let mut shape = first.shape().to_vec();
        if mode == MergeMode::Concat {
            shape[last.index()] += second.len_of(last);
        }
        expect_shape("d_output", &shape, gradient.shape())?;
        let halved = || standard(gradient).mapv_into(|d| d / (A::one() + A::one()));
        let times = |other: &Array<A, D>| {
            let mut product = standard(gradient);
            product.zip_mut_with(other, |d, &y| *d *= y);
            product
        };
        Ok(match mode {
            MergeMode::Concat => {
                let (left, right) = gradient.view().split_at(last, first.len_of(last));
                [standard(&left), standard(&right)]
            }
            MergeMode::Sum => [standard(gradient), standard(gradient)],
            MergeMode::Mul => [times(second), times(first)],
            MergeMode::Ave => [halved(), halved()],
        })
    }
}

/// Two arrays of one shape but for the last axis, joined along it.
fn side_by_side<A: Scalar, D: Dimension>(first: &Array<A, D>, second: &Array<A, D>) -> Array<A, D> {
    let last = Axis(first.ndim() - 1);
    let mut shape = first.raw_dim();
    shape[last.index()] += second.len_of(last);
    let mut joined = Array::zeros(shape);
    let (mut left, mut right) = joined.view_mut().split_at(last, first.len_of(last));
    left.assign(first);
    right.assign(second);
    joined
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Merged {}
    impl Sealed for super::Unmerged {}
}
