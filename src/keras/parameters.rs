//! A layer's parameters, in Keras's layout.

use ndarray::{Array1, Array2, ArrayBase, ArrayD, ArrayViewD, ArrayViewMutD, Data, Dimension};

use crate::engine::{BackWeights, DirectionGradient, Weights};
use crate::error::{Error, Result, expect_shape};
use crate::parameters::{Parameters, zeros};
use crate::scalar::Scalar;
use crate::sequence::standard;

/// The parameters of a [`SimpleRnn`](super::SimpleRnn), or their gradient: `kernel` (input_dim, units),
/// `recurrent_kernel` (units, units) and, unless it has none, `bias` (units); the order of Keras's `get_weights`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimpleRnnParameters<A> {
    pub(super) kernel: Array2<A>,
    pub(super) recurrent_kernel: Array2<A>,
    pub(super) bias: Option<Array1<A>>,
}

impl<A: Scalar> SimpleRnnParameters<A> {
    /// Zeros.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if a kernel is too large to be held.
    pub(super) fn zeros(input_dim: usize, units: usize, bias: bool) -> Result<Self> {
        Ok(Self {
            kernel: zeros("kernel", input_dim, units)?,
            recurrent_kernel: zeros("recurrent_kernel", units, units)?,
            bias: bias.then(|| Array1::zeros(units)),
        })
    }

    /// Of shape (input_dim, units).
    #[must_use]
    pub fn kernel(&self) -> &Array2<A> {
        &self.kernel
    }

    /// Of shape (units, units).
    #[must_use]
    pub fn recurrent_kernel(&self) -> &Array2<A> {
        &self.recurrent_kernel
    }

    /// Of shape (units), if there is a bias.
    #[must_use]
    pub fn bias(&self) -> Option<&Array1<A>> {
        self.bias.as_ref()
    }

    /// The parameters as the engine wants them.
    pub(super) fn pack(&self) -> Weights<A> {
        Weights::new([&self.kernel.t(), &self.recurrent_kernel.t()], [self.bias.as_ref(), None])
    }

    /// The weights as the engine wants them on the way back.
    pub(super) fn pack_back(&self) -> BackWeights<A> {
        BackWeights::new(&self.kernel.t(), &self.recurrent_kernel.t())
    }
}

/// Room for a gradient as the engine leaves it: a row for each unit.
#[derive(Debug)]
pub(super) struct ByUnit<A> {
    kernel: Array2<A>,
    recurrent_kernel: Array2<A>,
    bias: Array1<A>,
}

impl<A: Scalar> ByUnit<A> {
    pub(super) fn zeros_like(parameters: &SimpleRnnParameters<A>) -> Self {
        let (input_dim, units) = parameters.kernel.dim();
        Self {
            kernel: Array2::zeros((units, input_dim)),
            recurrent_kernel: Array2::zeros((units, units)),
            bias: Array1::zeros(units),
        }
    }

    pub(super) fn borrow(&mut self) -> DirectionGradient<'_, A> {
        DirectionGradient {
            weight_ih: self.kernel.as_slice_mut().unwrap_or_default(),
            weight_hh: self.recurrent_kernel.as_slice_mut().unwrap_or_default(),
            bias: self.bias.as_slice_mut().unwrap_or_default(),
        }
    }

    /// In Keras's layout.
    pub(super) fn transposed(self, use_bias: bool) -> SimpleRnnParameters<A> {
        SimpleRnnParameters {
            kernel: standard(&self.kernel.t()),
            recurrent_kernel: standard(&self.recurrent_kernel.t()),
            bias: use_bias.then_some(self.bias),
        }
    }
}

impl<A: Scalar> Parameters for SimpleRnnParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let kernels = [("kernel", &self.kernel), ("recurrent_kernel", &self.recurrent_kernel)];
        let kernels = kernels.map(|(name, kernel)| (name.into(), kernel.view().into_dyn()));
        let bias = self.bias.as_ref().map(|bias| ("bias".into(), bias.view().into_dyn()));
        kernels.into_iter().chain(bias).collect()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let kernels = [("kernel", &mut self.kernel), ("recurrent_kernel", &mut self.recurrent_kernel)];
        let kernels = kernels.map(|(name, kernel)| (name.into(), kernel.view_mut().into_dyn()));
        let bias = self.bias.as_mut().map(|bias| ("bias".into(), bias.view_mut().into_dyn()));
        kernels.into_iter().chain(bias).collect()
    }
}

/// Keras's `get_weights`: a copy of every parameter.
pub(super) fn get_weights<A: Scalar>(model: &impl Parameters<Elem = A>) -> Vec<ArrayD<A>> {
    model.state_dict().into_iter().map(|(_, value)| value).collect()
}

/// Keras's `set_weights`: takes over every parameter, in order; all or none.
pub(super) fn set_weights<A: Scalar, S: Data<Elem = A>, D: Dimension>(
    model: &mut impl Parameters<Elem = A>,
    weights: impl IntoIterator<Item = ArrayBase<S, D>>,
) -> Result<()> {
    let mut targets = model.named_parameters_mut();
    let weights: Vec<_> = weights.into_iter().collect();
    if weights.len() != targets.len() {
        let (expected, actual) = (vec![targets.len()], vec![weights.len()]);
        return Err(Error::Shape { array: "weights".into(), expected, actual });
    }
    for ((name, target), weight) in targets.iter().zip(&weights) {
        expect_shape(name, target.shape(), weight.shape())?;
    }
    for ((_, target), weight) in targets.iter_mut().zip(&weights) {
        target.iter_mut().zip(weight).for_each(|(to, &from)| *to = from);
    }
    Ok(())
}
