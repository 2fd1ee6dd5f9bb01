//! A layer's parameters, in Keras's layout.

use ndarray::{Array, Array2, ArrayBase, ArrayD, ArrayViewD, ArrayViewMutD, Data, Dimension};

use super::architecture::{Architecture, Options};
use crate::error::{Error, Result, expect_shape};
use crate::parameters::Parameters;
use crate::room::zeros;
use crate::scalar::Scalar;

/// The parameters of a [`Layer`](super::Layer), or their gradient, in the order of Keras's `get_weights`: `kernel`
/// (input_dim, G units), `recurrent_kernel` (units, G units) and, if the layer has one, `bias`. The columns of the G gates
/// stand side by side.
///
/// ```
/// use ndarray_rnn::keras::{Lstm, LstmConfig};
///
/// let lstm = Lstm::<f32>::zeros(LstmConfig::new(4, 2))?;
/// let parameters = lstm.parameters();
/// assert_eq!((parameters.kernel().dim(), parameters.recurrent_kernel().dim()), ((4, 8), (2, 8)));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParameters<C: Architecture, A> {
    pub(super) kernel: Array2<A>,
    pub(super) recurrent_kernel: Array2<A>,
    pub(super) bias: Option<Array<A, C::BiasDim>>,
}

impl<C: Architecture, A: Scalar> LayerParameters<C, A> {
    /// Zeros.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds a kernel.
    pub(super) fn zeros(config: &C) -> Result<Self> {
        let Options { input_dim, units, use_bias, .. } = config.options();
        let columns = units.saturating_mul(C::GATES);
        Ok(Self {
            kernel: zeros("kernel", (input_dim, columns))?,
            recurrent_kernel: zeros("recurrent_kernel", (units, columns))?,
            bias: use_bias.then(|| zeros("bias", config.bias_dim())).transpose()?,
        })
    }

    /// What the input is multiplied by.
    #[must_use]
    pub fn kernel(&self) -> &Array2<A> {
        &self.kernel
    }

    /// What the state is multiplied by.
    #[must_use]
    pub fn recurrent_kernel(&self) -> &Array2<A> {
        &self.recurrent_kernel
    }

    /// What is added, if the layer has a bias.
    #[must_use]
    pub fn bias(&self) -> Option<&Array<A, C::BiasDim>> {
        self.bias.as_ref()
    }

    /// Every array under its name.
    pub(super) fn into_arrays(self) -> Vec<(String, ArrayD<A>)> {
        named([self.kernel, self.recurrent_kernel].map(Array::into_dyn), self.bias.map(Array::into_dyn))
    }
}

impl<C: Architecture, A: Scalar> Parameters for LayerParameters<C, A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let kernels = [&self.kernel, &self.recurrent_kernel].map(|kernel| kernel.view().into_dyn());
        named(kernels, self.bias.as_ref().map(|bias| bias.view().into_dyn()))
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        let kernels = [&mut self.kernel, &mut self.recurrent_kernel];
        let bias = self.bias.as_mut().map(|bias| bias.view_mut().into_dyn());
        named(kernels.map(|kernel| kernel.view_mut().into_dyn()), bias)
    }
}

/// The arrays under Keras's names.
fn named<T>(kernels: [T; 2], bias: Option<T>) -> Vec<(String, T)> {
    let names = ["kernel", "recurrent_kernel", "bias"].map(String::from);
    names.into_iter().zip(kernels.into_iter().chain(bias)).collect()
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
