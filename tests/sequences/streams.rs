//! Streams: steps and chunks that carry their state, saved, restored and reset.
//!
//! However a sequence is divided into chunks, the bits are those of the whole.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array2, Array3, Axis, Slice, concatenate};
use ndarray_rnn::{
    Error, GruCellConfig, GruConfig, Kind, Lstm, LstmCellConfig, LstmConfig, Recurrent, RecurrentCell, Rnn,
    RnnCellConfig, RnnConfig, Scalar, Stream, manual_seed, random,
};
use proptest::prelude::*;

use crate::case::{Random, in_every_kind};
use crate::common::TestResult;
use crate::common::kinds::{Cell, Network, Shape};
use crate::common::setup::for_all;

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

/// A network of layers that project, if its kind can.
fn config<C: Network>(input_size: usize, hidden_size: usize, num_layers: usize) -> C {
    C::of(Shape { num_layers, proj_size: hidden_size / 2, ..Shape::new(input_size, hidden_size) })
}

/// The planes of a stream's state.
fn planes<C: Network, A: Scalar>(stream: &Stream<'_, C, A>) -> Vec<Array3<A>> {
    C::split(stream.state()).into_iter().cloned().collect()
}

fn equals_the_whole<C: Network, A: Scalar>(
    config: C,
    shape: (usize, usize, usize),
    chunks: &[(usize, bool)],
) {
    let network = Recurrent::<C, A>::new(config, &mut manual_seed(0)).unwrap();
    let input = uniform(shape, 1);
    let (output, state) = network.forward(&input, None).unwrap();
    let mut stream = network.stream(shape.1).unwrap();
    assert_eq!(in_chunks(&mut stream, &input, chunks), output, "{network}, chunks {chunks:?}");
    assert_eq!(planes(&stream), C::split(state));
}

fn every_cut_equals_the_whole<C: Random>() -> TestResult {
    let shapes = (1_usize..30, 0_usize..7);
    let chunks = prop::collection::vec((1_usize..8, any::<bool>()), 1..6);
    for_all(64, (C::configs(), shapes, chunks), |(config, (len, batch), chunks)| {
        let config = C::of(Shape { bidirectional: false, batch_first: false, ..config.shape() });
        let shape = (len, batch, config.shape().input_size);
        equals_the_whole::<C, f32>(config.clone(), shape, &chunks);
        equals_the_whole::<C, f64>(config, shape, &chunks);
        Ok(())
    })
}

/// More rows than pass through the layers together, so that the whole is itself divided inside.
fn a_long_sequence_equals_its_chunks<C: Random>() -> TestResult {
    for chunk in [1, 2, 5, 64, 1000] {
        equals_the_whole::<C, f32>(config(6, 33, 3), (700, 2, 6), &[(chunk, true)]);
    }
    Ok(())
}

fn cell_streams<C: Cell, N: Network>() {
    let network = Recurrent::<N, f32>::new(N::of(Shape::new(5, 9)), &mut manual_seed(0)).unwrap();
    let cell = RecurrentCell::<C, f32>::new(C::of(5, 9, true), &mut manual_seed(0)).unwrap();
    let input = uniform((8, 3, 5), 1);
    let mut stream = cell.stream(3).unwrap();
    assert_eq!(in_chunks(&mut stream, &input, &[(1, false)]), network.forward(&input, None).unwrap().0);
}

#[test]
fn a_cell_streams_as_a_network_of_one_layer() {
    cell_streams::<RnnCellConfig, RnnConfig>();
    cell_streams::<LstmCellConfig, LstmConfig>();
    cell_streams::<GruCellConfig, GruConfig>();
}

fn a_saved_state_goes_on_where_it_was_saved<C: Random>() -> TestResult {
    let network = Recurrent::<C, f64>::new(config(3, 4, 2), &mut manual_seed(0))?;
    let input = uniform((6, 2, 3), 1);
    let mut stream = network.stream(2)?;
    stream.chunk(&steps(&input, 0, 3))?;
    let saved = planes(&stream);
    let once = stream.chunk(&steps(&input, 3, 6))?;
    let mut restored = network.stream(2)?;
    restored.set_state(C::lend(&saved))?;
    assert_eq!(planes(&restored), saved);
    assert_eq!(restored.chunk(&steps(&input, 3, 6))?, once);
    Ok(())
}

fn a_reset_row_begins_anew_and_leaves_the_others_alone<C: Random>() -> TestResult {
    let network = Recurrent::<C, f32>::new(config(3, 4, 2), &mut manual_seed(0))?;
    let input = uniform((6, 3, 3), 1);
    let mut mask = Array2::from_elem((6, 3), false);
    mask[[4, 1]] = true;
    let (expected, state) = network.run(&input).resets(&mask).forward()?;
    let mut stream = network.stream(3)?;
    let before = stream.chunk(&steps(&input, 0, 4))?;
    stream.reset([1])?;
    for plane in planes(&stream) {
        for (n, row) in plane.axis_iter(Axis(1)).enumerate() {
            assert_eq!(row.iter().all(|&x| x == 0.0), n == 1, "sequence {n}");
        }
    }
    let after = stream.chunk(&steps(&input, 4, 6))?;
    assert_eq!(concatenate(Axis(0), &[before.view(), after.view()])?, expected);
    assert_eq!(planes(&stream), C::split(state));
    Ok(())
}

in_every_kind!(
    every_cut_equals_the_whole,
    a_long_sequence_equals_its_chunks,
    a_saved_state_goes_on_where_it_was_saved,
    a_reset_row_begins_anew_and_leaves_the_others_alone,
    a_bidirectional_network_says_why_it_cannot_stream,
);

/// Neither plane is set if the other does not fit.
#[test]
fn a_state_of_two_planes_is_set_whole() -> TestResult {
    let lstm = Lstm::<f32>::new(LstmConfig::new(3, 4).proj_size(2), &mut manual_seed(0))?;
    let mut stream = lstm.stream(2)?;
    stream.step(&Array2::ones((2, 3)))?;
    let before = planes(&stream);
    let (h, c) = (Array3::zeros((1, 2, 2)), Array3::zeros((1, 2, 4)));
    let shape = |array: &str, expected, actual| Error::Shape { array: array.into(), expected, actual };
    assert_eq!(stream.set_state((&c, &c)).unwrap_err(), shape("h", vec![1, 2, 2], vec![1, 2, 4]));
    assert_eq!(stream.set_state((&h, &h)).unwrap_err(), shape("c", vec![1, 2, 4], vec![1, 2, 2]));
    assert_eq!(planes(&stream), before);
    stream.set_state((&h, &c))?;
    assert_eq!(planes(&stream), [h, c]);
    Ok(())
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

fn a_bidirectional_network_says_why_it_cannot_stream<C: Random>() -> TestResult {
    let both = C::of(Shape { bidirectional: true, ..Shape::new(3, 4) });
    let error = Recurrent::<C, f32>::zeros(both)?.stream(1).unwrap_err();
    assert!(matches!(error, Error::Unsupported { operation: "stream", .. }));
    assert!(error.to_string().contains("begins at the end of a sequence"), "{error}");
    Ok(())
}
