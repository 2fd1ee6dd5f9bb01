//! NaN, infinities and signed zeros go the way of IEEE 754.
//!
//! A NaN in one sequence's input spoils that sequence's outputs from its step on, or in reverse up to its step. It
//! changes no bit of another sequence, although sequences share tiles and vectors. Infinities saturate tanh.

use crate::common::oracle::tanh_of_cell;
use crate::common::setup::{Run, Setup, for_setups};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types, same_bits, ulps};
use ndarray::{Array1, Array2, Array3, Axis, arr1};
use ndarray_rnn::{Direction, Nonlinearity, Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, manual_seed};

/// What a run returned, time first, and the place of its input that was spoilt.
struct Spoilt<A: Real> {
    run: Run<A>,
    clean: [Array3<A>; 2],
    spoilt: [Array3<A>; 2],
    t: usize,
    n: usize,
    k: usize,
}

/// Runs a setup that has sequences twice: as it is, and with another value in one place somewhere in the middle.
fn spoil<A: Real>(setup: &Setup, value: A) -> TestResult<Spoilt<A>> {
    let mut run = setup.draw::<A>()?;
    let seed = setup.seed as usize;
    let [t, n, k] = [seed % setup.len, seed / 7 % setup.batch, seed / 11 % setup.config.input_size];
    let results = |run: &Run<A>| {
        let (output, h_n) = run.forward()?;
        TestResult::Ok([setup.time_major(&output).to_owned(), h_n])
    };
    let clean = results(&run)?;
    run.input[if setup.config.batch_first { [n, t, k] } else { [t, n, k] }] = value;
    let spoilt = results(&run)?;
    Ok(Spoilt { run, clean, spoilt, t, n, k })
}

/// All sequences but the `n`-th.
fn others<A: Real>(array: &Array3<A>, n: usize) -> Array3<A> {
    let others: Vec<_> = (0..array.len_of(Axis(1))).filter(|&other| other != n).collect();
    array.select(Axis(1), &others)
}

/// Checks where NaN is. `poisoned` says where it should be: at a step and direction, or in a final state.
fn expect_nan<A: Real>(setup: &Setup, poisoned: impl Fn(usize, usize, usize) -> bool) -> TestResult {
    let Spoilt { clean, spoilt, t, n, .. } = spoil::<A>(setup, A::nan())?;
    let [output, h_n] = &spoilt;
    for (clean, spoilt) in clean.iter().zip(&spoilt) {
        assert_same_bits(&others(spoilt, n), &others(clean, n), "the other sequences");
    }
    let hidden = setup.config.hidden_size;
    for ((s, j), &value) in output.index_axis(Axis(1), n).indexed_iter() {
        if poisoned(s, t, j / hidden) {
            assert!(value.is_nan(), "{value} at step {s}, unit {j}; NaN came at {t}");
        } else {
            assert!(same_bits(value, clean[0][[s, n, j]]), "{value} at step {s}, unit {j}; NaN came at {t}");
        }
    }
    assert!(h_n.index_axis(Axis(1), n).iter().all(|h| h.is_nan()), "the final states");
    Ok(())
}

/// In one direction every layer is spoilt from the step on.
fn nan_forwards<A: Real>() -> TestResult {
    for_setups(60, |setup| {
        let setup = setup.unidirectional();
        if setup.batch == 0 { Ok(()) } else { expect_nan::<A>(&setup, |s, t, _| s >= t) }
    })
}

/// In both directions one layer is spoilt from the step on and up to the step, and the layers above it everywhere.
fn nan_in_both_directions<A: Real>() -> TestResult {
    for_setups(60, |setup| {
        let one = setup.config.num_layers == 1;
        let setup = Setup { config: setup.config.clone().bidirectional(true), ..setup.clone() };
        let poisoned = |s, t, direction| !one || if direction == 0 { s >= t } else { s <= t };
        if setup.batch == 0 { Ok(()) } else { expect_nan::<A>(&setup, poisoned) }
    })
}

/// A NaN in the first state spoils its own sequence and nothing else.
fn nan_in_the_first_state<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let setup = Setup { h_0: true, ..setup.unidirectional() };
        let mut run = setup.draw::<A>()?;
        let (clean, _) = run.forward()?;
        let n = setup.batch / 2;
        if let Some(h_0) = run.h_0.as_mut().filter(|_| setup.batch > 0) {
            h_0[[0, n, 0]] = A::nan();
            let (spoilt, _) = run.forward()?;
            let [clean, spoilt] = [clean, spoilt].map(|output| setup.time_major(&output).to_owned());
            assert_same_bits(&others(&spoilt, n), &others(&clean, n), "the other sequences");
            assert!(spoilt.index_axis(Axis(1), n).iter().all(|h| h.is_nan()));
        }
        Ok(())
    })
}

