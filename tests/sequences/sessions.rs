//! Sessions: steps and chunks that carry their state, saved, restored and reset; and steps of a state that the caller
//! keeps.
//!
//! However a sequence is divided into chunks, the bits are those of the whole.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Arc;
use std::thread;

use ndarray::{Array1, Array2, Array3, Axis, ShapeBuilder, Slice, concatenate};
use ndarray_rnn::io::{StateDict, safetensors};
use ndarray_rnn::{
    Error, GruCellConfig, GruConfig, Lstm, LstmCellConfig, LstmConfig, Recurrent, RecurrentCell, Rnn,
    RnnCellConfig, RnnConfig, Scalar, Session, Stepwise, manual_seed, random,
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

/// Runs a session over chunks of some lengths, each taken step by step or at once.
fn in_chunks<A: Scalar>(
    session: &mut Session<impl Stepwise<Elem = A>>,
    input: &Array3<A>,
    chunks: &[(usize, bool)],
) -> Array3<A> {
    let mut outputs = Vec::new();
    let mut t = 0;
    for &(len, at_once) in chunks.iter().cycle() {
        let end = input.len_of(Axis(0)).min(t + len);
        let chunk = steps(input, t, end);
        if at_once {
            outputs.push(session.chunk(&chunk).unwrap());
        } else {
            let each = chunk.outer_iter().map(|x| session.step(&x).unwrap().to_owned().insert_axis(Axis(0)));
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

/// The planes of a session's state.
fn planes<C: Network, A: Scalar>(session: &Session<&Recurrent<C, A>>) -> Vec<Array3<A>> {
    C::split(session.state()).into_iter().cloned().collect()
}

fn equals_the_whole<C: Network, A: Scalar>(
    config: C,
    shape: (usize, usize, usize),
    chunks: &[(usize, bool)],
) {
    let network = Recurrent::<C, A>::new(config, &mut manual_seed(0)).unwrap();
    let input = uniform(shape, 1);
    let (output, state) = network.forward(&input, None).unwrap();
    let mut session = network.session(shape.1).unwrap();
    assert_eq!(in_chunks(&mut session, &input, chunks), output, "{network}, chunks {chunks:?}");
    assert_eq!(planes(&session), C::split(state));
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

fn cell_sessions<C: Cell, N: Network>() {
    let network = Recurrent::<N, f32>::new(N::of(Shape::new(5, 9)), &mut manual_seed(0)).unwrap();
    let cell = RecurrentCell::<C, f32>::new(C::of(5, 9, true), &mut manual_seed(0)).unwrap();
    let input = uniform((8, 3, 5), 1);
    let mut session = cell.session(3).unwrap();
    assert_eq!(in_chunks(&mut session, &input, &[(1, false)]), network.forward(&input, None).unwrap().0);
}

#[test]
fn a_cell_steps_as_a_network_of_one_layer() {
    cell_sessions::<RnnCellConfig, RnnConfig>();
    cell_sessions::<LstmCellConfig, LstmConfig>();
    cell_sessions::<GruCellConfig, GruConfig>();
}

fn a_saved_state_goes_on_where_it_was_saved<C: Random>() -> TestResult {
    let network = Recurrent::<C, f64>::new(config(3, 4, 2), &mut manual_seed(0))?;
    let input = uniform((6, 2, 3), 1);
    let mut session = network.session(2)?;
    session.chunk(&steps(&input, 0, 3))?;
    let saved = planes(&session);
    let once = session.chunk(&steps(&input, 3, 6))?;
    let mut restored = network.session(2)?;
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
    let mut session = network.session(3)?;
    let before = session.chunk(&steps(&input, 0, 4))?;
    session.reset([1])?;
    for plane in planes(&session) {
        for (n, row) in plane.axis_iter(Axis(1)).enumerate() {
            assert_eq!(row.iter().all(|&x| x == 0.0), n == 1, "sequence {n}");
        }
    }
    let after = session.chunk(&steps(&input, 4, 6))?;
    assert_eq!(concatenate(Axis(0), &[before.view(), after.view()])?, expected);
    assert_eq!(planes(&session), C::split(state));
    Ok(())
}

in_every_kind!(
    every_cut_equals_the_whole,
    a_long_sequence_equals_its_chunks,
    a_saved_state_goes_on_where_it_was_saved,
    a_reset_row_begins_anew_and_leaves_the_others_alone,
    a_bidirectional_network_says_why_it_has_no_session,
    sessions_share_one_network,
    a_session_is_saved_as_bytes,
    a_caller_s_state_may_lie_in_any_way,
);

/// Neither plane is set if the other does not fit.
#[test]
fn a_state_of_two_planes_is_set_whole() -> TestResult {
    let lstm = Lstm::<f32>::new(LstmConfig::new(3, 4).proj_size(2), &mut manual_seed(0))?;
    let mut session = lstm.session(2)?;
    session.step(&Array2::ones((2, 3)))?;
    let before = planes(&session);
    let (h, c) = (Array3::zeros((1, 2, 2)), Array3::zeros((1, 2, 4)));
    let shape = |array: &str, expected, actual| Error::Shape { array: array.into(), expected, actual };
    assert_eq!(session.set_state((&c, &c)).unwrap_err(), shape("h", vec![1, 2, 2], vec![1, 2, 4]));
    assert_eq!(session.set_state((&h, &h)).unwrap_err(), shape("c", vec![1, 2, 4], vec![1, 2, 2]));
    assert_eq!(planes(&session), before);
    session.set_state((&h, &c))?;
    assert_eq!(planes(&session), [h, c]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let rnn = Rnn::<f32>::new(RnnConfig::new(3, 4), &mut manual_seed(0)).unwrap();
    let mut session = rnn.session(2).unwrap();
    session.step(&Array2::ones((2, 3))).unwrap();
    let state = session.state().clone();

    let width = Error::Width { array: "input", size: "input_size", expected: 3, actual: 5 };
    assert_eq!(session.step(&Array2::ones((2, 5))).unwrap_err(), width);
    let batch = session.step(&Array2::ones((7, 3))).unwrap_err();
    assert_eq!(batch, Error::Shape { array: "input".into(), expected: vec![2, 3], actual: vec![7, 3] });
    let empty = Error::EmptySequence { array: "input", shape: vec![0, 2, 3] };
    assert_eq!(session.chunk(&Array3::zeros((0, 2, 3))).unwrap_err(), empty);
    let shape = session.set_state(&Array3::zeros((2, 2, 4))).unwrap_err();
    assert_eq!(shape, Error::Shape { array: "h".into(), expected: vec![1, 2, 4], actual: vec![2, 2, 4] });
    let row = Error::EntryOutOfRange { list: "sequences", index: 1, expected: 0..=1, actual: 2 };
    assert_eq!(session.reset([0, 2]).unwrap_err(), row);

    assert_eq!(session.state(), state);
    assert_eq!(session.step(&Array2::ones((2, 3))).unwrap().dim(), (2, 4));
}

fn a_bidirectional_network_says_why_it_has_no_session<C: Random>() -> TestResult {
    let both = C::of(Shape { bidirectional: true, ..Shape::new(3, 4) });
    let error = Recurrent::<C, f32>::zeros(both)?.session(1).unwrap_err();
    assert!(matches!(error, Error::Unsupported { operation: "session", .. }));
    assert!(error.to_string().contains("begins at the end of a sequence"), "{error}");
    let both = C::of(Shape { bidirectional: true, ..Shape::new(3, 4) });
    let mut state = C::join(|_| Array3::zeros((2, 1, 4)));
    let error = Recurrent::<C, f32>::zeros(both)?.step(&Array2::zeros((1, 3)), &mut state).unwrap_err();
    assert!(matches!(error, Error::Unsupported { operation: "step", .. }));
    Ok(())
}

/// Sessions of one network on several threads, each of other sequences.
fn sessions_share_one_network<C: Random>() -> TestResult {
    struct Sensor<C: Network> {
        session: Session<Arc<Recurrent<C, f32>>>,
    }
    let network = Arc::new(Recurrent::<C, f32>::new(config(3, 4, 2), &mut manual_seed(0))?);
    let sensor = |seed| {
        let mut sensor = Sensor::<C> { session: Session::new(Arc::clone(&network), 2).unwrap() };
        thread::spawn(move || (sensor.session.chunk(&uniform((5, 2, 3), seed)).unwrap(), sensor))
    };
    let sensors: Vec<_> = (0..4).map(|seed| (seed, sensor(seed))).collect();
    for (seed, sensor) in sensors {
        let (output, sensor) = sensor.join().unwrap();
        let (expected, state) = network.forward(&uniform((5, 2, 3), seed), None)?;
        assert_eq!(output, expected);
        assert_eq!(C::split(sensor.session.state()), C::split(state).iter().collect::<Vec<_>>());
    }
    let mut owner = Session::new(Recurrent::clone(&network), 2)?;
    assert_eq!(owner.chunk(&uniform((5, 2, 3), 0))?, network.forward(&uniform((5, 2, 3), 0), None)?.0);
    assert_eq!(owner.network(), &*network);
    Ok(())
}

/// The names are those of torch's two planes; what does not fit is refused by its name.
fn a_session_is_saved_as_bytes<C: Random>() -> TestResult {
    let network = Recurrent::<C, f64>::new(config(3, 4, 2), &mut manual_seed(0))?;
    let mut session = network.session(2)?;
    session.chunk(&uniform((3, 2, 3), 1))?;
    let mut dict = StateDict::new();
    dict.add("", &session)?;
    assert_eq!(dict.names().collect::<Vec<_>>(), C::PLANES);
    let bytes = safetensors::to_bytes(&dict)?;

    let mut restored = network.session(2)?;
    safetensors::from_bytes(&bytes)?.load_into(&mut restored)?;
    assert_eq!(planes(&restored), planes(&session));
    assert_eq!(restored.chunk(&uniform((3, 2, 3), 2))?, session.chunk(&uniform((3, 2, 3), 2))?);

    let error = safetensors::from_bytes(&bytes)?.load_into(&mut network.session(3)?).unwrap_err();
    assert!(matches!(error, Error::Shape { array, .. } if array == C::PLANES[0]));
    let state = serde_json::to_string(&C::split(session.state()))?;
    let state: Vec<Array3<f64>> = serde_json::from_str(&state)?;
    assert_eq!(state, planes(&session));
    Ok(())
}

/// One sequence, columns of zeros before it, or a state of another shape.
fn a_caller_s_state_may_lie_in_any_way<C: Random>() -> TestResult {
    let network = Recurrent::<C, f32>::new(config(3, 4, 2), &mut manual_seed(0))?;
    let widths = network.config().shape().widths::<C>();
    let input = uniform((4, 1, 3), 1);
    let (output, expected) = network.forward(&input, None)?;
    let mut batch = C::join(|i| Array3::zeros((2, 1, widths[i]).f()));
    let mut alone = C::join(|i| Array2::zeros((2, widths[i])));
    for t in 0..4 {
        let (x, expected) = (input.index_axis(Axis(0), t), output.index_axis(Axis(0), t));
        assert_eq!(network.step(&x, &mut batch)?, expected);
        assert_eq!(network.step(&x.row(0), &mut alone)?, expected.row(0));
    }
    let alone = C::split(alone);
    for (plane, expected) in alone.iter().zip(C::split(expected)) {
        assert_eq!(*plane, expected.index_axis(Axis(1), 0));
    }

    let mut narrow =
        C::join(|i| if i + 1 < C::PLANES.len() { alone[i].clone() } else { Array2::ones((2, 9)) });
    let error = network.step(&Array1::zeros(3), &mut narrow).unwrap_err();
    let (last, width) = (C::PLANES.len() - 1, widths[C::PLANES.len() - 1]);
    let array = C::PLANES[last].into();
    assert_eq!(error, Error::Shape { array, expected: vec![2, width], actual: vec![2, 9] });
    let error = network.step(&Array1::zeros(4), &mut narrow).unwrap_err();
    assert_eq!(error, Error::Width { array: "input", size: "input_size", expected: 3, actual: 4 });
    assert_eq!(C::split(narrow)[..last], alone[..last]);
    Ok(())
}
