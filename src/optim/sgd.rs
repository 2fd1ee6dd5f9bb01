//! Stochastic gradient descent.

use super::algorithm::{Algorithm, OptionMut, expect_of_type, expect_option, next, torch_options};
use crate::error::{Result, expect_finite, expect_number};
use crate::kernels::{SgdStep, Update};
use crate::options::options;
use crate::scalar::Scalar;

options! {
    /// The arguments of `torch.optim.SGD`, with torch's names and defaults.
    ///
    /// ```text
    /// g = gradient, with maximize -gradient
    /// g = g + weight_decay p
    /// buf = momentum buf + (1 - dampening) g      momentum_buffer; g itself at the first step
    /// g = buf, with nesterov g + momentum buf     without momentum g itself
    /// p = p - lr g
    /// ```
    ///
    /// Sums with a product are fused, as in torch's kernels. The options are checked when an [`Sgd`](super::Sgd) is made.
    ///
    /// ```
    /// use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, array};
    /// use ndarray_rnn::optim::{Sgd, SgdConfig};
    /// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
    ///
    /// let mut model = Embedding::<f64>::zeros(EmbeddingConfig::new(1, 2))?;
    /// let mut gradients = model.clone();
    /// gradients.load_state_dict([("weight", array![[1.0, -2.0]])])?;
    ///
    /// let mut sgd = Sgd::new(SgdConfig::new().lr(0.5).momentum(0.5), &model)?;
    /// sgd.step(&mut model, &gradients)?;
    /// assert_eq!(model.weight(), array![[-0.5, 1.0]]);
    /// sgd.step(&mut model, &gradients)?;
    /// assert_eq!(model.weight(), array![[-1.25, 2.5]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html>
    #[derive(Debug, Clone, PartialEq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
    pub struct SgdConfig() {
        /// The learning rate, finite and at least 0. Default 1e-3.
        lr: f64 = 1e-3,
        /// Momentum, finite and at least 0. Default 0.
        momentum: f64 = 0.0,
        /// Dampening of the momentum, finite. Default 0.
        dampening: f64 = 0.0,
        /// The L2 penalty, finite and at least 0. Default 0.
        weight_decay: f64 = 0.0,
        /// Nesterov's momentum; needs a momentum and no dampening. Default false.
        nesterov: bool = false,
        /// Whether to move along the gradient, towards a maximum. Default false.
        maximize: bool = false,
    }
}

impl Algorithm for SgdConfig {
    fn validate<A: Scalar>(&self) -> Result<()> {
        expect_option::<A>("lr", self.lr)?;
        expect_option::<A>("momentum", self.momentum)?;
        expect_finite("dampening", self.dampening)?;
        expect_of_type::<A>("dampening", self.dampening)?;
        expect_option::<A>("weight_decay", self.weight_decay)?;
        let plain = !self.nesterov;
        expect_number("momentum", self.momentum, "greater than 0 with nesterov", |x| plain || x > 0.0)?;
        expect_number("dampening", self.dampening, "0 with nesterov", |x| plain || x == 0.0)
    }

    const COUNTS_STEPS: bool = false;

    torch_options!(
        lr: Number, momentum: Number, dampening: Number,
        weight_decay: Number, nesterov: Flag, maximize: Flag
    );

    fn buffers(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { vec![] } else { vec!["momentum_buffer"] }
    }

    fn update<'a, A: Scalar>(
        &self,
        step: u64,
        parameter: &'a mut [A],
        gradient: &'a [A],
        mut buffers: impl Iterator<Item = &'a mut [A]>,
    ) -> Update<'a, A> {
        Update::Sgd(SgdStep {
            parameter,
            gradient,
            momentum_buffer: (self.momentum != 0.0).then(|| next(&mut buffers)),
            first: step == 1,
            lr: A::from_f64(-self.lr),
            momentum: A::from_f64(self.momentum),
            share: A::from_f64(1.0 - self.dampening),
            weight_decay: A::from_f64(self.weight_decay),
            nesterov: self.nesterov,
            maximize: self.maximize,
        })
    }
}
