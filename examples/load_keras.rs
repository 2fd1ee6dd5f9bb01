//! Runs a model that Keras saved: a classifier of texts, layer by layer.
//!
//! ```text
//! cargo run --release --all-features --example load_keras
//! ```
//!
//! `tests/interop/keras_files.py` makes the file with Keras:
//!
//! ```text
//! model = keras.Sequential([
//!     keras.Input((None,), dtype="int32"),
//!     layers.Embedding(12, 5),
//!     layers.LSTM(6, return_sequences=True),
//!     layers.Bidirectional(layers.GRU(4)),
//!     layers.Dense(3, activation="softmax"),
//! ])
//! model.save("classifier.keras")
//! ```

use std::error::Error;

use ndarray::{Array2, Ix2};
use ndarray_rnn::io::keras::{DenseActivation, Model};
use ndarray_rnn::io::npz;
use ndarray_rnn::keras::{Bidirectional, GruConfig, Lstm};
use ndarray_rnn::{Embedding, Linear};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fixtures/keras");

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::read(format!("{FILES}/classifier.keras"))?;
    for layer in model.layers() {
        println!("{:<16} {}", layer.path(), layer.class().unwrap_or("?"));
    }
    // By number among the layers of a class, or by name.
    let embedding: Embedding = model.layer(0)?;
    let lstm: Lstm = model.layer("lstm")?;
    let both: Bidirectional<f32, GruConfig> = model.layer("bidirectional")?;
    let (dense, softmax): (Linear, DenseActivation) = model.layer("dense")?;

    // np.savez("classifier.npz", x=x.astype("float32"), predicted=model.predict(x)): 4 texts of 7 words, 3 classes.
    let saved = npz::read(format!("{FILES}/classifier.npz"))?;
    let words = saved.get("x").ok_or("no x")?.to_array::<f32>("x")?.into_dimensionality::<Ix2>()?;
    let words = words.mapv(|word| word as usize);
    let keras: Array2<f32> =
        saved.get("predicted").ok_or("no predicted")?.to_array("predicted")?.into_dimensionality()?;

    let (outputs, _) = lstm.forward(&embedding.forward(&words)?)?;
    let (last, _) = both.call(&outputs).last()?;
    let predicted = softmax.apply(&dense.forward(&last)?)?;

    println!("\n{:<24} {:<32} Keras", "words", "here");
    for ((words, here), keras) in words.rows().into_iter().zip(predicted.rows()).zip(keras.rows()) {
        let [words, here] = [format!("{words}"), format!("{here:.6}")];
        println!("{words:<24} {here:<32} {keras:.6}");
    }
    let difference = (&predicted - &keras).iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    println!("\nlargest difference: {difference:.1e}");
    assert!(difference <= 1e-6);
    Ok(())
}
