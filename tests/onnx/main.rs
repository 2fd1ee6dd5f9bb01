//! ONNX: models of torch, of onnx and of this crate, compared with what ONNX Runtime computes from them.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mutations.rs"]
mod mutated;

/// Tests that are a function of a kind, called with each.
macro_rules! of_every_kind {
    ($($test:ident: $($name:ident of $kind:ty),+;)*) => {
        $($(
            #[test]
            fn $name() -> TestResult {
                $test::<$kind>()
            }
        )+)*
    };
}

mod byte_by_byte;
mod checks;
mod exports;
mod graphs;
mod heads;
mod imports;
mod keras;
mod mutations;
mod nodes;
mod operators;
mod random_nodes;
mod refused;
mod teams;
mod write;

use std::fs;
use std::path::Path;

use common::TestResult;
use common::golden::Golden;
use exports::Exported;
use ndarray_rnn::keras as layers;
use ndarray_rnn::{GruConfig, LstmConfig, RnnConfig};

fn golden() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../interop/fixtures/onnx/models.safetensors"))
}

/// For tests/interop/onnx_files.py.
#[test]
#[ignore = "writes files"]
fn write_models() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop/onnx");
    fs::create_dir_all(&folder)?;
    fn write<C: Exported>(folder: &Path) -> TestResult {
        for case in exports::cases::<C>()? {
            fs::write(folder.join(format!("{}.onnx", case.name)), case.bytes()?)?;
        }
        for case in heads::cases::<C>()? {
            fs::write(folder.join(format!("{}.onnx", case.name)), case.bytes()?)?;
        }
        Ok(())
    }
    write::<RnnConfig>(&folder)?;
    write::<LstmConfig>(&folder)?;
    write::<GruConfig>(&folder)?;
    fn write_keras<C: keras::Kind>(folder: &Path) -> TestResult {
        for case in keras::cases::<C>()? {
            fs::write(folder.join(format!("{}.onnx", case.name)), case.bytes()?)?;
        }
        Ok(())
    }
    write_keras::<layers::SimpleRnnConfig>(&folder)?;
    write_keras::<layers::LstmConfig>(&folder)?;
    write_keras::<layers::GruConfig>(&folder)
}
