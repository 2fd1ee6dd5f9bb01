//! Keras's layers, compared with Keras 3.15 on TensorFlow (`golden`, `seeds`), with what the notebook prints
//! (`notebook`), with higher precision (`activations`), with the crate's own network (`own_network`) and with other ways
//! to the same sums (`bits`, `stacks`), on every instruction set (`machines`); and what callers get wrong (`errors`,
//! `gated_errors`).

#[path = "../common/mod.rs"]
mod common;

mod activations;
mod bits;
mod case;
mod errors;
mod gated_errors;
mod golden;
mod kind;
mod machines;
mod notebook;
mod own_network;
mod seeds;
mod stacks;
