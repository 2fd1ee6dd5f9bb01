//! ONNX.
mod builder;
mod export;
mod proto;

pub use export::Export;
