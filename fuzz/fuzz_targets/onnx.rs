//! An ONNX model, its nodes run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array3;
use ndarray_rnn::io::onnx::{self, KerasKind, Model, Node};
use ndarray_rnn::{GruConfig, LstmConfig, RnnConfig, keras as layers};

fuzz_target!(|bytes: &[u8]| {
    let _ = onnx::from_bytes(bytes);
    let Ok(model) = Model::<f32>::from_bytes(bytes) else { return };
    let _ = model.to_network::<RnnConfig>();
    let _ = model.to_network::<LstmConfig>();
    let _ = model.to_network::<GruConfig>();
    for node in model.nodes() {
        run(node);
        keras::<layers::SimpleRnnConfig>(node);
        keras::<layers::LstmConfig>(node);
        keras::<layers::GruConfig>(node);
    }
});

fn keras<C: KerasKind>(node: &Node<f32>) {
    let _ = node.to_layer::<C>();
    let _ = node.to_bidirectional::<C>();
}

fn run(node: &Node<f32>) {
    if node.input_size() > 100 || node.hidden_size() > 100 {
        return;
    }
    let batch = node.initial_h().map_or(2, |h| h.dim().1).min(10);
    let x = if node.batch_first() { (batch, 3, node.input_size()) } else { (3, batch, node.input_size()) };
    let _ = node.run(&Array3::ones(x)).forward();
}
