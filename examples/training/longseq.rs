//! Learns a sentence of 180 letters from all its windows of ten, by two layers and a `Linear`.
//!
//! ```text
//! cargo run --release --example longseq
//! ```
//!
//! Steps of Adam this large are chaotic. torch's own `f32` curve leaves its `f64` curve from the same parameters
//! by 1e-5 at iteration 29, 1e-4 at 34 and 2e-2 at 83, and roundings decide which of the last letters are wrong.
//! So the `f32` curve is compared until then, and the whole curve, with its words, in `f64`.
//!
//! The text ends with one wrong letter, its first. Every window begins without a memory, and of the six that begin with an
//! i one goes on with f: with one letter read, t, g, p, l, m and f are as likely.

pub mod common;

use common::letters::Alphabet;
use common::torch::{Curve, largest_difference};
use common::{Result, chart, progress};
use ndarray::{Array1, Array2, Array3, ArrayRef, Ix2};
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Linear, LinearConfig, Rnn, RnnConfig, Scalar, manual_seed, one_hot, parameters};

parameters! { struct Net { rnn: Rnn, fc: Linear } }

/// The sentence to be learnt.
pub const SENTENCE: &str = "if you want to build a ship, don't drum up people together to collect wood \
    and don't assign them tasks and work, but rather teach them to long for the endless immensity of the sea.";
const WINDOW: usize = 10;

/// The number of iterations that roundings in `f32` do not disturb.
pub const BEFORE_CHAOS: usize = 30;

fn main() -> Result<()> {
    println!("In f32, as the series has it:\n");
    let (losses, text) = train::<f32>(100)?;
    check_f32(&losses, &text)?;
    println!("\nIn f64:\n");
    let (losses_f64, text) = train::<f64>(100)?;
    check_f64(&losses_f64, &text)?;
    let torch = Curve::read("longseq")?.losses;
    chart::losses("longseq", &[("torch, f32", &torch), ("f32", &losses), ("f64", &losses_f64)])
}

/// The loss of each iteration and the last predicted text.
pub fn train<A: Scalar>(iterations: usize) -> Result<(Vec<f64>, String)> {
    let letters = Alphabet::of(SENTENCE);
    let n = letters.size();
    let (x, y) = windows(&letters.encode(SENTENCE)); // (170 windows, 10 steps) each
    let x: Array3<A> = one_hot(&x, n)?;
    let (batch, steps) = y.dim();
    let y = y.into_shape_with_order(batch * steps)?;

    let mut rng = manual_seed(0);
    let rnn = Rnn::<A>::new(RnnConfig::new(n, n).num_layers(2).batch_first(true), &mut rng)?;
    let fc = Linear::<A>::new(LinearConfig::new(n, n), &mut rng)?;
    let mut net = Net { rnn, fc };
    let criterion = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.1), &net)?;
    println!("{}\n{}\n\n  i  loss      prediction", net.rnn, net.fc);

    let (mut losses, mut text) = (Vec::new(), String::new());
    let bar = progress(iterations)?;
    for i in 0..iterations {
        let (hidden, _, trace) = net.rnn.forward_train(&x, None, &mut rng)?;
        let hidden = hidden.into_shape_with_order((batch * steps, n))?;
        let logits = net.fc.forward(&hidden)?;
        let loss = criterion.forward(&logits, &y)?;
        let fc = net.fc.backward(&hidden, &loss.gradient)?;
        let d_hidden = fc.input.into_shape_with_order((batch, steps, n))?;
        let rnn = net.rnn.backward_parameters(&trace, &d_hidden, None)?;
        optimizer.step(&mut net, &Net { rnn, fc: fc.parameters })?;

        text = join(&letters, &logits)?;
        bar.suspend(|| println!("{i:>3}  {:.6}  {text}", loss.value));
        losses.push(loss.value.into_f64());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((losses, text))
}

/// Every window of the text, and the same window one letter later.
fn windows(text: &Array1<usize>) -> (Array2<usize>, Array2<usize>) {
    let rows = text.len() - WINDOW;
    let from = |start| Array2::from_shape_fn((rows, WINDOW), |(i, t)| text[start + i + t]);
    (from(0), from(1))
}

/// The letters that the first window predicts, and the last letter that every other window predicts.
fn join<A: Scalar>(letters: &Alphabet, logits: &ArrayRef<A, Ix2>) -> Result<String> {
    let all = letters.decode(logits)?;
    let chosen = all.chars().enumerate().filter(|(i, _)| *i < WINDOW || i % WINDOW == WINDOW - 1);
    Ok(chosen.map(|(_, letter)| letter).collect())
}

/// Compares the first iterations with torch's; the text may differ from the sentence in a few letters.
pub fn check_f32(losses: &[f64], text: &str) -> Result<()> {
    let torch = Curve::read("longseq")?;
    let difference = largest_difference(&losses[..BEFORE_CHAOS], &torch.losses);
    assert!(difference <= 1e-4, "losses differ from torch's by {difference:e}");
    let whole = torch.largest_difference(losses);
    println!(
        "\nFrom torch's curve at most {difference:.1e} in {BEFORE_CHAOS} iterations, {whole:.1e} in all."
    );
    println!("torch ends with {}", torch.text.unwrap_or_default());
    let wrong = text.chars().zip(SENTENCE.chars().skip(1)).filter(|(a, b)| a != b).count();
    println!("Wrong letters: {wrong} of {}", text.len());
    assert!(text.len() == SENTENCE.len() - 1 && wrong <= 3);
    Ok(())
}

/// Compares the whole curve and the text.
pub fn check_f64(losses: &[f64], text: &str) -> Result<()> {
    let torch = Curve::read("longseq_f64")?;
    let difference = torch.largest_difference(losses);
    assert!(difference <= 1e-4, "losses differ from torch's by {difference:e}");
    assert_eq!(Some(text), torch.text.as_deref());
    println!("\ntorch's words; from torch's curve at most {difference:.1e}, relatively.");
    Ok(())
}
