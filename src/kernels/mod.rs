//! Everything whose speed or bits matter.
//!
//! **One definition of a sum.** A chain is made of fused multiply-adds over k in ascending order, from its start
//! value: `((start + a_0 w_0) + a_1 w_1) + ...`, each step rounded once. An element of a product is one chain, or
//! two chains and one addition. Vector lanes run across output columns. Rows, columns and time are split among
//! tiles and threads, k is not; so none of them, nor the instruction set, can change a bit.
//! `tests/forward/instruction_sets.rs` holds every kernel to this definition, written out as a triple loop.
//!
//! Public for this crate's tests and benches only: exempt from semantic versioning.

#[cfg(test)]
mod accuracy;
mod activation;
mod arch;
mod chain;
mod copy;
mod exp;
mod formulas;
mod lanes;
mod matrix;
#[cfg(feature = "onnx")]
mod numbered;
mod panels;
mod product;
mod shape;
mod sigmoid;
mod tanh;
mod tile;
mod update;

pub use crate::element::Element;
pub use activation::{Activate, Activation};
pub use arch::{Arch, Plan, archs, fastest};
pub use chain::{Chain, Product, Start};
pub(crate) use copy::{copied, copy};
pub(crate) use formulas::{sigmoid_derivative, tanh_derivative};
pub use lanes::Lanes;
pub(crate) use lanes::vectorize;
pub use matrix::Matrix;
#[cfg(feature = "onnx")]
pub use numbered::Numbered;
pub(crate) use panels::transpose;
pub use panels::{Blocks, Panels, PanelsRef};
pub use sigmoid::sigmoid;
pub use tanh::tanh;
pub use update::Update;
pub(crate) use update::{AdamStep, RmsPropStep, SgdStep};
