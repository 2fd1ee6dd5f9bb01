//! Runs words of different lengths through one network: each alone, padded side by side, and packed.
//!
//! ```text
//! cargo run --release --example packed_sequence
//! ```

use std::collections::BTreeSet;
use std::error::Error;

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis};
use ndarray_rnn::{PackedSequence, Packing, Padding, Rnn, RnnConfig, manual_seed, pad_sequence};

const WORDS: [&str; 5] = ["hello", "tigers", "lab", "long", "cube"];

fn main() -> Result<(), Box<dyn Error>> {
    let letters: Vec<_> =
        WORDS.iter().flat_map(|word| word.chars()).collect::<BTreeSet<_>>().into_iter().collect();
    let words = WORDS.map(|word| one_hot(word, &letters));
    let lengths = WORDS.map(str::len);
    println!("Words    {}\nLetters  {}", WORDS.join(", "), line(letters.iter().copied()));

    let padded = pad_sequence(&words, Padding::new(0.0).batch_first(true))?;
    show_padded(&padded, &lengths, &letters);

    let config = RnnConfig::new(letters.len(), 2).batch_first(true);
    let rnn = Rnn::<f32>::new(config, &mut manual_seed(0))?;
    println!("\nrnn = {rnn}");
    let alone = words.iter().map(|word| rnn.forward(word, None)).collect::<Result<Vec<_>, _>>()?;

    // Through the padding too: the state after six steps, whatever the word's length.
    let (_, beyond) = rnn.forward(&padded, None)?;
    // To the end of each word.
    let (last, _) = rnn.run(&padded).lengths(&lengths).last()?;
    show_last(&alone, &beyond, &last);

    let (output, h_n) = rnn.run(&padded).lengths(&lengths).forward()?;
    show_output(&output);

    let packed = PackedSequence::from_sequences(&words)?;
    show_packed(&packed, &letters);
    let packing = Packing::new().batch_first(true).enforce_sorted(false);
    assert_eq!(packed, PackedSequence::from_padded(&padded, &lengths, packing)?);

    let (packed_output, packed_h_n) = rnn.run(&packed).forward()?;
    let (padded_again, same_lengths) = packed_output.to_padded(Padding::new(0.0).batch_first(true))?;
    for (n, (word, (alone, h))) in packed_output.to_sequences()?.iter().zip(&alone).enumerate() {
        assert_eq!(word, alone, "{}: packed and alone", WORDS[n]);
        assert_eq!(last.row(n), alone.row(lengths[n] - 1), "{}: last output", WORDS[n]);
        assert_eq!(h_n.index_axis(Axis(1), n), h, "{}: final state", WORDS[n]);
    }
    assert_eq!((padded_again, packed_h_n), (output.clone(), h_n));
    assert_eq!(same_lengths, lengths);

    // What the padding holds is never read.
    let padded = pad_sequence(&words, Padding::new(f32::NAN).batch_first(true))?;
    assert_eq!(rnn.run(&padded).lengths(&lengths).forward()?.0, output);

    println!("\n4. Equal bit for bit: outputs, last outputs and states of\n");
    println!("   each word alone  =  the padded words with lengths  =  the packed words");
    Ok(())
}

/// A word as rows (letter, alphabet): 1 where the alphabet has the letter.
fn one_hot(word: &str, letters: &[char]) -> Array2<f32> {
    let word: Vec<_> = word.chars().collect();
    Array2::from_shape_fn((word.len(), letters.len()), |(t, i)| f32::from(word[t] == letters[i]))
}

/// The letter of a one-hot row; a dot for a row of zeros.
fn letter(row: ArrayView1<'_, f32>, letters: &[char]) -> char {
    row.iter().position(|&x| x == 1.0).map_or('.', |i| letters[i])
}

fn line(parts: impl Iterator<Item = impl ToString>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(" ")
}

/// Two numbers of a state.
fn pair(state: ArrayView1<'_, f32>) -> String {
    line(state.iter().map(|x| format!("{x:7.4}")))
}

fn show_padded(padded: &Array3<f32>, lengths: &[usize], letters: &[char]) {
    println!("\n1. Padded side by side: (words, steps, letters) = {:?}, lengths {lengths:?}\n", padded.dim());
    println!("   step      {}     mask", line(0..padded.len_of(Axis(1))));
    for ((name, word), &length) in WORDS.iter().zip(padded.outer_iter()).zip(lengths) {
        let mask = line((0..word.nrows()).map(|t| u8::from(t < length)));
        println!("   {name:<10}{}     {mask}", line(word.outer_iter().map(|row| letter(row, letters))));
    }
}

fn show_last(alone: &[(Array2<f32>, Array2<f32>)], beyond: &Array3<f32>, last: &Array2<f32>) {
    println!("\n2. The state after each word's last letter\n");
    println!("   word      alone              padded             padded, with lengths");
    for (n, name) in WORDS.iter().enumerate() {
        let (_, h) = &alone[n];
        let beyond = beyond.index_axis(Axis(0), 0).row(n).to_owned();
        let mark = if beyond == h.row(0) { ' ' } else { '!' };
        println!("   {name:<8}{}  {mark} {}    {}", pair(h.row(0)), pair(beyond.view()), pair(last.row(n)));
    }
    println!("\n   ! ran on through the padding. With lengths, each word ends where it ends;");
    println!("     its outputs (here the first of two numbers) are 0 from there on:\n");
}

fn show_output(output: &Array3<f32>) {
    for (name, word) in WORDS.iter().zip(output.outer_iter()) {
        println!("   {name:<8}{}", line(word.column(0).iter().map(|x| format!("{x:7.4}"))));
    }
}

fn show_packed(packed: &PackedSequence, letters: &[char]) {
    let rows: ArrayView2<'_, f32> = packed.data().view();
    let (steps, batch) = (packed.max_len(), packed.batch());
    println!(
        "\n3. Packed: {} rows instead of {steps} x {batch} = {}, the longest word first\n",
        rows.nrows(),
        steps * batch
    );
    let order = packed.sorted_indices().unwrap_or_default();
    println!("   sorted_indices    {order:?}  {}", line(order.iter().map(|&n| WORDS[n])));
    println!("   unsorted_indices  {:?}\n", packed.unsorted_indices().unwrap_or_default());
    println!("   step  batch_size  data");
    let mut rows = rows.outer_iter();
    for (t, &size) in packed.batch_sizes().iter().enumerate() {
        let step = line(rows.by_ref().take(size).map(|row| letter(row, letters)));
        println!("   {t:<6}{size:<12}{step}");
    }
}
