//! What a training loop needs besides gradients: losses, `Linear`, optimisers, schedules, clipping.

#[path = "../common/mod.rs"]
mod common;

mod clip;
mod distributed;
mod functions;
mod linear;
mod loss;
mod loss_golden;
mod models;
mod optim;
mod schedules;
