//! Learns a nursery rhyme letter by letter, by a `Gru` and a `Linear`, and writes verses of its own.
//!
//! ```text
//! cargo run --release --example rhyme
//! ```
//!
//! The rhyme is cut into 16 tracks, which are read side by side, 40 letters at a time. Each piece begins with the
//! state that the piece before it left, and the gradient ends at the piece's beginning: truncated backpropagation.
//! To write, a `Session` reads the letters so far, a draw chooses the next letter by its probability, and so on. A
//! temperature below 1 makes likely letters likelier, and one above 1 makes them less likely.

pub mod common;

use common::letters::Alphabet;
use common::torch::Curve;
use common::{Result, chart};
use ndarray::{Array2, Array3, Axis};
use ndarray_rnn::functional::sample;
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Gru, GruConfig, Linear, LinearConfig, manual_seed, one_hot, parameters};

/// Each verse has one more of these than the verse before it, and begins with the new one.
const CHAIN: [&str; 11] = [
    "the farmer sowing his corn\nthat kept ",
    "the cock that crowed in the morn\nthat waked ",
    "the priest all shaven and shorn\nthat married ",
    "the man all tattered and torn\nthat kissed ",
    "the maiden all forlorn\nthat milked ",
    "the cow with the crumpled horn\nthat tossed ",
    "the dog\nthat worried ",
    "the cat\nthat killed ",
    "the rat\nthat ate ",
    "the malt\nthat lay in ",
    "the house that Jack built.\n\n",
];
const HIDDEN: usize = 64;
const TRACKS: usize = 16;
const PIECE: usize = 40;
/// How many letters a text has at most.
const LONGEST: usize = 400;

parameters! {
    #[derive(Debug)]
    struct Net { gru: Gru, fc: Linear }
}

fn main() -> Result<()> {
    let trained = train(200)?;
    check(&trained)?;
    let Trained { net, letters, losses, .. } = trained;
    let mut rng = manual_seed(1);
    for temperature in [1.5, 1.0, 0.5] {
        let text = write(&net, &letters, "This is the m", temperature, &mut rng)?;
        println!("\nAt temperature {temperature}:\n{}", text.trim_end());
    }

    let mut by_heart = 0;
    for verse in (0..CHAIN.len()).map(verse) {
        let first_line = verse.lines().next().ok_or("an empty verse")?;
        by_heart += usize::from(write(&net, &letters, first_line, 0.2, &mut rng)? == verse);
    }
    println!("\nVerses known by heart: {by_heart} of {}", CHAIN.len());
    assert!(by_heart >= 9);
    chart::losses("rhyme", &[("torch", &Curve::read("rhyme")?.losses), ("ndarray-rnn", &losses)])
}

/// The results of training.
#[derive(Debug)]
pub struct Trained {
    net: Net,
    letters: Alphabet,
    /// The loss of each step.
    losses: Vec<f64>,
    /// What the network wrote after every 20 times.
    samples: Vec<String>,
}

/// Trains for so many times the rhyme, and prints a sample every 20 times.
pub fn train(times: usize) -> Result<Trained> {
    let rhyme: String = (0..CHAIN.len()).rev().map(verse).collect();
    let letters = Alphabet::of(&rhyme);
    let n = letters.size();
    let (x, y) = tracks(&letters, &rhyme);

    let mut rng = manual_seed(0);
    let gru = Gru::new(GruConfig::new(n, HIDDEN).batch_first(true), &mut rng)?;
    let mut net = Net { gru, fc: Linear::new(LinearConfig::new(HIDDEN, n), &mut rng)? };
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    println!("{}\n{}\n{} letters, {n} of them different", net.gru, net.fc, rhyme.len());

    let (mut losses, mut samples) = (Vec::new(), Vec::new());
    for time in 1..=times {
        let mut state = None;
        for (x, y) in x.axis_chunks_iter(Axis(1), PIECE).zip(y.axis_chunks_iter(Axis(1), PIECE)) {
            let x: Array3<f32> = one_hot(&x, n)?; // (16 tracks, 40 steps, letters)
            let (hidden, h_n, trace) = net.gru.forward_train(&x, state.as_deref(), &mut rng)?;
            let logits = net.fc.forward(&hidden)?;
            // The classes are the second axis.
            let loss = CrossEntropyLoss::new().forward(&logits.view().permuted_axes([0, 2, 1]), &y)?;

            let fc = net.fc.backward(&hidden, &loss.gradient.permuted_axes([0, 2, 1]))?;
            let gru = net.gru.backward_parameters(&trace, &fc.input, None)?;
            let mut gradients = Net { gru, fc: fc.parameters };
            clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
            optimizer.step(&mut net, &gradients)?;
            losses.push(loss.value.into());
            state = Some(h_n);
        }
        if time % 20 == 0 {
            let sample = write(&net, &letters, "This is the c", 0.5, &mut rng)?;
            println!("\nAfter {time} times, loss {:.4}:\n{}", losses[losses.len() - 1], sample.trim_end());
            samples.push(sample);
        }
    }
    Ok(Trained { net, letters, losses, samples })
}

/// The verse whose first link is the one of this number.
fn verse(first: usize) -> String {
    format!("This is {}", CHAIN[first..].concat())
}

/// The rhyme in equal tracks (16, letters of each), and the letter after each letter. A rest is left out.
fn tracks(letters: &Alphabet, rhyme: &str) -> (Array2<usize>, Array2<usize>) {
    let indices = letters.encode(rhyme);
    let length = (indices.len() - 1) / TRACKS;
    let from = |start| Array2::from_shape_fn((TRACKS, length), |(i, t)| indices[start + i * length + t]);
    (from(0), from(1))
}

/// Goes on from a prompt until a verse ends or there are 400 letters.
fn write(net: &Net, letters: &Alphabet, prompt: &str, temperature: f64, rng: &mut Mt19937) -> Result<String> {
    let mut session = net.gru.session(1)?;
    let (mut text, mut unread) = (prompt.to_owned(), letters.encode(prompt));
    while text.len() < LONGEST && !text.ends_with("\n\n") {
        let x = one_hot(&unread.insert_axis(Axis(1)), letters.size())?; // (steps, 1 track, letters)
        let hidden = session.chunk(&x)?;
        let logits = net.fc.forward(&hidden.index_axis(Axis(0), hidden.len_of(Axis(0)) - 1))?;
        unread = sample(&logits, temperature, rng)?;
        text.push(letters.letter(unread[0]));
    }
    Ok(text)
}

/// Compares the first losses and the first sample with torch's. Roundings grow: to 1e-4 after 90 steps, to 8e-2
/// after 150.
pub fn check(trained: &Trained) -> Result<()> {
    let torch = Curve::read("rhyme")?;
    let steps = torch.losses.len();
    let difference = torch.largest_difference(&trained.losses[..steps]);
    println!("\nFrom torch's first {steps} losses at most {difference:.1e}, relatively.");
    assert!(difference <= 1e-4);
    assert_eq!(trained.samples.first(), torch.text.as_ref());
    Ok(())
}
