//! RMSprop.

use super::algorithm::{Algorithm, OptionMut, expect_option, next, torch_options};
use crate::error::Result;
use crate::kernels::{RmsPropStep, Update};
use crate::options::options;
use crate::scalar::Scalar;

options! {
    /// The arguments of `torch.optim.RMSprop`, with torch's names and defaults.
    ///
    /// ```text
    /// g = gradient, with maximize -gradient
    /// g = g + weight_decay p
    /// v = alpha v + (1 - alpha) g^2           square_avg
    /// m = m + (1 - alpha) (g - m)             grad_avg, if centered
    /// d = sqrt(v) + eps, if centered sqrt(v - m^2) + eps
    /// buf = momentum buf + g / d              momentum_buffer
    /// p = p - lr buf, without momentum p - lr g / d
    /// ```
    ///
    /// Sums with a product are fused, as in torch's kernels. The options are checked when an [`RmsProp`](super::RmsProp)
    /// is made.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::optim::{RmsProp, RmsPropConfig};
    /// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
    ///
    /// let mut model = Embedding::<f64>::zeros(EmbeddingConfig::new(1, 2))?;
    /// let mut gradients = model.clone();
    /// gradients.load_state_dict([("weight", array![[3.0, -0.01]])])?;
    ///
    /// RmsProp::new(RmsPropConfig::new().lr(0.1).alpha(0.75), &model)?.step(&mut model, &gradients)?;
    /// assert!((model.weight() - array![[-0.2, 0.2]]).iter().all(|d| d.abs() < 1e-6));
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html>
    #[derive(Debug, Clone, PartialEq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
    pub struct RmsPropConfig() {
        /// The learning rate, finite and at least 0. Default 1e-2.
        lr: f64 = 1e-2,
        /// The decay of the averages, finite and at least 0. Default 0.99.
        alpha: f64 = 0.99,
        /// The number added to the denominator, finite and at least 0. Default 1e-8.
        eps: f64 = 1e-8,
        /// The L2 penalty, finite and at least 0. Default 0.
        weight_decay: f64 = 0.0,
        /// Momentum, finite and at least 0. Default 0.
        momentum: f64 = 0.0,
        /// Whether to divide by the gradient's standard deviation. Default false.
        centered: bool = false,
        /// Whether to move along the gradient, towards a maximum. Default false.
        maximize: bool = false,
    }
}

impl Algorithm for RmsPropConfig {
    fn validate<A: Scalar>(&self) -> Result<()> {
        expect_option::<A>("lr", self.lr)?;
        expect_option::<A>("eps", self.eps)?;
        expect_option::<A>("momentum", self.momentum)?;
        expect_option::<A>("weight_decay", self.weight_decay)?;
        expect_option::<A>("alpha", self.alpha)
    }

    const COUNTS_STEPS: bool = true;

    torch_options!(
        lr: Number, momentum: Number, alpha: Number, eps: Number,
        centered: Flag, weight_decay: Number, maximize: Flag
    );

    fn buffers(&self) -> Vec<&'static str> {
        let momentum = (self.momentum > 0.0).then_some("momentum_buffer");
        let centered = self.centered.then_some("grad_avg");
        ["square_avg"].into_iter().chain(momentum).chain(centered).collect()
    }

    fn update<'a, A: Scalar>(
        &self,
        _step: u64,
        parameter: &'a mut [A],
        gradient: &'a [A],
        mut buffers: impl Iterator<Item = &'a mut [A]>,
    ) -> Update<'a, A> {
        Update::RmsProp(RmsPropStep {
            parameter,
            gradient,
            square_avg: next(&mut buffers),
            momentum_buffer: (self.momentum > 0.0).then(|| next(&mut buffers)),
            grad_avg: self.centered.then(|| next(&mut buffers)),
            lr: A::from_f64(-self.lr),
            alpha: A::from_f64(self.alpha),
            share: A::from_f64(1.0 - self.alpha),
            eps: A::from_f64(self.eps),
            weight_decay: A::from_f64(self.weight_decay),
            momentum: A::from_f64(self.momentum),
            maximize: self.maximize,
        })
    }
}
