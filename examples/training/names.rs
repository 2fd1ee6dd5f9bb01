//! Tells the language of a name, by `Embedding`, `Lstm` and `Linear` on the last output of each name.
//!
//! ```text
//! cargo run --release --example names
//! ```
//!
//! The four languages are invented and share their letters: what tells them apart is the order of the letters. A name
//! has 6 to 12 letters, and a batch holds names of any length. Training ends when the loss over names that are not
//! trained on has not fallen for three epochs. The network of the lowest loss is saved, loaded and asked.

pub mod common;

use common::torch::{Curve, largest_difference};
use common::{Result, chart, target, uniform};
use ndarray::{Array1, Array2, Axis};
use ndarray_rnn::functional::{accuracy, argmax};
use ndarray_rnn::io::{StateDict, safetensors};
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
use ndarray_rnn::random::{Mt19937, randperm};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, manual_seed, parameters,
};

const LANGUAGES: [&str; 4] = ["Coastal", "Highland", "Marsh", "Valley"];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
const CONSONANTS: [char; 8] = ['k', 'l', 'm', 'n', 'r', 's', 't', 'v'];
const NAMES: usize = 3000;
/// How many names are trained on: the first ones.
const TRAINING: usize = 2400;
const BATCH: usize = 32;
/// How many epochs without a lower loss end the training.
const PATIENCE: usize = 3;

/// A name, and its language's place in `LANGUAGES`.
type Name = (String, usize);

parameters! {
    #[derive(Debug, Clone, PartialEq)]
    struct Net { embedding: Embedding, lstm: Lstm, fc: Linear }
}

fn main() -> Result<()> {
    let trained = train(50)?;
    check(&trained)?;

    let path = target("names.safetensors")?;
    let mut dict = StateDict::new();
    dict.add("", &trained.best)?;
    safetensors::write(&path, &dict)?;
    let mut loaded = Net::new(&mut manual_seed(1))?; // of other parameters, until they are loaded
    safetensors::read(&path)?.load_into(&mut loaded)?;

    let batch = Batch::of(&trained.validation);
    assert_eq!(loaded, trained.best);
    let logits = loaded.classify(&batch)?;
    println!("Saved to {}, and loaded.\n\nname          language  told as", path.display());
    for ((name, language), told) in trained.validation.iter().zip(argmax(&logits, Axis(1))?).take(8) {
        println!("{name:<14}{:<10}{}", LANGUAGES[*language], LANGUAGES[told]);
    }
    let accuracy = accuracy(&logits, &batch.languages)?;
    println!("\nRight of {} names not trained on: {:.1} %", logits.nrows(), 100.0 * accuracy);
    assert!(accuracy > 0.95);

    let torch = Curve::read("names")?.losses;
    let validation = ("validation", &trained.validation_losses[..]);
    chart::losses("names", &[("torch", &torch), ("each batch", &trained.losses), validation])
}

/// The results of training.
#[derive(Debug)]
pub struct Trained {
    /// The loss of each batch.
    losses: Vec<f64>,
    /// The loss over the names that are not trained on, at each epoch's last batch; NaN elsewhere.
    validation_losses: Vec<f64>,
    /// The names that are not trained on.
    validation: Vec<Name>,
    /// The network whose validation loss was the lowest.
    best: Net,
}

/// Trains until the validation loss falls no more, or for so many epochs.
pub fn train(epochs: usize) -> Result<Trained> {
    let mut rng = manual_seed(0);
    let mut names = (0..NAMES).map(|i| name(i % 4, &mut rng)).collect::<Result<Vec<_>>>()?;
    let validation = names.split_off(TRAINING);
    let held_out = Batch::of(&validation);

    let mut net = Net::new(&mut rng)?;
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    println!("{}\n{}\n{}\n\nepoch  last loss  validation  accuracy", net.embedding, net.lstm, net.fc);

    let (mut losses, mut validation_losses) = (Vec::new(), Vec::new());
    let (mut best, mut best_epoch, mut lowest) = (net.clone(), 0, f32::INFINITY);
    for epoch in 0..epochs {
        for rows in randperm(TRAINING, &mut rng)?.chunks(BATCH) {
            let batch = Batch::of(rows.iter().map(|&i| &names[i]));
            losses.push(step(&mut net, &mut optimizer, &batch, &mut rng)?);
        }

        let logits = net.classify(&held_out)?;
        let loss = CrossEntropyLoss::new().forward(&logits, &held_out.languages)?.value;
        validation_losses.resize(losses.len() - 1, f64::NAN);
        validation_losses.push(loss.into());
        let accuracy = accuracy(&logits, &held_out.languages)?;
        println!("{epoch:>5}  {:.6}   {loss:.6}    {accuracy:.4}", losses[losses.len() - 1]);
        if loss < lowest {
            (best, best_epoch, lowest) = (net.clone(), epoch, loss);
        } else if epoch == best_epoch + PATIENCE {
            break;
        }
    }
    Ok(Trained { losses, validation_losses, validation, best })
}

