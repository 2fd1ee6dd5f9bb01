//! Learns a sentence letter by letter: " if you want yo" to "if you want you".
//!
//! ```text
//! cargo run --release --example charseq
//! ```
//!
//! The notebook numbers its letters in the arbitrary order of a Python `set`; here they are sorted. A second
//! training takes the order that the published notebook prints, to compare with its losses. It ends with "if you yant you",
//! as published: after a space come i, y and w, which only what came before the space tells apart. The hidden state is the
//! logits, so the ten units that name the next letter must remember that too, within (-1, 1). The first training's
//! network has learnt it after 50 steps, the second's has not.

pub mod common;

use common::letters::Alphabet;
use common::torch::{Curve, largest_difference};
use common::{Result, chart};
use ndarray::{Array3, Axis};
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Rnn, RnnConfig, manual_seed, one_hot};

/// The sentence to be learnt.
pub const SAMPLE: &str = " if you want you";

fn main() -> Result<()> {
    let (losses, text) = train(&Alphabet::of(SAMPLE), &mut manual_seed(0))?;
    check(&losses, &text)?;
    chart::losses("charseq", &[("torch", &Curve::read("charseq")?.losses), ("ndarray-rnn", &losses)])?;

    println!("\nAs published:\n");
    published()
}

/// The loss of each iteration and the last predicted text.
pub fn train(letters: &Alphabet, rng: &mut Mt19937) -> Result<(Vec<f64>, String)> {
    let n = letters.size();
    let sample = letters.encode(SAMPLE);
    let (x, y) = (sample.slice_axis(Axis(0), (..-1).into()), sample.slice_axis(Axis(0), (1..).into()));
    let x: Array3<f32> = one_hot(&x.insert_axis(Axis(0)), n)?; // (batch 1, 15 steps, 10 letters)

    let mut rnn = Rnn::<f32>::new(RnnConfig::new(n, n).batch_first(true), rng)?;
    let criterion = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.1), &rnn)?;
    println!("{rnn}\n\n  i  loss      prediction");

    let (mut losses, mut text) = (Vec::new(), String::new());
    for i in 0..50 {
        let (outputs, _, trace) = rnn.forward_train(&x, None, rng)?;
        let logits = outputs.into_shape_with_order((y.len(), n))?;
        let loss = criterion.forward(&logits, &y)?;
        let d_outputs = loss.gradient.into_shape_with_order((1, y.len(), n))?;
        let gradients = rnn.backward_parameters(&trace, &d_outputs, None)?;
        optimizer.step(&mut rnn, &gradients)?;

        text = letters.decode(&logits)?;
        println!("{i:>3}  {:.6}  {text}", loss.value);
        losses.push(loss.value.into());
    }
    Ok((losses, text))
}

/// Compares with torch.
pub fn check(losses: &[f64], text: &str) -> Result<()> {
    let torch = Curve::read("charseq")?;
    let difference = torch.largest_difference(losses);
    assert!(difference <= 1e-4, "losses differ from torch's by {difference:e}");
    assert_eq!(Some(text), torch.text.as_deref());
    assert_eq!(text, &SAMPLE[1..]);
    println!("\nLearnt; from torch's curve at most {difference:.1e}, relatively.");
    Ok(())
}

/// The published notebook's losses. Its cells had run twice since the seed, so its network is the second one.
pub fn published() -> Result<()> {
    let letters = Alphabet::new("ytoifwuan ");
    let mut rng = manual_seed(0);
    Rnn::<f32>::new(RnnConfig::new(letters.size(), letters.size()), &mut rng)?;
    let (losses, text) = train(&letters, &mut rng)?;
    let ours = [losses[0], losses[1], losses[49]];
    let difference = largest_difference(&ours, &[2.3307039737701416, 2.0587525367736816, 0.8433225154876709]);
    assert!(difference <= 1e-5, "losses differ from the notebook's by {difference:e}");
    assert_eq!(text, "if you yant you");
    println!("\nThe losses that it prints, and its text.");
    Ok(())
}
