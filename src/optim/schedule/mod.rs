//! Learning rates over the epochs or steps.
//!
//! Each schedule but [`ReduceLrOnPlateau`] is a function of the epoch alone, torch's closed form
//! (`_get_closed_form_lr`). torch's schedulers multiply the learning rate epoch by epoch, which differs by rounding only,
//! unless the learning rate is changed in between. An epoch is whatever the schedule is asked for, often a step.

mod cosine;
mod linear;
mod one_cycle;
mod plateau;
mod step;

pub use cosine::{CosineAnnealingLr, CosineAnnealingWarmRestarts};
pub use linear::LinearLr;
pub use one_cycle::{AnnealStrategy, OneCycleConfig, OneCycleLr};
pub use plateau::{PlateauConfig, PlateauMode, ReduceLrOnPlateau, ThresholdMode};
pub use step::{ExponentialLr, MultiStepLr, StepLr};