/// Takes a step of the optimiser, and returns the loss before it.
fn step(net: &mut Net, optimizer: &mut Adam<f32>, batch: &Batch, rng: &mut Mt19937) -> Result<f64> {
    let x = net.embedding.forward(&batch.letters)?; // (names, steps, 8)
    let (last, _, trace) = net.lstm.run(&x).lengths(&batch.lengths).last_train(rng)?; // each name's own last letter
    let loss = CrossEntropyLoss::new().forward(&net.fc.forward(&last)?, &batch.languages)?;

    let fc = net.fc.backward(&last, &loss.gradient)?;
    let lstm = net.lstm.back(&trace).last(&fc.input).gradients()?;
    let embedding = net.embedding.backward(&batch.letters, &lstm.input)?;
    let mut gradients = Net { embedding, lstm: lstm.parameters, fc: fc.parameters };
    clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
    optimizer.step(net, &gradients)?;
    Ok(loss.value.into())
}

impl Net {
    fn new(rng: &mut Mt19937) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(EmbeddingConfig::new(26, 8), rng)?,
            lstm: Lstm::new(LstmConfig::new(8, 32).batch_first(true), rng)?,
            fc: Linear::new(LinearConfig::new(32, LANGUAGES.len()), rng)?,
        })
    }

    /// A logit for each name and language (names, 4).
    fn classify(&self, batch: &Batch) -> Result<Array2<f32>> {
        let x = self.embedding.forward(&batch.letters)?;
        let (last, _) = self.lstm.run(&x).lengths(&batch.lengths).last()?;
        Ok(self.fc.forward(&last)?)
    }
}

/// Names side by side.
#[derive(Debug)]
struct Batch {
    /// (names, letters of the longest): 0 for a, and so on. What stands behind a name's end is never read.
    letters: Array2<usize>,
    lengths: Vec<usize>,
    languages: Array1<usize>,
}

impl Batch {
    fn of<'a>(names: impl IntoIterator<Item = &'a Name>) -> Self {
        let (names, languages): (Vec<_>, Vec<_>) = names.into_iter().map(|(name, l)| (name, *l)).unzip();
        let lengths: Vec<_> = names.iter().map(|name| name.len()).collect();
        let mut letters = Array2::zeros((names.len(), lengths.iter().copied().max().unwrap_or(0)));
        for (n, name) in names.iter().enumerate() {
            name.bytes().enumerate().for_each(|(t, letter)| letters[[n, t]] = usize::from(letter - b'a'));
        }
        Self { letters, lengths, languages: languages.into() }
    }
}

/// A name of three to five syllables. `Coastal` names are these syllables.
fn name(language: usize, rng: &mut Mt19937) -> Result<Name> {
    let mut syllables = Vec::new();
    for _ in 0..pick(&[3, 4, 5], rng)? {
        syllables.push([pick(&CONSONANTS, rng)?, pick(&VOWELS, rng)?]);
    }
    let first = syllables[0];
    match LANGUAGES[language] {
        "Highland" => syllables.iter_mut().for_each(|syllable| syllable.reverse()),
        "Marsh" => syllables.insert(0, first),
        "Valley" => syllables.iter_mut().for_each(|syllable| syllable[1] = first[1]), // one vowel
        _ => {}
    }
    Ok((syllables.into_iter().flatten().collect(), language))
}

fn pick<T: Copy>(items: &[T], rng: &mut Mt19937) -> Result<T> {
    Ok(items[(uniform(rng)? * items.len() as f64) as usize])
}

/// Compares the first two epochs with torch's. Roundings grow: to 6e-5 in the third epoch, to 3e-2 in the sixth.
pub fn check(trained: &Trained) -> Result<()> {
    let torch = Curve::read("names")?;
    let steps = torch.losses.len();
    let difference = torch.largest_difference(&trained.losses[..steps]);
    let validation = [torch.test_loss.ok_or("no test loss")?];
    let validation = largest_difference(&trained.validation_losses[steps - 1..steps], &validation);
    println!(
        "\nFrom torch's first {steps} losses at most {difference:.1e}, relatively; of validation {validation:.1e}."
    );
    assert!(difference <= 1e-4 && validation <= 1e-4);
    Ok(())
}
