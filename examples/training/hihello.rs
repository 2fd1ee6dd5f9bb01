//! Learns to say the next letter: "hihell" to "ihello".
//!
//! ```text
//! cargo run --release --example hihello
//! ```
//!
//! With the notebook's seed and settings the losses are those that it prints, and so is the end: after eight steps
//! the word is right, and then it is "ilello" for good.
//!
//! Why: the hidden state is the logits, so five units both name the next letter and remember where in the word they are,
//! and tanh keeps them within (-1, 1). After "hi" the units of h and l end at +0.9995 and +1.0000. The l is the larger by
//! a hair, and training cannot part them, since tanh is all but flat there. In torch five of the seeds 0 to 7 end with the
//! word, and all eight do with a `Linear` behind the network.

pub mod common;

use common::letters::Alphabet;
use common::torch::{Curve, largest_difference};
use common::{Result, chart};
use ndarray::{Array3, Axis};
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Rnn, RnnConfig, manual_seed, one_hot};

/// Some losses as the notebook prints them. Its torch was older, and its Adam rounded in another way.
const NOTEBOOK: [(usize, f64); 4] =
    [(0, 1.7802648544311523), (1, 1.4931954145431519), (8, 0.8731772899627686), (99, 0.5317898392677307)];

fn main() -> Result<()> {
    let (losses, words) = train()?;
    check(&losses, &words)?;
    chart::losses("hihello", &[("torch", &Curve::read("hihello")?.losses), ("ndarray-rnn", &losses)])
}

/// The loss and the predicted word of each iteration.
pub fn train() -> Result<(Vec<f64>, Vec<String>)> {
    let letters = Alphabet::new("hielo");
    let n = letters.size();
    let x: Array3<f32> = one_hot(&letters.encode("hihell").insert_axis(Axis(0)), n)?; // (batch 1, 6 steps, 5 letters)
    let y = letters.encode("ihello");

    let mut rng = manual_seed(0);
    let mut rnn = Rnn::<f32>::new(RnnConfig::new(n, n).batch_first(true), &mut rng)?;
    let criterion = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.1), &rnn)?;
    println!("{rnn}\n\n  i  loss      prediction");

    let (mut losses, mut words) = (Vec::new(), Vec::new());
    for i in 0..100 {
        let (outputs, _, trace) = rnn.forward_train(&x, None, &mut rng)?;
        let logits = outputs.into_shape_with_order((y.len(), n))?;
        let loss = criterion.forward(&logits, &y)?;
        let d_outputs = loss.gradient.into_shape_with_order((1, y.len(), n))?;
        let gradients = rnn.backward_parameters(&trace, &d_outputs, None)?;
        optimizer.step(&mut rnn, &gradients)?;

        let word = letters.decode(&logits)?;
        println!("{i:>3}  {:.6}  {word}", loss.value);
        losses.push(loss.value.into());
        words.push(word);
    }
    Ok((losses, words))
}

/// Compares with torch and the notebook.
pub fn check(losses: &[f64], words: &[String]) -> Result<()> {
    let torch = Curve::read("hihello")?;
    let difference = torch.largest_difference(losses);
    assert!(difference <= 1e-4, "losses differ from torch's by {difference:e}");
    for (i, printed) in NOTEBOOK {
        assert!(largest_difference(&losses[i..=i], &[printed]) <= 1e-5, "loss {i} is not the notebook's");
    }
    assert!(words[8..12].iter().all(|word| word == "ihello"), "not learnt after eight steps");
    assert_eq!(words.last(), torch.text.as_ref());
    println!(
        "\nThe notebook's losses and torch's words; from torch's curve at most {difference:.1e}, relatively."
    );
    Ok(())
}
