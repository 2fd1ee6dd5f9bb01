//! Writes words backwards, by an encoder and a decoder that is trained with teacher forcing.
//!
//! ```text
//! cargo run --release --example teacher_forcing
//! ```
//!
//! The decoder reads the letter before the one that it is to say. With teacher forcing it reads the right one, and without it
//! the one that it said itself. A coin decides for each batch: with the right letters alone a decoder never learns to go on
//! after a mistake, and with its own alone it learns slowly, since at first they are all wrong.

use std::error::Error;

use ndarray::{Array1, Array2, Array3, Axis, concatenate};
use ndarray_rnn::functional::argmax;
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
use ndarray_rnn::random::{Mt19937, bernoulli, uniform};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, GradientOf, Gru, GruConfig, Linear, LinearConfig, Parameters, Result,
    manual_seed, parameters,
};

parameters! {
    /// One embedding serves the encoder and the decoder.
    struct Net { embedding: Embedding, encoder: Gru, decoder: Gru, head: Linear }
}

const LETTERS: usize = 8;
/// What the decoder reads before the first letter.
const BEGIN: usize = LETTERS;
const LENGTH: usize = 5;
const BATCH: usize = 64;
const HIDDEN: usize = 48;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut rng = manual_seed(0);
    let mut net = Net::new(&mut rng)?;
    let mut adam = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    for step in 1..=800 {
        let words = words(&mut rng)?;
        let mut backwards = words.clone();
        backwards.invert_axis(Axis(1));
        let said = if bernoulli(0.5, &mut rng)? { backwards.clone() } else { net.say(&words)? };
        let (loss, mut gradients) = net.train(&words, &said, &backwards, &mut rng)?;
        clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
        adam.step(&mut net, &gradients)?;
        if step % 100 == 0 {
            println!("step {step}: loss {loss:.4}");
        }
    }

    let words = words(&mut rng)?;
    let said = net.say(&words)?;
    let right =
        words.outer_iter().zip(said.outer_iter()).filter(|(word, said)| word.iter().rev().eq(said)).count();
    println!("{} said backwards: {}", text(words.row(0).iter()), text(said.row(0).iter()));
    println!("right: {right} of {BATCH} new words");
    assert!(right > BATCH * 9 / 10);
    Ok(())
}

impl Net {
    fn new(rng: &mut Mt19937) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(EmbeddingConfig::new(LETTERS + 1, 16), rng)?,
            encoder: Gru::new(GruConfig::new(16, HIDDEN).batch_first(true), rng)?,
            decoder: Gru::new(GruConfig::new(16, HIDDEN).batch_first(true), rng)?,
            head: Linear::new(LinearConfig::new(HIDDEN, LETTERS), rng)?,
        })
    }

    /// What the decoder says of words (N, letters), each letter after its own letter before.
    fn say(&self, words: &Array2<usize>) -> Result<Array2<usize>> {
        let (_, mut state) = self.encoder.forward(&self.embedding.forward(words)?, None)?;
        let (mut letter, mut said) = (Array1::from_elem(words.nrows(), BEGIN), Array2::zeros(words.dim()));
        for mut column in said.columns_mut() {
            let hidden = self.decoder.step(&self.embedding.forward(&letter)?, &mut state)?;
            letter = argmax(&self.head.forward(&hidden)?, Axis(1))?;
            column.assign(&letter);
        }
        Ok(said)
    }

    /// The loss of a decoder that has said these letters, and its gradients.
    fn train(
        &self,
        words: &Array2<usize>,
        said: &Array2<usize>,
        target: &Array2<usize>,
        rng: &mut Mt19937,
    ) -> Result<(f32, GradientOf<Net>)> {
        let begin = Array2::from_elem((words.nrows(), 1), BEGIN);
        let read = concatenate![Axis(1), begin, said.slice_axis(Axis(1), (..-1).into())];
        let (words_read, letters_read) = (self.embedding.forward(words)?, self.embedding.forward(&read)?);
        let (_, state, encoder) = self.encoder.run(&words_read).last_train(rng)?;
        let (hidden, _, decoder) = self.decoder.forward_train(&letters_read, Some(&state), rng)?;
        let logits: Array3<f32> = self.head.forward(&hidden)?;
        // The classes are the second axis.
        let loss = CrossEntropyLoss::new().forward(&logits.permuted_axes([0, 2, 1]), target)?;

        let head = self.head.backward(&hidden, &loss.gradient.permuted_axes([0, 2, 1]))?;
        let decoder = self.decoder.backward(&decoder, &head.input, None)?;
        let encoder = self.encoder.back(&encoder).state(&decoder.state).gradients()?;
        let mut embedding = self.embedding.backward(words, &encoder.input)?;
        embedding.accumulate(&self.embedding.backward(&read, &decoder.input)?)?;
        let (encoder, decoder, head) = (encoder.parameters, decoder.parameters, head.parameters);
        Ok((loss.value, Net { embedding, encoder, decoder, head }))
    }
}

/// Random words.
fn words(rng: &mut Mt19937) -> Result<Array2<usize>> {
    let mut numbers = Array2::<f64>::zeros((BATCH, LENGTH));
    uniform(&mut numbers, 0.0, LETTERS as f64, rng)?;
    Ok(numbers.mapv(|number| number as usize))
}

fn text<'a>(letters: impl Iterator<Item = &'a usize>) -> String {
    letters.map(|&letter| char::from(b'a' + letter as u8)).collect()
}
