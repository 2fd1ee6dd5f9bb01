//! `cargo run --release --features onnx --example export_onnx [FILE]`
//!
//! Writes a bidirectional network of two layers as an ONNX model that takes the lengths of sequences, reads it
//! back, and shows how to ask ONNX Runtime for the same numbers.

use std::env;
use std::error::Error;

use ndarray::Array3;
use ndarray_rnn::io::onnx::Export;
use ndarray_rnn::{Rnn, RnnConfig, manual_seed};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("rnn.onnx"), Into::into);
    let config = RnnConfig::new(4, 3).num_layers(2).bidirectional(true);
    let rnn = Rnn::<f32>::new(config, &mut manual_seed(0))?;
    Export::new(&rnn).sequence_lens(true).write(&path)?;
    println!("{rnn} is in {}\n", path.display());

    let letters = [[0, 1, 2, 2, 3], [1, 3, 2, 2, 2]];
    let input = Array3::from_shape_fn((5, 2, 4), |(t, n, i)| f32::from(letters[n][t] == i));
    let (output, h_n) = rnn.run(&input).lengths(&[5, 3]).forward()?;
    println!("output[0] =\n{:8.4}\n", output.index_axis(ndarray::Axis(0), 0));
    println!("The same in Python:\n");
    println!("    import numpy as np, onnxruntime");
    println!("    session = onnxruntime.InferenceSession({:?})", path.display().to_string());
    println!("    input = np.eye(4, dtype=np.float32)[np.array({letters:?}).T]");
    println!("    lens = np.array([5, 3], dtype=np.int32)");
    println!("    output, h_n = session.run(None, {{\"input\": input, \"sequence_lens\": lens}})");
    println!("    print(output[0])");

    let read = Rnn::<f32>::from_onnx(&path)?;
    assert_eq!(read, rnn);
    assert_eq!(read.run(&input).lengths(&[5, 3]).forward()?, (output, h_n));
    Ok(())
}
