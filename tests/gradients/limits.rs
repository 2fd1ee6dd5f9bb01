//! The limits: nothing to run over, padding that is not read, and what a caller gets wrong.

use ndarray::{Array2, Array3, ArrayRef, Axis, Ix2, Ix3};
use ndarray_rnn::{
    Error, PackedSequence, Packing, Parameters, RecurrentParameters, Result, Rnn, RnnConfig, Sequences,
    Trace, manual_seed,
};

use crate::common::shape_error;
use crate::problem::{Options, Problem, TestResult, expect_same, named};

fn config() -> RnnConfig {
    RnnConfig::new(3, 4).num_layers(2).bidirectional(true)
}

/// The result of the way back. With the gradients of everything and of the parameters alone it is the same.
fn backward<I: Sequences<f32> + ?Sized, O>(
    rnn: &Rnn<f32>,
    trace: &Trace<RnnConfig, f32, O>,
    d_output: &I,
    d_h_n: Option<&ArrayRef<f32, I::Dim>>,
) -> Result<RecurrentParameters<f32>> {
    let whole = rnn.backward(trace, d_output, d_h_n).map(|gradients| gradients.parameters);
    assert_eq!(rnn.backward_parameters(trace, d_output, d_h_n), whole);
    whole
}

/// The trace of a pass over packed sequences of 3, 5 and 1 steps.
fn packed_trace(rnn: &Rnn<f32>) -> TestResult<Trace<RnnConfig, f32, PackedSequence<f32>>> {
    let padded = Array3::zeros((5, 3, rnn.config().input_size));
    let packed = PackedSequence::from_padded(&padded, &[3, 5, 1], Packing::new().enforce_sorted(false))?;
    Ok(rnn.run(&packed).forward_train(&mut manual_seed(0))?.2)
}

#[test]
fn no_sequences_have_empty_gradients_and_zeros() -> TestResult {
    for batch_first in [false, true] {
        let config = config().batch_first(batch_first).dropout(0.5);
        let options = Options::new(config, 5, 0);
        for options in [options.clone(), options.with_everything()] {
            let gradients = options.problem::<f64, Ix3>()?.gradients()?;
            assert_eq!(gradients.input.dim(), if batch_first { (0, 5, 3) } else { (5, 0, 3) });
            assert_eq!(gradients.state.dim(), (4, 0, 4));
            assert!(named(&gradients).iter().all(|(_, gradient)| gradient.iter().all(|&x| x == 0.0)));
        }
    }
    Ok(())
}

/// A sequence of no steps hands the gradient of h_n on, as that of its h_0.
#[test]
fn a_sequence_of_no_steps_passes_its_state_on() -> TestResult {
    let options = Options { h_0: true, d_h_n: true, resets: true, ..Options::new(config(), 4, 4) };
    for lengths in [[0, 3, 0, 4], [0; 4]] {
        let problem = Problem { lengths: Some(lengths.into()), ..options.problem::<f64, Ix3>()? };
        let gradients = problem.gradients()?;
        let d_h_n = problem.d_h_n.as_ref().ok_or("given")?;
        for (n, _) in lengths.iter().enumerate().filter(|&(_, &length)| length == 0) {
            assert_eq!(gradients.state.index_axis(Axis(1), n), d_h_n.index_axis(Axis(1), n), "{lengths:?}");
            assert!(gradients.input.index_axis(Axis(1), n).iter().all(|&x| x == 0.0));
        }
        if lengths == [0; 4] {
            let parameters = gradients.parameters.named_parameters();
            assert!(parameters.iter().all(|(_, gradient)| gradient.iter().all(|&x| x == 0.0)));
        }
    }
    Ok(())
}

/// Padding is read neither in the input nor in the cotangent. There are no resets in it.
#[test]
fn padding_is_not_read() -> TestResult {
    let lengths = [2, 0, 6, 5, 1];
    let problem = Options::new(config().dropout(0.4), 6, 5).with_everything().problem::<f64, Ix3>()?;
    let clean = Problem { lengths: Some(lengths.into()), ..problem };
    let mut dirty = clean.clone();
    for (n, &length) in lengths.iter().enumerate() {
        for t in length..6 {
            let row = |array: &mut Array3<f64>| array.index_axis_mut(Axis(0), t).row_mut(n).fill(f64::NAN);
            row(&mut dirty.input);
            row(&mut dirty.d_output);
            dirty.resets.iter_mut().for_each(|resets| resets[[t, n]] = !resets[[t, n]]);
        }
    }
    let gradients = dirty.gradients()?;
    assert!(named(&gradients).iter().all(|(_, gradient)| gradient.iter().all(|x| x.is_finite())));
    expect_same(&gradients, &clean.gradients()?, "NaN in the padding");
    Ok(())
}

