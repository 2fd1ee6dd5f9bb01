//! Powers of a factor.

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

/// `base_lr * gamma^(number of milestones that are not after epoch)`, `torch.optim.lr_scheduler.MultiStepLR`.
///
/// ```
/// use ndarray_rnn::optim::MultiStepLr;
///
/// let schedule = MultiStepLr::new(0.8, [30, 80], 0.5)?;
/// assert_eq!([29, 30, 80].map(|epoch| schedule.lr(epoch)), [0.8, 0.4, 0.2]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html>
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "MultiStepLR")]
pub struct MultiStepLr {
    base_lr: f64,
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepLr {
    /// A schedule of milestones in any order; one that stands twice counts twice. torch's default of `gamma` is 0.1.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` and `gamma` are finite and not negative.
    pub fn new(base_lr: f64, milestones: impl IntoIterator<Item = usize>, gamma: f64) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_non_negative("gamma", gamma)?;
        Ok(Self { base_lr, milestones: milestones.into_iter().collect(), gamma })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= epoch).count();
        decayed(self.base_lr, self.gamma, passed)
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

/// `base_lr * gamma^times`. A `base_lr` of 0 stays 0, even if the power overflows.
fn decayed(base_lr: f64, gamma: f64, times: usize) -> f64 {
    if base_lr == 0.0 { 0.0 } else { base_lr * libm::pow(gamma, times as f64) }
}
