//! Keras's layer: against Keras 3.15 on TensorFlow (`golden`, `seeds`), what the notebook prints (`notebook`), higher
//! precision (`activations`), the crate's own network and the definition of a sum (`bits`), on every machine
//! (`machines`), and what callers get wrong (`errors`).

#[path = "../common/mod.rs"]
mod common;

mod activations;
mod bits;
mod case;
mod errors;
mod golden;
mod machines;
mod notebook;
mod seeds;
