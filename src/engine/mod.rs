//! The forward pass: directions of layers ([`direction`]), layers of a stack ([`stack`]).

mod direction;
mod stack;

pub(crate) use direction::Weights;
pub use stack::{Forward, Stack};
