//! Sequences as they come: of different lengths, beginning anew on the way, alone or in a batch, on any number of
//! threads.
//!
//! There is one oracle, in [`alone`]: every sequence is divided where it begins anew, and every piece runs by
//! itself through plain `forward`. Whatever options are combined, the results must have the bits of these pieces.
//! `by_hand` has networks that add, whose results anyone can check.

#[path = "../common/mod.rs"]
mod common;

mod alone;
mod by_hand;
mod case;
mod errors;
mod last;
mod last_train;
mod lengths;
mod own_draws;
mod packed;
mod packed_errors;
mod packed_golden;
mod packed_order;
mod packed_rnn;
mod resets;
mod sessions;
mod states;
mod threads;
mod together;
