//! The passes: one direction of one layer ([`direction`]), the layers of a stack ([`stack`]), split among
//! [`threads`].

mod direction;
mod share;
mod stack;
mod threads;

pub use direction::{Resets, Scratch, Weights};
pub use stack::{Forward, Stack};
