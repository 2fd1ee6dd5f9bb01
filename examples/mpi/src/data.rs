//! What is trained on: has a word more of the letter a than of b?

use ndarray::{Array1, Array2, Axis};
use ndarray_rnn::random::{bernoulli, randperm};
use ndarray_rnn::{Result, manual_seed};

/// Words of 3 to 15 letters. 500 is no multiple of the number of micro-batches: the sampler repeats some.
pub const WORDS: usize = 500;

/// Words, side by side.
#[derive(Debug, Clone)]
pub struct Words {
    /// 0 for a and 1 for b (N, 15); what stands behind a word's end is never read.
    pub letters: Array2<usize>,
    pub lengths: Vec<usize>,
    /// 1 for more of a.
    pub classes: Array1<usize>,
}

impl Words {
    /// All words, the same on every rank.
    pub fn new() -> Result<Self> {
        let mut rng = manual_seed(1);
        let mut letters = Array2::zeros((WORDS, 15));
        letters
            .iter_mut()
            .try_for_each(|letter| bernoulli(0.5, &mut rng).map(|drawn| *letter = drawn.into()))?;
        let lengths: Vec<_> = randperm(WORDS, &mut rng)?.into_iter().map(|n| 3 + n % 13).collect();
        let more_of_a = |n: usize| 2 * letters.row(n).iter().take(lengths[n]).sum::<usize>() < lengths[n];
        let classes = (0..WORDS).map(|n| usize::from(more_of_a(n))).collect();
        Ok(Self { letters, lengths, classes })
    }

    /// Some of the words.
    pub fn select(&self, numbers: &[usize]) -> Self {
        Self {
            letters: self.letters.select(Axis(0), numbers),
            lengths: numbers.iter().map(|&n| self.lengths[n]).collect(),
            classes: self.classes.select(Axis(0), numbers),
        }
    }
}
