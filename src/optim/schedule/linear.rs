//! A line, to warm up or to fade out.

use crate::error::{Result, expect_non_negative, expect_number, expect_positive};

/// A line from `base_lr start_factor` to `base_lr end_factor` at `total_iters`, then constant;
/// `torch.optim.lr_scheduler.LinearLR`.
///
/// ```text
/// base_lr (start_factor + (end_factor - start_factor) min(epoch, total_iters) / total_iters)
/// ```
///
/// A warm-up stands before another schedule, as in torch's `SequentialLR`:
///
/// ```
/// use ndarray_rnn::optim::{CosineAnnealingLr, LinearLr};
///
/// let (warm_up, cosine) = (LinearLr::new(0.1, 0.25, 1.0, 4)?, CosineAnnealingLr::new(0.1, 96, 0.0)?);
/// let lr = |epoch| if epoch < 4 { warm_up.lr(epoch) } else { cosine.lr(epoch - 4) };
/// assert_eq!([0, 4, 100].map(lr), [0.025, 0.1, 0.0]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "LinearLR")]
#[doc(alias = "SequentialLR")]
pub struct LinearLr {
    base_lr: f64,
    start_factor: f64,
    end_factor: f64,
    total_iters: usize,
}

impl LinearLr {
    /// A schedule; torch's defaults are 1/3, 1 and 5.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `base_lr` is finite and not negative, `start_factor` in
    /// (0, 1] and `end_factor` in [0, 1]; [`Error::ZeroSize`](crate::Error::ZeroSize) for `total_iters` of zero.
    pub fn new(base_lr: f64, start_factor: f64, end_factor: f64, total_iters: usize) -> Result<Self> {
        expect_non_negative("base_lr", base_lr)?;
        expect_number("start_factor", start_factor, "a number in (0, 1]", |x| x > 0.0 && x <= 1.0)?;
        expect_number("end_factor", end_factor, "a number in [0, 1]", |x| (0.0..=1.0).contains(&x))?;
        expect_positive("total_iters", total_iters)?;
        Ok(Self { base_lr, start_factor, end_factor, total_iters })
    }

    /// The learning rate of an epoch, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: usize) -> f64 {
        let (start, end, total) = (self.start_factor, self.end_factor, self.total_iters);
        self.base_lr * (start + (end - start) * epoch.min(total) as f64 / total as f64)
    }
}
