//! Trains a model of one's own on words of any length: has a word more of the letter a than of b?
//!
//! ```text
//! cargo run --release --example train
//! ```
//!
//! [train.py](train.py) is the same program in torch, and has the same losses.

use ndarray::{Array1, Array2};
use ndarray_rnn::random::{Mt19937, bernoulli, randperm};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, Linear, LinearConfig, Result, functional, io, loss,
    manual_seed, optim, parameters,
};

parameters! { struct Net { embedding: Embedding, rnn: Gru, head: Linear } }

fn main() -> Result<()> {
    let mut rng = manual_seed(0);
    let mut net = Net {
        embedding: Embedding::<f32>::new(EmbeddingConfig::new(2, 4), &mut rng)?,
        rnn: Gru::<f32>::new(GruConfig::new(4, 16).batch_first(true), &mut rng)?,
        head: Linear::<f32>::new(LinearConfig::new(16, 2), &mut rng)?,
    };
    let mut adam = optim::Adam::new(optim::AdamConfig::new().lr(0.01), &net)?;
    for step in 1..=400 {
        let (letters, lengths, classes) = batch(&mut rng)?;
        let x = net.embedding.forward(&letters)?;
        let (last, _, trace) = net.rnn.run(&x).lengths(&lengths).last_train(&mut rng)?;
        let logits = net.head.forward(&last)?;
        let loss = loss::CrossEntropyLoss::new().forward(&logits, &classes)?;

        let head = net.head.backward(&last, &loss.gradient)?;
        let rnn = net.rnn.back(&trace).last(&head.input).gradients()?;
        let embedding = net.embedding.backward(&letters, &rnn.input)?;
        adam.step(&mut net, &Net { embedding, rnn: rnn.parameters, head: head.parameters })?;

        if step % 100 == 0 {
            let accuracy = functional::accuracy(&logits, &classes)?;
            println!("step {step}: loss {:.4}, right {:.0} %", loss.value, 100.0 * accuracy);
            assert!(step < 400 || accuracy > 0.9);
        }
    }

    let mut dict = io::StateDict::new();
    dict.add("", &net)?; // embedding.weight, rnn.weight_ih_l0, ..., as a module of torch names them
    io::safetensors::write(std::env::temp_dir().join("train.safetensors"), &dict)
}

/// 32 words of 3 to 15 letters, 0 for a and 1 for b; what stands behind a word's end is never read.
fn batch(rng: &mut Mt19937) -> Result<(Array2<usize>, Vec<usize>, Array1<usize>)> {
    let mut letters = Array2::zeros((32, 15));
    letters.iter_mut().try_for_each(|letter| bernoulli(0.5, rng).map(|drawn| *letter = drawn.into()))?;
    let lengths: Vec<_> = randperm(32, rng)?.into_iter().map(|n| 3 + n % 13).collect();
    let more_of_a = |n: usize| 2 * letters.row(n).iter().take(lengths[n]).sum::<usize>() < lengths[n];
    let classes = (0..32).map(|n| usize::from(more_of_a(n))).collect();
    Ok((letters, lengths, classes))
}
