//! [ONNX](https://onnx.ai): networks for other engines, and recurrent nodes from other frameworks.
//!
//! ```
//! use ndarray_rnn::io::onnx::{Export, Model};
//! use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
//!
//! let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("rnn.onnx");
//! Export::new(&rnn).sequence_lens(true).write(&path)?;
//! assert_eq!(Rnn::from_onnx(&path)?, rnn);
//!
//! let model = Model::<f32>::read(&path)?;
//! let output = model.nodes()[0].run(&ndarray::Array3::zeros((5, 3, 4))).sequence_lens(&[5, 2, 1]).forward()?;
//! assert_eq!((output.y.dim(), output.y_h.dim()), ((5, 1, 3, 2), (1, 3, 2)));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`Export`], [`ExportKeras`] | an [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) or [`Gru`](crate::Gru), or a layer of [`keras`](crate::keras), as a model |
//! | [`Model`] | the recurrent nodes of a model; together a network, as torch and tf2onnx write them |
//! | [`Node`] | one RNN, LSTM or GRU node, to be run, or made a network or layer |
//! | [`read`], [`from_bytes`] | the arrays of a model under their names, for what stands around the nodes |
//!
//! The graph around the nodes is not run, but what it computes from constants is folded, as far as a node's inputs
//! depend on it. Nothing that changes a node's result is passed over: what is neither a constant nor an input of the
//! graph is refused by its name.
//!
//! torch writes recurrent nodes with `torch.onnx.export(.., dynamo=False)`; its default unrolls a network into products, for
//! the one length of the example.
//!
//! The messages are protobuf's; a graph is read field by field, so that a model that is refused takes no memory.

// Each imports only from those before it: proto, wire, operator, graph, external, tensor, fold; for reading
// attributes, inputs, node with engine, run, kinds with network, keras_kinds, to_keras; chain, model; and for writing
// builder, layer, head, export, export_keras.
mod attributes;
mod builder;
mod chain;
mod engine;
mod export;
mod export_keras;
mod external;
mod fold;
mod graph;
mod head;
mod inputs;
mod keras_kinds;
mod kinds;
mod layer;
mod model;
mod network;
mod node;
mod operator;
mod proto;
mod run;
mod tensor;
mod to_keras;
mod wire;

pub use export::Export;
pub use export_keras::ExportKeras;
pub use keras_kinds::{KerasKind, KerasLayer};
pub use kinds::NodeKind;
pub use model::{Model, from_bytes, read};
pub use node::Node;
pub use run::{NodeOutput, NodeRun};

pub use crate::cell::AnyActivation;
pub use crate::kernels::Numbered;

/// The format's name in errors.
const FORMAT: &str = "ONNX";

/// The error for a part of a valid file that this crate does not read.
fn unsupported(field: &str, feature: impl Into<String>) -> crate::error::Error {
    super::files::unsupported(FORMAT, field, feature)
}
