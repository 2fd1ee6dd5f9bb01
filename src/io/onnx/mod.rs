//! ONNX: networks for other engines, and RNN nodes from them.

mod attributes;
mod builder;
mod constants;
mod export;
mod export_keras;
mod graph;
mod layer;
mod links;
mod model;
mod node;
mod proto;
mod run;
mod tensor;
mod to_keras;
mod wire;

pub use export::Export;
pub use export_keras::{ExportKeras, KerasLayer};
pub use model::Model;
pub use node::RnnNode;

/// The format's name in errors.
const FORMAT: &str = "ONNX";