/// Nothing is drawn, and the last layer does not depend on the input.
#[test]
fn dropout_of_everything_is_zeros() -> TestResult {
    let problem = Options::new(config().num_layers(3).dropout(1.0), 5, 2).problem::<f64, Ix3>()?;
    let mut rng = manual_seed(7);
    let (output, _, trace) = problem.rnn.forward_train(&problem.input, None, &mut rng)?;
    assert_eq!(rng, manual_seed(7));
    let (of_zeros, _, _) = problem.rnn.forward_train(&Array3::zeros((5, 2, 3)), None, &mut rng)?;
    assert_eq!(output, of_zeros);
    let gradients = problem.backward(&trace)?;
    let is_top = |name: &str| name.contains("_l2") && !name.contains("weight_ih");
    for (name, gradient) in named(&gradients) {
        let is_zero = gradient.iter().all(|&x| x == 0.0);
        assert_eq!(is_zero, !is_top(&name) && name != "h_0", "{name}");
        assert!(gradient.iter().all(|x| x.is_finite()), "{name}");
    }
    Ok(())
}

#[test]
fn cotangents_of_another_shape_are_errors() -> TestResult {
    let problem = Options::new(config().batch_first(true), 5, 2).problem::<f32, Ix3>()?;
    let rnn = problem.rnn.clone();
    let (_, _, trace) = problem.forward()?;
    let backward = |d_output: [usize; 3], d_h_n: [usize; 3]| {
        backward(&rnn, &trace, &Array3::zeros(d_output), Some(&Array3::zeros(d_h_n)))
    };
    assert!(backward([2, 5, 8], [4, 2, 4]).is_ok());
    for shape in [[5, 2, 8], [2, 4, 8], [2, 6, 8], [3, 5, 8], [0, 5, 8], [2, 5, 4], [1, 10, 8]] {
        assert_eq!(backward(shape, [4, 2, 4]), Err(shape_error("d_output", &[2, 5, 8], &shape)));
    }
    for shape in [[2, 4, 4], [4, 1, 4], [4, 2, 3], [2, 2, 4], [4, 0, 4]] {
        assert_eq!(backward([2, 5, 8], shape), Err(shape_error("d_h_n", &[4, 2, 4], &shape)));
    }
    assert_eq!(rnn, problem.rnn);
    Ok(())
}

#[test]
fn cotangents_of_one_sequence_of_another_shape_are_errors() -> TestResult {
    let problem = Options::new(config(), 5, 1).problem::<f32, Ix2>()?;
    let (_, _, trace) = problem.forward()?;
    let backward = |d_output: [usize; 2], d_h_n: [usize; 2]| {
        backward(&problem.rnn, &trace, &Array2::zeros(d_output), Some(&Array2::zeros(d_h_n)))
    };
    assert!(backward([5, 8], [4, 4]).is_ok());
    assert_eq!(backward([4, 8], [4, 4]), Err(shape_error("d_output", &[5, 8], &[4, 8])));
    assert_eq!(backward([5, 8], [2, 4]), Err(shape_error("d_h_n", &[4, 4], &[2, 4])));
    Ok(())
}

/// Zeros of so many columns, packed as sequences of these lengths.
fn packed_zeros(lengths: &[usize], columns: usize, enforce_sorted: bool) -> TestResult<PackedSequence<f32>> {
    let padded = Array3::zeros((5, lengths.len(), columns));
    Ok(PackedSequence::from_padded(&padded, lengths, Packing::new().enforce_sorted(enforce_sorted))?)
}

#[test]
fn packed_cotangents_of_another_shape_are_errors() -> TestResult {
    let rnn = Rnn::zeros(config())?;
    let trace = packed_trace(&rnn)?;
    let backward = |d_output: &PackedSequence<f32>, d_h_n: [usize; 3]| {
        backward(&rnn, &trace, d_output, Some(&Array3::zeros(d_h_n)))
    };
    let fitting = packed_zeros(&[3, 5, 1], 8, false)?;
    assert!(backward(&fitting, [4, 3, 4]).is_ok());
    for columns in [4, 9] {
        let error = shape_error("d_output", &[9, 8], &[9, columns]);
        assert_eq!(backward(&packed_zeros(&[3, 5, 1], columns, false)?, [4, 3, 4]), Err(error));
    }
    let error = shape_error("d_output's batch_sizes", &[3, 2, 2, 1, 1], &[3, 3, 1, 1, 1]);
    assert_eq!(backward(&packed_zeros(&[2, 5, 2], 8, false)?, [4, 3, 4]), Err(error));
    for other in [packed_zeros(&[1, 5, 3], 8, false)?, packed_zeros(&[5, 3, 1], 8, true)?] {
        let error = backward(&other, [4, 3, 4]).err();
        assert!(matches!(error, Some(Error::Unsupported { operation: "backward", .. })), "{error:?}");
    }
    for shape in [[2, 3, 4], [4, 1, 4], [4, 5, 4], [4, 0, 4], [4, 3, 3], [3, 4, 4]] {
        assert_eq!(backward(&fitting, shape), Err(shape_error("d_h_n", &[4, 3, 4], &shape)));
    }
    Ok(())
}

