//! How the two layers of a `Bidirectional` become one output.

use ndarray::{Array, ArrayD, ArrayRef, Axis, Dimension};

use crate::arrays::try_standard;
use crate::error::{Result, expect_shape};
use crate::room::zeros;
use crate::scalar::Scalar;

/// How the two layers of a [`Bidirectional`](super::Bidirectional) become one output; Keras's fifth, `None`, is
/// [`Bidirectional::layers`](super::Bidirectional::layers).
///
/// ```
/// use ndarray::Array3;
/// use ndarray_rnn::keras::{Bidirectional, GruConfig, MergeMode, set_random_seed};
///
/// for (mode, width) in [(MergeMode::Concat, 4), (MergeMode::Sum, 2), (MergeMode::Mul, 2), (MergeMode::Ave, 2)] {
///     let layer = Bidirectional::<f32, _>::new(GruConfig::new(4, 2), mode, &mut set_random_seed(0))?;
///     assert_eq!(layer.forward(&Array3::ones((3, 5, 4)))?.0.dim(), (3, 5, width));
/// }
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
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

    /// The mode of a name.
    #[cfg(feature = "keras-h5")]
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Concat, Self::Sum, Self::Mul, Self::Ave].into_iter().find(|mode| mode.name() == name)
    }

    /// The outputs of two layers as one.
    pub(super) fn merge<A: Scalar, D: Dimension>(
        self,
        [mut first, second]: [Array<A, D>; 2],
    ) -> Result<Array<A, D>> {
        let two = A::one() + A::one();
        match self {
            Self::Concat => return side_by_side(&first, &second),
            Self::Sum => first.zip_mut_with(&second, |x, &y| *x += y),
            Self::Mul => first.zip_mut_with(&second, |x, &y| *x *= y),
            Self::Ave => first.zip_mut_with(&second, |x, &y| *x = (*x + y) / two),
        }
        Ok(first)
    }

    /// The way back of [`merge`](Self::merge): the gradients of the two outputs, from that of the merged one.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a gradient of another shape.
    pub(super) fn split<A: Scalar, D: Dimension>(
        self,
        gradient: &ArrayRef<A, D>,
        [first, second]: &[ArrayD<A>; 2],
    ) -> Result<[Array<A, D>; 2]> {
        let last = Axis(first.ndim() - 1);
        let mut shape = first.shape().to_vec();
        if self == Self::Concat {
            shape[last.index()] += second.len_of(last);
        }
        expect_shape("d_output", &shape, gradient.shape())?;
        let copy = || try_standard("d_output", gradient);
        let halved = || Ok(copy()?.mapv_into(|d| d / (A::one() + A::one())));
        let times = |other: &ArrayD<A>| {
            let mut product = copy()?;
            product.zip_mut_with(other, |d, &y| *d *= y);
            Ok(product)
        };
        let [left, right] = match self {
            Self::Concat => {
                let (left, right) = gradient.view().split_at(last, first.len_of(last));
                [left, right].map(|half| try_standard("d_output", &half))
            }
            Self::Sum => [copy(), copy()],
            Self::Mul => [times(second), times(first)],
            Self::Ave => [halved(), halved()],
        };
        Ok([left?, right?])
    }
}

/// Two arrays joined along the last axis, the only one in which their shapes differ.
fn side_by_side<A: Scalar, D: Dimension>(first: &Array<A, D>, second: &Array<A, D>) -> Result<Array<A, D>> {
    let last = Axis(first.ndim() - 1);
    let mut shape = first.raw_dim();
    shape[last.index()] += second.len_of(last);
    let mut joined = zeros("output", shape)?;
    let (mut left, mut right) = joined.view_mut().split_at(last, first.len_of(last));
    left.assign(first);
    right.assign(second);
    Ok(joined)
}
