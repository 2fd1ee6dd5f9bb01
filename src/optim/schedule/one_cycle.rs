//! One rise and one fall.

use std::f64::consts::PI;

use crate::error::{
    Result, expect_index, expect_non_negative, expect_number, expect_positive, expect_probability,
};
use crate::options::options;

/// How a [`OneCycleLr`] goes from one learning rate to the next.
///
/// ```
/// use ndarray_rnn::optim::{AnnealStrategy, OneCycleConfig};
///
/// assert_eq!(OneCycleConfig::new(0.1, 500).anneal_strategy, AnnealStrategy::Cos);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnnealStrategy {
    /// Along half a cosine.
    #[default]
    Cos,
    /// Along a line.
    Linear,
}

options! {
    /// The arguments of `torch.optim.lr_scheduler.OneCycleLR`, with torch's names and defaults.
    ///
    /// torch's `cycle_momentum` is whether [`OneCycleLr::momentum`] is used.
    ///
    /// ```
    /// use ndarray_rnn::optim::{AnnealStrategy, OneCycleConfig};
    ///
    /// let config = OneCycleConfig::new(0.1, 500).pct_start(0.25).anneal_strategy(AnnealStrategy::Linear);
    /// assert_eq!((config.div_factor, config.max_momentum), (25.0, 0.95));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct OneCycleConfig(
        /// The greatest learning rate, finite and at least 0.
        max_lr: f64,
        /// The number of steps, at least 1.
        total_steps: usize,
    ) {
        /// The share of steps in which the learning rate rises, in [0, 1]; times `total_steps` it may not be 1. Default 0.3.
        pct_start: f64 = 0.3,
        /// Default a cosine.
        anneal_strategy: AnnealStrategy = AnnealStrategy::Cos,
        /// The least momentum, at the greatest learning rate. Default 0.85.
        base_momentum: f64 = 0.85,
        /// The greatest momentum, at the least learning rates. Default 0.95.
        max_momentum: f64 = 0.95,
        /// The first learning rate is `max_lr / div_factor`. Default 25.
        div_factor: f64 = 25.0,
        /// The last learning rate is the first one over this. Default 1e4.
        final_div_factor: f64 = 1e4,
        /// Whether the learning rate falls to the first one as fast as it rose, and then to the last. Default false.
        three_phase: bool = false,
    }
}

/// A learning rate that rises once and falls to almost nothing, and a momentum that does the opposite;
/// `torch.optim.lr_scheduler.OneCycleLR`.
///
/// With first = `max_lr / div_factor`, last = first / `final_div_factor`, and p = `pct_start total_steps`, it goes from
/// first at step 0 to `max_lr` at step p - 1 and to last at the last step; in three phases it is back at first at step
/// 2 p - 2.
///
/// ```
/// use ndarray_rnn::optim::{OneCycleConfig, OneCycleLr, Sgd, SgdConfig};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// let schedule = OneCycleLr::new(OneCycleConfig::new(0.5, 100))?;
/// let model = Linear::<f32>::zeros(LinearConfig::new(4, 2))?;
/// let mut sgd = Sgd::new(SgdConfig::new().momentum(0.95), &model)?;
/// for step in 0..100 {
///     let config = sgd.config().clone();
///     sgd.set_config(0, config.lr(schedule.lr(step)?).momentum(schedule.momentum(step)?))?;
///     // train for one step
/// }
/// assert!((schedule.lr(0)? - 0.02).abs() < 1e-15 && schedule.lr(29)? == 0.5);
/// assert!(schedule.lr(100).is_err());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html>
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "OneCycleLR")]
pub struct OneCycleLr {
    config: OneCycleConfig,
}

impl OneCycleLr {
    /// A schedule.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for an option out of its range,
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for no steps.
    pub fn new(config: OneCycleConfig) -> Result<Self> {
        expect_non_negative("max_lr", config.max_lr)?;
        expect_positive("total_steps", config.total_steps)?;
        expect_probability("pct_start", config.pct_start)?;
        // Of a rise from step 0 to step 0 torch divides by zero.
        let rise = config.pct_start * config.total_steps as f64;
        expect_number("pct_start * total_steps", rise, "another number than 1", |rise| rise != 1.0)?;
        expect_non_negative("base_momentum", config.base_momentum)?;
        expect_non_negative("max_momentum", config.max_momentum)?;
        let positive = |x: f64| x.is_finite() && x > 0.0;
        expect_number("div_factor", config.div_factor, "finite and greater than 0", positive)?;
        expect_number("final_div_factor", config.final_div_factor, "finite and greater than 0", positive)?;
        Ok(Self { config })
    }

    /// The learning rate of a step, counted from 0.
    ///
    /// # Errors
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for a step not below `total_steps`.
    pub fn lr(&self, step: usize) -> Result<f64> {
        let first = self.config.max_lr / self.config.div_factor;
        self.at(step, [first, self.config.max_lr, first / self.config.final_div_factor])
    }

    /// The momentum of a step, counted from 0: of SGD and RMSprop, and of Adam beta1.
    ///
    /// # Errors
    /// As [`lr`](Self::lr).
    pub fn momentum(&self, step: usize) -> Result<f64> {
        let OneCycleConfig { base_momentum, max_momentum, .. } = self.config;
        self.at(step, [max_momentum, base_momentum, max_momentum])
    }

    /// What goes from the first to the second to the third number, in three phases over the first once more.
    fn at(&self, step: usize, [first, second, third]: [f64; 3]) -> Result<f64> {
        let OneCycleConfig { total_steps, pct_start, three_phase, .. } = self.config;
        expect_index("step", "total_steps", total_steps, step)?;
        let (total, step) = (total_steps as f64, step as f64);
        let (peak, end) = (pct_start * total - 1.0, total - 1.0);
        let back = 2.0 * pct_start * total - 2.0;
        Ok(if step <= peak {
            self.between(first, second, step / peak)
        } else if !three_phase {
            self.between(second, third, (step - peak) / (end - peak))
        } else if step <= back {
            self.between(second, first, (step - peak) / (back - peak))
        } else {
            self.between(first, third, (step - back) / (end - back))
        })
    }

    fn between(&self, start: f64, end: f64, share: f64) -> f64 {
        match self.config.anneal_strategy {
            AnnealStrategy::Cos => end + (start - end) / 2.0 * (libm::cos(PI * share) + 1.0),
            AnnealStrategy::Linear => (end - start) * share + start,
        }
    }
}
