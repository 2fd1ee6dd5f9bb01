//! ONNX, against models of torch and of onnx, and what ONNX Runtime makes of them and of ours.

#[path = "../common/mod.rs"]
mod common;
mod exports;
mod imports;
mod nodes;

use common::TestResult;
use common::golden::Golden;

fn golden() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../interop/fixtures/onnx/models.safetensors"))
}
