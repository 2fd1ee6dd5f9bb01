//! Streams: steps and chunks that carry their state, saved, restored and reset.
//!
//! However a sequence is divided into chunks, the bits are those of the whole.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array2, Array3, Axis, Slice, concatenate};
use ndarray_rnn::{
    Error, Kind, Nonlinearity, Rnn, RnnCell, RnnCellConfig, RnnConfig, Scalar, Stream, manual_seed, random,
};
use proptest::prelude::*;

fn uniform<A: Scalar>(shape: (usize, usize, usize), seed: u64) -> Array3<A> {
    let mut array = Array3::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed)).unwrap();
    array
}

fn steps<A: Scalar>(input: &Array3<A>, from: usize, to: usize) -> Array3<A> {
    input.slice_axis(Axis(0), Slice::from(from..to)).to_owned()
}

/// Runs a stream over chunks of some lengths, each taken step by step or at once.
fn in_chunks<A: Scalar>(
    stream: &mut Stream<'_, impl Kind, A>,
    input: &Array3<A>,
    chunks: &[(usize, bool)],
) -> Array3<A> {
    let mut outputs = Vec::new();
    let mut t = 0;
    for &(len, at_once) in chunks.iter().cycle() {
        let end = input.len_of(Axis(0)).min(t + len);
        let chunk = steps(input, t, end);
        if at_once {
            outputs.push(stream.chunk(&chunk).unwrap());
        } else {
            let each = chunk.outer_iter().map(|x| stream.step(&x).unwrap().to_owned().insert_axis(Axis(0)));
            outputs.extend(each);
        }
        t = end;
        if t == input.len_of(Axis(0)) {
            break;
        }
    }
    concatenate(Axis(0), &outputs.iter().map(|output| output.view()).collect::<Vec<_>>()).unwrap()
}

fn equals_the_whole<A: Scalar>(config: RnnConfig, shape: (usize, usize, usize), chunks: &[(usize, bool)]) {
    let rnn = Rnn::<A>::new(config, &mut manual_seed(0)).unwrap();
    let input = uniform(shape, 1);
    let (output, h_n) = rnn.forward(&input, None).unwrap();
    let mut stream = rnn.stream(shape.1).unwrap();
    assert_eq!(in_chunks(&mut stream, &input, chunks), output, "{rnn}, chunks {chunks:?}");
    assert_eq!(stream.state(), h_n);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_cut_equals_the_whole(
        sizes in (1_usize..20, 1_usize..40),
        layers in 1_usize..4,
        shape in (1_usize..30, 0_usize..7),
        relu: bool,
        chunks in prop::collection::vec((1_usize..8, any::<bool>()), 1..6),
    ) {
        let nonlinearity = if relu { Nonlinearity::Relu } else { Nonlinearity::Tanh };
        let config = RnnConfig::new(sizes.0, sizes.1).num_layers(layers).nonlinearity(nonlinearity);
        let shape = (shape.0, shape.1, sizes.0);
        equals_the_whole::<f32>(config.clone(), shape, &chunks);
        equals_the_whole::<f64>(config, shape, &chunks);
    }
}

/// More rows than pass through the layers together, so that the whole is itself divided inside.
#[test]
fn a_long_sequence_equals_its_chunks() {
    let config = RnnConfig::new(6, 33).num_layers(3);
    for chunk in [1, 2, 5, 64, 1000] {
        equals_the_whole::<f32>(config.clone(), (700, 2, 6), &[(chunk, true)]);
    }
}

#[test]
fn a_cell_streams_as_a_network_of_one_layer() {
    let rnn = Rnn::<f32>::new(RnnConfig::new(5, 9), &mut manual_seed(0)).unwrap();
    let cell = RnnCell::new(RnnCellConfig::new(5, 9), &mut manual_seed(0)).unwrap();
    let input = uniform((8, 3, 5), 1);
    let mut stream = cell.stream(3).unwrap();
    assert_eq!(in_chunks(&mut stream, &input, &[(1, false)]), rnn.forward(&input, None).unwrap().0);
}

#[test]
fn a_saved_state_goes_on_where_it_was_saved() {
    let rnn = Rnn::<f64>::new(RnnConfig::new(3, 4).num_layers(2), &mut manual_seed(0)).unwrap();
    let input = uniform((6, 2, 3), 1);
    let mut stream = rnn.stream(2).unwrap();
    stream.chunk(&steps(&input, 0, 3)).unwrap();
    let saved = stream.state().clone();
    let once = stream.chunk(&steps(&input, 3, 6)).unwrap();
    let mut restored = rnn.stream(2).unwrap();
    restored.set_state(&saved).unwrap();
    assert_eq!(restored.chunk(&steps(&input, 3, 6)).unwrap(), once);
}

#[test]
fn a_reset_row_begins_anew_and_leaves_the_others_alone() {
    let rnn = Rnn::<f32>::new(RnnConfig::new(3, 4).num_layers(2), &mut manual_seed(0)).unwrap();
    let input = uniform((6, 3, 3), 1);
    let mut mask = Array2::from_elem((6, 3), false);
    mask[[4, 1]] = true;
    let (expected, h_n) = rnn.run(&input).resets(&mask).forward().unwrap();
    let mut stream = rnn.stream(3).unwrap();
    let before = stream.chunk(&steps(&input, 0, 4)).unwrap();
    stream.reset([1]).unwrap();
    let after = stream.chunk(&steps(&input, 4, 6)).unwrap();
    assert_eq!(concatenate(Axis(0), &[before.view(), after.view()]).unwrap(), expected);
    assert_eq!(stream.state(), h_n);
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let rnn = Rnn::<f32>::new(RnnConfig::new(3, 4), &mut manual_seed(0)).unwrap();
    let mut stream = rnn.stream(2).unwrap();
    stream.step(&Array2::ones((2, 3))).unwrap();
    let state = stream.state().clone();

    let width = Error::Width { array: "input", size: "input_size", expected: 3, actual: 5 };
    assert_eq!(stream.step(&Array2::ones((2, 5))).unwrap_err(), width);
    let batch = stream.step(&Array2::ones((7, 3))).unwrap_err();
    assert_eq!(batch, Error::Shape { array: "input".into(), expected: vec![2, 3], actual: vec![7, 3] });
    let empty = Error::EmptySequence { array: "input", shape: vec![0, 2, 3] };
    assert_eq!(stream.chunk(&Array3::zeros((0, 2, 3))).unwrap_err(), empty);
    let shape = stream.set_state(&Array3::zeros((2, 2, 4))).unwrap_err();
    assert_eq!(shape, Error::Shape { array: "h".into(), expected: vec![1, 2, 4], actual: vec![2, 2, 4] });
    let row = Error::EntryOutOfRange { list: "sequences", index: 1, expected: 0..=1, actual: 2 };
    assert_eq!(stream.reset([0, 2]).unwrap_err(), row);

    assert_eq!(stream.state(), state);
    assert_eq!(stream.step(&Array2::ones((2, 3))).unwrap().dim(), (2, 4));
}

#[test]
fn a_bidirectional_network_says_why_it_cannot_stream() {
    let rnn = Rnn::<f32>::zeros(RnnConfig::new(3, 4).bidirectional(true)).unwrap();
    let error = rnn.stream(1).unwrap_err();
    assert!(matches!(error, Error::Unsupported { operation: "stream", .. }));
    assert!(error.to_string().contains("begins at the end of a sequence"), "{error}");
}
