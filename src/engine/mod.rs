//! The passes: one direction of one layer ([`direction`], and its parameters' gradient, [`weights`]), the layers of a
//! stack forwards ([`stack`]) and back ([`back`]), split among [`threads`]; packed weights
//! are kept in a [`cache`], which knows the traces of its network.

mod back;
mod cache;
mod direction;
mod few;
mod resets;
mod share;
mod stack;
mod team;
mod threads;
mod weights;

pub use back::{Backward, DirectionGradient};
pub use cache::{Cache, Origin};
pub use direction::{BackWeights, Scratch, Weights};
pub use resets::Resets;
pub use share::Share;
pub use stack::{Forward, Stack};
