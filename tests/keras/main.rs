//! Keras's layer: against Keras 3.15 on TensorFlow (`golden`, `seeds`, `notebook`), high precision (`activations`), the crate's
//! own network and definition of a sum (`bits`, `differences`), and what callers get wrong (`errors`).

#[path = "../common/mod.rs"]
mod common;

mod case;
mod golden;
mod seeds;
