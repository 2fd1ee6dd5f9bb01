//! Random calls over the whole public surface but files: none panics, overflows or asks for memory that is not there
//! without saying so, and a refused one changes nothing.
//!
//! ```text
//! cargo test -p ndarray-rnn-tests --test calls                        # 380,000, in two seconds
//! cargo test -p ndarray-rnn-tests --test calls -- --ignored           # 5.8 million, in half a minute
//! ```
//!
//! Tests are compiled with checks of overflow and of the crate's invariants. Every call must have worked at least once
//! and have been refused at least once, so the arguments reach both.

#[path = "../common/mod.rs"]
mod common;

mod draws;
mod keras;
mod modules;
mod networks;

use draws::{Counts, Draws};
use ndarray_rnn::{GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, RnnCellConfig, RnnConfig, Scalar};

/// Calls that accept whatever they are given here.
const NEVER_REFUSED: [&str; 3] = ["Dropout", "relu", "unpad_sequence"];

fn some<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    match draws.below(10) {
        0 => networks::network::<RnnConfig, A>(draws, counts),
        1 => networks::network::<LstmConfig, A>(draws, counts),
        2 => networks::network::<GruConfig, A>(draws, counts),
        3 => networks::cell::<RnnCellConfig, A>(draws, counts),
        4 => networks::cell::<LstmCellConfig, A>(draws, counts),
        5 => networks::cell::<GruCellConfig, A>(draws, counts),
        6 => keras::simple_rnn::<A>(draws, counts),
        7 => keras::lstm::<A>(draws, counts),
        8 => keras::gru::<A>(draws, counts),
        _ => modules::any::<A>(draws, counts),
    }
}

fn calls(seeds: std::ops::Range<u64>) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        let mut draws = Draws::new(seed);
        if draws.one_in(2) {
            some::<f32>(&mut draws, &mut counts);
        } else {
            some::<f64>(&mut draws, &mut counts);
        }
    }
    counts
}

#[test]
fn nothing_panics_and_every_call_works_and_is_refused() {
    let counts = calls(0..100_000);
    counts.expect_both(&NEVER_REFUSED);
    assert!(counts.total() > 150_000, "{counts:?}");
}

#[test]
#[ignore = "half a minute"]
fn nothing_panics_in_millions_of_calls() {
    let counts = calls(1 << 32..(1 << 32) + 1_500_000);
    println!("{} calls: {counts:?}", counts.total());
    counts.expect_both(&NEVER_REFUSED);
}
