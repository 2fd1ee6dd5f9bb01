//! Cosines.

use std::f64::consts::PI;

use crate::error::{Result, expect_non_negative, expect_positive};

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
        annealed(self.base_lr, self.eta_min, epoch, self.t_max)
    }
}

/// Cosine annealing that begins anew after `t_0` epochs, then after `t_0 t_mult`, `t_0 t_mult^2` and so on;
/// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
///
/// ```text
/// eta_min + (base_lr - eta_min) (1 + cos(pi t_cur / t_i)) / 2     t_cur epochs since the last restart, t_i to the next
/// ```
///
/// ```
/// use ndarray_rnn::optim::CosineAnnealingWarmRestarts;
///
/// let schedule = CosineAnnealingWarmRestarts::new(0.2, 10, 2, 0.0)?;
/// assert_eq!([0, 5, 10, 20, 30].map(|epoch| (schedule.lr(epoch) * 1e6).round()), [2e5, 1e5, 2e5, 1e5, 2e5]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html>
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    base_lr: f64,
    t_0: usize,
    t_mult: usize,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// A schedule; torch's defaults are 1 for `t_mult` and 0 for `eta_min`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` and `eta_min` are finite and not negative,
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a `t_0` or `t_mult` of zero.
    pub fn new(base_lr: f64, t_0: usize, t_mult: usize, eta_min: f64) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_positive("t_0", t_0)?;
        expect_positive("t_mult", t_mult)?;
        expect_non_negative("eta_min", eta_min)?;
        Ok(Self { base_lr, t_0, t_mult, eta_min })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        let (mut t_cur, mut t_i) = (epoch, self.t_0);
        if self.t_mult == 1 {
            t_cur %= t_i;
        }
        while t_cur >= t_i {
            t_cur -= t_i;
            t_i = t_i.saturating_mul(self.t_mult);
        }
        annealed(self.base_lr, self.eta_min, t_cur, t_i)
    }
}

/// Cosine from `base_lr` at 0 to `eta_min` at `end`.
fn annealed(base_lr: f64, eta_min: f64, at: usize, end: usize) -> f64 {
    eta_min + (base_lr - eta_min) * (1.0 + libm::cos(PI * at as f64 / end as f64)) / 2.0
}
