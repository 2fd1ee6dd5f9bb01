//! The passes of a network, forward and back.
//!
//! [`pass`] is what a pass reads and writes, and [`scratch`] what a pass forwards works in, made before it runs.
//! [`forward`] and [`backward`] run one direction of one layer, [`layers`] and [`back`] all layers; [`stack`] and [`back`]
//! split a pass among [`threads`], of which a [`team`] shares one sequence. [`terms`] sums over rows to make the gradients
//! of the parameters. The way back knows a stack by its [`form`], and calls the kernels by a table, [`calls`]. [`kept`] is
//! what a pass in training leaves for the way back. A [`cache`] holds packed weights and the memory of passes, and tells
//! the traces of its network from others.

mod back;
mod backward;
mod cache;
mod calls;
mod few;
mod form;
mod forward;
mod gradient;
mod kept;
mod layers;
mod operands;
mod pass;
mod place;
mod resets;
mod scratch;
mod share;
mod spares;
mod stack;
mod step;
mod sums;
mod team;
mod terms;
mod threads;
mod weights;

pub use back::{BackReads, BackWrites};
pub use cache::{Cache, Origin};
pub use gradient::DirectionGradient;
pub use kept::{Course, Factors, Kept};
pub use pass::{InnerWrites, Reads, Writes};
pub use share::Share;
pub use spares::Spares;
pub use stack::{Ready, Scratch, Stack};
pub use weights::{BackWeights, DirectionParameters, Order};
