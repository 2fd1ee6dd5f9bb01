//! [ONNX](https://onnx.ai): networks for other engines, and RNN nodes from other frameworks.
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
//! let (y, y_h) = model.nodes()[0].forward(&ndarray::Array3::zeros((5, 3, 4)), Some(&[5, 2, 1]), None)?;
//! assert_eq!((y.dim(), y_h.dim()), ((5, 1, 3, 2), (1, 3, 2)));
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`Export`], [`ExportKeras`] | an [`Rnn`](crate::Rnn), or a layer of [`keras`](crate::keras), as a model |
//! | [`Model`] | the RNN nodes of a model; together a network, as torch's exporter writes them |
//! | [`Node`] | one node, to be run, or made a network or layer |
//!
//! The graph around the nodes is not run. The messages are protobuf's; a graph is read field by field, so that a model
//! that is refused takes no memory.

// Each imports only from those before it: proto, wire, tensor, graph; attributes, constants, node, run, to_keras;
// links, model; and for writing builder, layer, export, export_keras.
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
pub use node::Node;

/// The format's name in errors.
const FORMAT: &str = "ONNX";
