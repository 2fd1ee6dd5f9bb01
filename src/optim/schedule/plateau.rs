//! A learning rate that falls when a metric improves no more.

use super::super::{Algorithm, Optimizer};
use crate::error::{Result, expect_finite, expect_non_negative, expect_number};
use crate::options::options;
use crate::scalar::Scalar;

/// Whether a metric is to be small or large.
///
/// ```
/// use ndarray_rnn::optim::{PlateauConfig, PlateauMode};
///
/// let accuracy = PlateauConfig::new().mode(PlateauMode::Max).patience(3);
/// assert_eq!(PlateauConfig::new().mode, PlateauMode::Min);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PlateauMode {
    /// Small, such as a loss.
    #[default]
    Min,
    /// Large, such as an accuracy.
    Max,
}

/// What the threshold of an improvement is a share of.
///
/// ```
/// use ndarray_rnn::optim::{PlateauConfig, ThresholdMode};
///
/// let config = PlateauConfig::new().threshold(0.01).threshold_mode(ThresholdMode::Abs); // better by 0.01
/// assert_eq!(PlateauConfig::new().threshold_mode, ThresholdMode::Rel);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ThresholdMode {
    /// Of the best metric so far.
    #[default]
    Rel,
    /// Of 1.
    Abs,
}

options! {
    /// The arguments of `torch.optim.lr_scheduler.ReduceLROnPlateau`, with torch's names and defaults.
    ///
    /// ```
    /// use ndarray_rnn::optim::{PlateauConfig, PlateauMode};
    ///
    /// let config = PlateauConfig::new().mode(PlateauMode::Max).patience(3);
    /// assert_eq!((config.factor, config.threshold), (0.1, 1e-4));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
    pub struct PlateauConfig() {
        /// Default that the metric is to be small.
        mode: PlateauMode = PlateauMode::Min,
        /// What the learning rate is multiplied with, in [0, 1). Default 0.1.
        factor: f64 = 0.1,
        /// How many epochs without an improvement are let pass. Default 10.
        patience: usize = 10,
        /// By how much a metric must be better than the best one to be an improvement, finite. Default 1e-4.
        threshold: f64 = 1e-4,
        /// Default relative.
        threshold_mode: ThresholdMode = ThresholdMode::Rel,
        /// For how many epochs after a fall none counts as one without an improvement. Default 0.
        cooldown: usize = 0,
        /// The least learning rate, finite and at least 0. Default 0.
        min_lr: f64 = 0.0,
        /// A fall by no more than this is left out, finite and at least 0. Default 1e-8.
        eps: f64 = 1e-8,
    }
}

/// Lowers the learning rate when a metric has not improved for some epochs,
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`.
///
/// ```text
/// a metric m is better than the best b so far, if it is to be small:
///     m < b (1 - threshold), absolutely m < b - threshold; if it is to be large: m > b (1 + threshold), m > b + threshold
/// after more than `patience` epochs that are not: lr = max(lr factor, min_lr), of every group of parameters
/// ```
///
/// A metric that is NaN is not better.
///
/// ```
/// use ndarray_rnn::optim::{PlateauConfig, ReduceLrOnPlateau, Sgd, SgdConfig};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let mut sgd = Sgd::new(SgdConfig::new().lr(0.5), &Linear::<f32>::zeros(LinearConfig::new(4, 2))?)?;
/// let mut schedule = ReduceLrOnPlateau::new(PlateauConfig::new().patience(1).factor(0.5))?;
/// for validation_loss in [3.0, 2.0, 2.5, 2.5] {
///     schedule.step(validation_loss, &mut sgd)?;
/// }
/// assert_eq!(sgd.lr(), 0.25);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias = "ReduceLROnPlateau")]
pub struct ReduceLrOnPlateau {
    config: PlateauConfig,
    /// None before the first metric that is a number.
    best: Option<f64>,
    num_bad_epochs: usize,
    cooldown_counter: usize,
}

impl ReduceLrOnPlateau {
    /// A schedule that has seen no metric.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for an option out of its range.
    pub fn new(config: PlateauConfig) -> Result<Self> {
        expect_number("factor", config.factor, "a number in [0, 1)", |x| (0.0..1.0).contains(&x))?;
        expect_finite("threshold", config.threshold)?;
        expect_non_negative("min_lr", config.min_lr)?;
        expect_non_negative("eps", config.eps)?;
        Ok(Self { config, best: None, num_bad_epochs: 0, cooldown_counter: 0 })
    }

    /// Takes the metric of an epoch, and lowers the learning rates of the optimiser if it is time to.
    ///
    /// # Errors
    /// As [`Optimizer::set_config`].
    pub fn step<C: Algorithm, A: Scalar>(
        &mut self,
        metric: f64,
        optimizer: &mut Optimizer<C, A>,
    ) -> Result<()> {
        if self.is_better(metric) {
            self.best = Some(metric);
            self.num_bad_epochs = 0;
        } else {
            self.num_bad_epochs += 1;
        }
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.num_bad_epochs = 0;
        }
        if self.num_bad_epochs > self.config.patience {
            self.reduce(optimizer)?;
            self.cooldown_counter = self.config.cooldown;
            self.num_bad_epochs = 0;
        }
        Ok(())
    }

    fn reduce<C: Algorithm, A: Scalar>(&self, optimizer: &mut Optimizer<C, A>) -> Result<()> {
        for group in 0..optimizer.groups().len() {
            let mut config = optimizer.groups()[group].clone();
            let (lr, lower) = (config.lr(), config.lr() * self.config.factor);
            let lower = if lower > self.config.min_lr { lower } else { self.config.min_lr };
            if lr - lower > self.config.eps {
                config.set_lr(lower);
                optimizer.set_config(group, config)?;
            }
        }
        Ok(())
    }

    fn is_better(&self, metric: f64) -> bool {
        let PlateauConfig { mode, threshold, threshold_mode, .. } = self.config;
        let worst = if mode == PlateauMode::Min { f64::INFINITY } else { f64::NEG_INFINITY };
        let best = self.best.unwrap_or(worst);
        match (mode, threshold_mode) {
            (PlateauMode::Min, ThresholdMode::Rel) => metric < best * (1.0 - threshold),
            (PlateauMode::Min, ThresholdMode::Abs) => metric < best - threshold,
            (PlateauMode::Max, ThresholdMode::Rel) => metric > best * (threshold + 1.0),
            (PlateauMode::Max, ThresholdMode::Abs) => metric > best + threshold,
        }
    }
}