/// An infinite input makes every tanh of its step 1 with the sign of its weight, and makes nothing infinite or
/// NaN.
fn infinity_saturates_tanh<A: Real>() -> TestResult {
    for_setups(60, |setup| {
        let config = setup.unidirectional().config.num_layers(1).nonlinearity(Nonlinearity::Tanh);
        let setup = Setup { config, ..setup.clone() };
        for infinity in [A::infinity(), A::neg_infinity()].into_iter().filter(|_| setup.batch > 0) {
            let Spoilt { run, clean, spoilt, t, n, k } = spoil(&setup, infinity)?;
            assert_same_bits(&others(&spoilt[0], n), &others(&clean[0], n), "the other sequences");
            let weight = run.rnn.parameters().weight_ih(0, Direction::Forward).ok_or("no weight")?;
            let expected = weight.column(k).mapv(|w| (w * infinity).signum());
            let step = spoilt[0].index_axis(Axis(0), t).index_axis(Axis(0), n).to_owned();
            assert_same_bits(&step, &expected, "the infinite step");
            assert!(spoilt[0].iter().all(|h| h.abs() <= A::one()), "later steps");
        }
        Ok(())
    })
}

/// relu of infinity is infinity; relu of minus infinity is zero.
#[test]
fn infinity_passes_relu() -> TestResult {
    let mut rnn = Rnn::<f32>::zeros(RnnConfig::new(2, 2).nonlinearity(Nonlinearity::Relu))?;
    rnn.load_state_dict([
        ("weight_ih_l0", arr1(&[1.0, 1.0, -1.0, 1.0]).into_shape_with_order((2, 2))?.into_dyn()),
        ("weight_hh_l0", Array2::zeros((2, 2)).into_dyn()),
        ("bias_ih_l0", Array1::zeros(2).into_dyn()),
        ("bias_hh_l0", Array1::zeros(2).into_dyn()),
    ])?;
    let input = Array2::from_shape_vec((1, 2), vec![f32::INFINITY, 5.0])?;
    let (output, _) = rnn.forward(&input, None)?;
    assert_eq!(output.into_raw_vec_and_offset().0, [f32::INFINITY, 0.0]);
    Ok(())
}

/// A cell of one unit that adds nothing, so that it returns its activation.
fn relu_of_cell<A: Real>(x: A) -> TestResult<A> {
    let config = RnnCellConfig::new(1, 1).nonlinearity(Nonlinearity::Relu);
    let mut cell = RnnCell::<A>::new(config, &mut manual_seed(0))?;
    for (name, mut value) in cell.named_parameters_mut() {
        value.fill(if name == "weight_ih" { A::one() } else { -A::zero() });
    }
    Ok(cell.forward(&arr1(&[x]), None)?[0])
}

fn activations_of_special_values<A: Real>() -> TestResult {
    let (zero, one, infinity) = (A::zero(), A::one(), A::infinity());
    let least = A::min_positive_value() * A::epsilon();
    assert!(least > zero, "the least subnormal number");
    let tanh =
        [(infinity, one), (-infinity, -one), (zero, zero), (-zero, -zero), (least, least), (-least, -least)];
    for (x, expected) in tanh.into_iter().chain([(A::max_value(), one), (A::min_value(), -one)]) {
        let actual = tanh_of_cell(x)?;
        assert!(same_bits(actual, expected), "tanh({x:e}) = {actual:e}, not {expected:e}");
    }
    let relu = [(infinity, infinity), (-infinity, zero), (-zero, zero), (least, least), (-least, zero)];
    for (x, expected) in relu {
        let actual = relu_of_cell(x)?;
        assert!(same_bits(actual, expected), "relu({x:e}) = {actual:e}, not {expected:e}");
    }
    assert!(tanh_of_cell(A::nan())?.is_nan() && relu_of_cell(A::nan())?.is_nan());
    Ok(())
}

/// Compares tanh of many values at once, through one unit, with std's.
fn tanh_of_many_values<A: Real>() -> TestResult {
    #[allow(clippy::disallowed_methods, reason = "the value to compare with")]
    fn std_tanh(x: f64) -> f64 {
        x.tanh()
    }
    let count = 500_000;
    // Every size, from far below the range in which tanh changes to above it.
    let size = |i: i32| 1.01_f64.powi(i % 4000 - 3700) * f64::from(i % 977 + 1);
    let x = Array2::from_shape_fn((count, 1), |(i, _)| {
        let size = A::narrow(size(i as i32));
        if i % 2 == 0 { size } else { -size }
    });
    let mut cell = RnnCell::<A>::zeros(RnnCellConfig::new(1, 1))?;
    cell.named_parameters_mut()[0].1.fill(A::one());
    // In `f32` tanh is within 1.6 ULP and std's `f64` is as good as exact. In `f64` both are within 1 ULP.
    let tolerance = 2;
    for (&x, &actual) in x.iter().zip(&cell.forward(&x, None)?) {
        let expected = A::narrow(std_tanh(x.wide()));
        assert!(ulps(actual, expected) <= tolerance, "tanh({x:e}) = {actual:e}, not {expected:e}");
    }
    Ok(())
}

in_both_types!(
    nan_forwards,
    nan_in_both_directions,
    nan_in_the_first_state,
    infinity_saturates_tanh,
    activations_of_special_values,
    tanh_of_many_values,
);
