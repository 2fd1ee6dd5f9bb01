//! Training on several machines with the bits of one: sums in a fixed tree, and torch's sampler.
//!
//! This module computes, and exchanges nothing: any transport serves. [`guide::distributed`](crate::guide::distributed) puts
//! it together.
//!
//! | | |
//! |---|---|
//! | [`TreeSum`] | the gradients of numbered micro-batches, added in one order, whoever computes which |
//! | [`tree_nodes`] | what a rank has to send |
//! | [`DistributedSampler`] | which samples each replica has in an epoch |
//! | [`Parameters::to_vector`](crate::Parameters::to_vector), [`load_vector`](crate::Parameters::load_vector) | a gradient as one buffer, and back |
//! | [`random::PerSequence`](crate::random::PerSequence) | dropout by the number of a sequence |

mod sampler;
mod tree;

pub use sampler::DistributedSampler;
pub use tree::{Node, TreeSum, tree_nodes};
