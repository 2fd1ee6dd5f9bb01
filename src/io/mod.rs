//! Files.
pub mod onnx;