/// The cotangent of one sequence does not fit a batch. The cotangent of a batch of one fits one sequence.
#[test]
fn cotangents_of_one_sequence_do_not_fit_a_batch() -> TestResult {
    for batch in [0, 2, 3] {
        let problem = Options::new(config(), 5, batch).problem::<f32, Ix3>()?;
        let (_, _, trace) = problem.forward()?;
        let result = backward(&problem.rnn, &trace, &Array2::zeros((5, 8)), None);
        assert_eq!(result, Err(Error::Rank { array: "d_output", expected: 3, actual: 2 }));
    }
    let problem = Options::new(config(), 5, 1).problem::<f32, Ix2>()?;
    let d_output = problem.d_output.clone().insert_axis(Axis(1));
    let (_, _, trace) = problem.forward()?;
    let batch = problem.rnn.backward(&trace, &d_output, None)?;
    assert_eq!(batch.input.index_axis_move(Axis(1), 0), problem.backward(&trace)?.input);
    Ok(())
}

#[test]
fn a_trace_of_another_network_is_an_error() -> TestResult {
    let problem = Options::new(config(), 5, 3).problem::<f32, Ix3>()?;
    let (padded_trace, packed_trace) = (problem.forward()?.2, packed_trace(&problem.rnn)?);
    let others = [
        RnnConfig::new(3, 5).num_layers(2).bidirectional(true),
        RnnConfig::new(4, 4).num_layers(2).bidirectional(true),
        config().num_layers(1),
        config().bidirectional(false),
        config().bias(false),
        config().batch_first(true),
        config().dropout(0.5),
        config().nonlinearity(ndarray_rnn::Nonlinearity::Relu),
    ];
    for other in others {
        let Problem { rnn, d_output, .. } = Options::new(other, 5, 3).problem::<f32, Ix3>()?;
        let before = rnn.clone();
        let packed = packed_zeros(&[3, 5, 1], rnn.config().output_size(), false)?;
        let (expected, actual) = (rnn.to_string(), problem.rnn.to_string());
        let foreign = Err(Error::ForeignTrace { expected, actual });
        assert_eq!(backward(&rnn, &padded_trace, &d_output, None), foreign);
        assert_eq!(backward(&rnn, &padded_trace, &packed, None), foreign);
        assert_eq!(backward(&rnn, &packed_trace, &d_output, None), foreign);
        assert_eq!(backward(&rnn, &packed_trace, &packed, None), foreign);
        assert_eq!(rnn, before);
    }
    Ok(())
}

/// A trace serves the network that made it and its clones, until their parameters may change.
#[test]
fn a_trace_of_other_parameters_is_an_error() -> TestResult {
    let mut problem = Options::new(config(), 5, 2).problem::<f32, Ix3>()?;
    let (output, _, trace) = problem.forward()?;
    let before = problem.backward(&trace)?;
    let clone = problem.rnn.clone();
    assert_eq!(clone.backward(&trace, &problem.d_output, problem.d_h_n.as_deref())?, before);

    let twin = Options::new(config(), 5, 2).problem::<f32, Ix3>()?;
    assert_eq!(twin.rnn, problem.rnn);
    assert_eq!(twin.backward(&trace), Err(Error::StaleTrace));

    problem.rnn.named_parameters_mut()[0].1.fill(0.5);
    assert_eq!(problem.backward(&trace), Err(Error::StaleTrace));
    let parameters = problem.rnn.backward_parameters(&trace, &output, None);
    assert_eq!(parameters, Err(Error::StaleTrace));
    assert_eq!(clone.backward(&trace, &problem.d_output, problem.d_h_n.as_deref())?, before);
    let (_, _, trace) = problem.forward()?;
    assert!(problem.backward(&trace).is_ok());
    Ok(())
}
