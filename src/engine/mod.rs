//! The passes: one direction of one layer [forwards](forward) and [back](backward), the layers of a [`stack`] forwards and
//! [`back`], split among [`threads`], and the sums over rows that the parameters' gradient is, [`terms`].
//!
//! What a pass in training leaves is [`kept`]; packed weights, and the memory of passes, stay in a [`cache`], which knows
//! the traces of its network.

mod back;
mod backward;
mod cache;
mod few;
mod forward;
mod gradient;
mod kept;
mod operands;
mod resets;
mod share;
mod spares;
mod stack;
mod team;
mod terms;
mod threads;
mod weights;

pub use back::{BackReads, BackWrites};
pub use cache::{Cache, Origin};
pub use gradient::DirectionGradient;
pub use kept::{Course, Factors, Kept};
pub use share::Share;
pub use spares::Spares;
pub use stack::{Reads, Scratch, Stack, Writes};
pub use weights::{BackWeights, DirectionParameters, Order};
