//! Learning rates over the epochs.
//!
//! Each schedule is a function of the epoch alone, torch's closed form (`_get_closed_form_lr`). torch's schedulers
//! multiply the learning rate epoch by epoch, which differs by rounding only, unless the learning rate is changed in
//! between.

use std::f64::consts::PI;

use crate::error::{Result, expect_non_negative, expect_positive};

/// `base_lr * gamma^floor(epoch / step_size)`, `torch.optim.lr_scheduler.StepLR`.
///
/// ```
/// use ndarray_rnn::optim::{Sgd, SgdConfig, StepLr};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let schedule = StepLr::new(0.5, 30, 0.5)?;
/// let mut optimizer = Sgd::new(SgdConfig::new().lr(schedule.lr(0)), &model)?;
/// for epoch in 0..90 {
///     optimizer.set_lr(schedule.lr(epoch))?;
///     // train for one epoch
/// }
/// assert_eq!(optimizer.lr(), 0.125);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "StepLR")]
pub struct StepLr {
    base_lr: f64,
    step_size: usize,
    gamma: f64,
}

impl StepLr {
    /// A schedule; torch's default of `gamma` is 0.1.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` and `gamma` are finite and not negative,
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a `step_size` of zero.
    pub fn new(base_lr: f64, step_size: usize, gamma: f64) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_positive("step_size", step_size)?;
        expect_non_negative("gamma", gamma)?;
        Ok(Self { base_lr, step_size, gamma })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        decayed(self.base_lr, self.gamma, epoch / self.step_size)
    }
}

/// `base_lr * gamma^epoch`, `torch.optim.lr_scheduler.ExponentialLR`.
///
/// ```
/// use ndarray_rnn::optim::ExponentialLr;
///
/// assert_eq!(ExponentialLr::new(0.8, 0.5)?.lr(3), 0.1);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "ExponentialLR")]
pub struct ExponentialLr {
    base_lr: f64,
    gamma: f64,
}

impl ExponentialLr {
    /// A schedule of a first learning rate and its factor for each epoch.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` and `gamma` are finite and not negative.
    pub fn new(base_lr: f64, gamma: f64) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_non_negative("gamma", gamma)?;
        Ok(Self { base_lr, gamma })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        decayed(self.base_lr, self.gamma, epoch)
    }
}

/// `eta_min + (base_lr - eta_min) (1 + cos(pi epoch / t_max)) / 2`, `torch.optim.lr_scheduler.CosineAnnealingLR`.
///
/// The learning rate falls from `base_lr` at epoch 0 to `eta_min` at `t_max`, and rises again after that, as torch's
/// does.
///
/// ```
/// use ndarray_rnn::optim::CosineAnnealingLr;
///
/// let schedule = CosineAnnealingLr::new(0.1, 100, 0.01)?;
/// assert_eq!((schedule.lr(0), schedule.lr(100)), (0.1, 0.01));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "CosineAnnealingLR")]
pub struct CosineAnnealingLr {
    base_lr: f64,
    t_max: usize,
    eta_min: f64,
}

impl CosineAnnealingLr {
    /// A schedule; torch's default of `eta_min` is 0.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` and `eta_min` are finite and not negative,
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a `t_max` of zero.
    pub fn new(base_lr: f64, t_max: usize, eta_min: f64) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_positive("t_max", t_max)?;
        expect_non_negative("eta_min", eta_min)?;
        Ok(Self { base_lr, t_max, eta_min })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        let cosine = libm::cos(PI * epoch as f64 / self.t_max as f64);
        self.eta_min + (self.base_lr - self.eta_min) * (1.0 + cosine) / 2.0
    }
}

/// `base_lr * gamma^times`. A `base_lr` of 0 stays 0, even if the power overflows.
fn decayed(base_lr: f64, gamma: f64, times: usize) -> f64 {
    if base_lr == 0.0 { 0.0 } else { base_lr * libm::pow(gamma, times as f64) }
}
