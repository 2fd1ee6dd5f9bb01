//! Adam and AdamW.

use super::algorithm::{Algorithm, OptionMut, expect_option, next, torch_options};
use crate::error::{Result, expect_number};
use crate::kernels::{AdamStep, Update};
use crate::options::setters;
use crate::scalar::Scalar;

/// The arguments of `torch.optim.Adam` and `AdamW`, with torch's names and defaults.
///
/// ```text
/// g = gradient, with maximize -gradient
/// p = p (1 - lr weight_decay)     decoupled, as in AdamW; otherwise g = g + weight_decay p
/// m = m + (1 - beta1) (g - m)     exp_avg
/// v = beta2 v + (1 - beta2) g^2   exp_avg_sq
/// s = v, with amsgrad the largest v so far (max_exp_avg_sq)
/// p = p - lr / (1 - beta1^t) m / (sqrt(s) / sqrt(1 - beta2^t) + eps)
/// ```
///
/// Sums with a product are fused, as in torch's kernels. The options are checked when an [`Adam`](super::Adam) is made.
///
/// ```
/// use ndarray::array;
/// use ndarray_rnn::optim::{Adam, AdamConfig};
/// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
///
/// let mut model = Embedding::<f64>::zeros(EmbeddingConfig::new(1, 2))?;
/// let mut gradients = model.clone();
/// gradients.load_state_dict([("weight", array![[3.0, -0.01]])])?;
///
/// // The first step is as long as the learning rate, whatever the gradient.
/// Adam::new(AdamConfig::new().lr(0.1), &model)?.step(&mut model, &gradients)?;
/// assert!((model.weight() - array![[-0.1, 0.1]]).iter().all(|d| d.abs() < 1e-6));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html>,
/// <https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct AdamConfig {
    /// The learning rate, finite and at least 0. Default 1e-3.
    pub lr: f64,
    /// The decay of both moments, in [0, 1). Default (0.9, 0.999).
    pub betas: (f64, f64),
    /// The number added to the denominator, finite and at least 0. Default 1e-8.
    pub eps: f64,
    /// The L2 penalty or decay, finite and at least 0. Default 0, with [`adamw`](Self::adamw) 0.01.
    pub weight_decay: f64,
    /// Whether to divide by the largest second moment so far. Default false.
    pub amsgrad: bool,
    /// Whether the decay shrinks the parameter, and is not added to the gradient. Default false, with
    /// [`adamw`](Self::adamw) true.
    pub decoupled_weight_decay: bool,
    /// Whether to move along the gradient, towards a maximum. Default false.
    pub maximize: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

impl AdamConfig {
    /// The defaults of torch's `Adam`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The defaults of torch's `AdamW`.
    #[must_use]
    #[doc(alias = "AdamW")]
    pub fn adamw() -> Self {
        Self::default().decoupled_weight_decay(true).weight_decay(1e-2)
    }

    /// Sets [`betas`](Self#structfield.betas).
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self { betas: (beta1, beta2), ..self }
    }

    setters!(lr: f64, eps: f64, weight_decay: f64, amsgrad: bool, decoupled_weight_decay: bool, maximize: bool);
}

impl Algorithm for AdamConfig {
    fn validate<A: Scalar>(&self) -> Result<()> {
        expect_option::<A>("lr", self.lr)?;
        expect_option::<A>("eps", self.eps)?;
        for (name, actual) in [("beta1", self.betas.0), ("beta2", self.betas.1)] {
            expect_number(name, actual, "a number in [0, 1)", |beta| (0.0..1.0).contains(&beta))?;
        }
        expect_option::<A>("weight_decay", self.weight_decay)
    }

    const COUNTS_STEPS: bool = true;

    torch_options!(
        lr: Number, betas: Pair, eps: Number, weight_decay: Number,
        amsgrad: Flag, maximize: Flag, decoupled_weight_decay: Flag
    );

    fn buffers(&self) -> Vec<&'static str> {
        let maximum = self.amsgrad.then_some("max_exp_avg_sq");
        ["exp_avg", "exp_avg_sq"].into_iter().chain(maximum).collect()
    }

    fn update<'a, A: Scalar>(
        &self,
        step: u64,
        parameter: &'a mut [A],
        gradient: &'a [A],
        mut buffers: impl Iterator<Item = &'a mut [A]>,
    ) -> Update<'a, A> {
        let (beta1, beta2) = self.betas;
        let correction = |beta: f64| 1.0 - libm::pow(beta, step as f64);
        let decoupled = self.decoupled_weight_decay && self.weight_decay != 0.0;
        Update::Adam(AdamStep {
            parameter,
            gradient,
            exp_avg: next(&mut buffers),
            exp_avg_sq: next(&mut buffers),
            max_exp_avg_sq: self.amsgrad.then(|| next(&mut buffers)),
            shrink: A::from_f64(if decoupled { 1.0 - self.lr * self.weight_decay } else { 1.0 }),
            weight_decay: A::from_f64(if decoupled { 0.0 } else { self.weight_decay }),
            share1: A::from_f64(1.0 - beta1),
            beta2: A::from_f64(beta2),
            share2: A::from_f64(1.0 - beta2),
            correction2_sqrt: A::from_f64(correction(beta2).sqrt()),
            eps: A::from_f64(self.eps),
            step_size: A::from_f64(-(self.lr / correction(beta1))),
            maximize: self.maximize,
        })
    }
}
