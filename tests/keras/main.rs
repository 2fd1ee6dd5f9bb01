//! Keras's layers, compared with Keras 3.15 on TensorFlow (`golden`, `seeds`), with what the notebook prints
//! (`notebook`), with higher precision (`activations`) and with the crate's own network and the definition of a
//! sum (`bits`), on every instruction set (`machines`); and what callers get wrong (`errors`, `gated_errors`).

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
mod seeds;
