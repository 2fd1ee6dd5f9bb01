//! Letters as indices and back.

use ndarray::{Array1, ArrayRef, Axis, Ix2};
use ndarray_rnn::functional::argmax;
use ndarray_rnn::{Result, Scalar};

/// The letters of a text, each with an index.
#[derive(Debug)]
pub struct Alphabet(Vec<char>);

impl Alphabet {
    /// Letters in the order given.
    pub fn new(letters: &str) -> Self {
        Self(letters.chars().collect())
    }

    /// The letters of a text, sorted.
    pub fn of(text: &str) -> Self {
        let mut letters: Vec<_> = text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        Self(letters)
    }

    /// How many letters there are.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The index of each letter; a letter that is not in the alphabet gets none.
    pub fn encode(&self, text: &str) -> Array1<usize> {
        text.chars().filter_map(|letter| self.0.iter().position(|&l| l == letter)).collect()
    }

    /// The letter of an index.
    pub fn letter(&self, index: usize) -> char {
        self.0[index]
    }

    /// The letter with the largest logit in each row (*, letters).
    pub fn decode<A: Scalar>(&self, logits: &ArrayRef<A, Ix2>) -> Result<String> {
        Ok(argmax(logits, Axis(1))?.into_iter().map(|letter| self.0[letter]).collect())
    }
}
