//! Compares the examples' loss curves with torch's, from the same seeds, by each example's own loop and checks.

#![allow(dead_code, clippy::duplicate_mod)] // the examples' `main`s; each brings examples/common

#[path = "../charseq.rs"]
mod charseq;
#[path = "../hihello.rs"]
mod hihello;
#[path = "../longseq.rs"]
mod longseq;
#[path = "../names.rs"]
mod names;
#[path = "../rhyme.rs"]
mod rhyme;
#[path = "../sum_of_bits.rs"]
mod sum_of_bits;
#[path = "../timeseries.rs"]
mod timeseries;

use ndarray_rnn::manual_seed;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn hihello_follows_torch_and_the_notebook() -> Result<()> {
    let (losses, words) = hihello::train()?;
    hihello::check(&losses, &words)
}

#[test]
fn charseq_follows_torch() -> Result<()> {
    let letters = charseq::common::letters::Alphabet::of(charseq::SAMPLE);
    let (losses, text) = charseq::train(&letters, &mut manual_seed(0))?;
    charseq::check(&losses, &text)
}

#[test]
fn charseq_follows_the_published_notebook() -> Result<()> {
    charseq::published()
}

#[test]
fn longseq_follows_torch_until_roundings_tell() -> Result<()> {
    let (losses, text) = longseq::train::<f32>(100)?;
    longseq::check_f32(&losses, &text)
}

#[test]
fn longseq_follows_torch_to_the_end_in_f64() -> Result<()> {
    let (losses, text) = longseq::train::<f64>(100)?;
    longseq::check_f64(&losses, &text)
}

#[test]
fn timeseries_follows_torch() -> Result<()> {
    timeseries::check(&timeseries::train()?)
}

#[test]
fn names_follow_torch() -> Result<()> {
    names::check(&names::train(2)?)
}

#[test]
fn rhyme_follows_torch() -> Result<()> {
    rhyme::check(&rhyme::train(20)?)
}

#[test]
#[ignore = "a training of its own, no comparison"]
fn sums_of_bits_are_learnt() -> Result<()> {
    sum_of_bits::check(&sum_of_bits::train()?)
}
