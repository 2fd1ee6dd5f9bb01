//! NaN and infinities on the way back: they are where the formula has them, in no other sequence's rows, and
//! reported.

use ndarray::{Array3, Axis, Ix3};
use ndarray_rnn::optim::{MaxNorm, clip_grad_norm};
use ndarray_rnn::{Error, Nonlinearity, Parameters, RnnConfig, Scalar};

use crate::oracle::expect_formula;
use crate::problem::{Options, Problem, TestResult, bits, expect_same_parameters};

/// The array with an element that is not finite. But for weights, the element is in one sequence.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Parameter 0 is weight_ih, parameter 1 weight_hh.
    Weight(usize),
    Input,
    H0,
    DOutput,
    DHn,
}

const PLACES: [Place; 6] =
    [Place::Weight(0), Place::Weight(1), Place::Input, Place::H0, Place::DOutput, Place::DHn];

/// The sequence that is spoilt, and its step.
const N: usize = 3;
const T: usize = 2;

/// A problem, and the same problem with an element that is not finite.
struct Spoilt<A: Scalar> {
    clean: Problem<A, Ix3>,
    spoilt: Problem<A, Ix3>,
    place: Place,
    value: A,
    what: String,
}

impl<A: Scalar> Spoilt<A> {
    fn new(clean: &Problem<A, Ix3>, place: Place, value: A) -> Self {
        let (clean, mut spoilt) = (clean.clone(), clean.clone());
        // The cotangents of all units are spoilt, since relu's slope may be zero at one of them.
        let row = |array: &mut Array3<A>, i| array.index_axis_mut(Axis(0), i).row_mut(N).fill(value);
        match place {
            Place::Weight(i) => spoilt.rnn.named_parameters_mut()[i].1[[0, 1]] = value,
            Place::Input => spoilt.input[[T, N, 0]] = value,
            Place::H0 => spoilt.h_0.iter_mut().for_each(|h_0| h_0[[0, N, 0]] = value),
            Place::DOutput => row(&mut spoilt.d_output, T),
            Place::DHn => spoilt.d_h_n.iter_mut().for_each(|d_h_n| row(d_h_n, 0)),
        }
        let what = format!("{value} in {place:?} of {}", clean.rnn);
        Self { clean, spoilt, place, value, what }
    }
}

/// Few columns and more, one layer and two with dropout, with all arguments.
fn problem<A: Scalar>(config: RnnConfig) -> TestResult<Problem<A, Ix3>> {
    let options = Options::new(config, 7, 5).with_everything();
    let mut problem = Problem { lengths: Some(vec![4, 7, 2, 6, 7]), ..options.problem()? };
    // No reset replaces the spoilt sequence's h_0.
    problem.resets.iter_mut().for_each(|resets| resets[[0, N]] = false);
    Ok(problem)
}

fn for_all<A: Scalar>(check: fn(&Spoilt<A>) -> TestResult) -> TestResult {
    let wide = RnnConfig::new(19, 33).num_layers(2).bidirectional(true).dropout(0.25);
    for config in [RnnConfig::new(5, 7), wide] {
        for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
            let problem = problem(config.clone().nonlinearity(nonlinearity))?;
            for place in PLACES {
                for value in [A::nan(), A::infinity(), A::neg_infinity()] {
                    check(&Spoilt::new(&problem, place, value))?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_formula_says_where_they_are() -> TestResult {
    fn check<A: Scalar>(Spoilt { spoilt, what, .. }: &Spoilt<A>) -> TestResult {
        expect_formula(spoilt, what)
    }
    for_all::<f32>(check)?;
    for_all::<f64>(check)
}

/// Checks the rows of input and first state alone: the parameters' gradients are of all sequences.
#[test]
fn other_sequences_keep_their_gradients() -> TestResult {
    fn others<A: Scalar>(array: &Array3<A>) -> Array3<A> {
        let others: Vec<_> = (0..array.len_of(Axis(1))).filter(|&n| n != N).collect();
        array.select(Axis(1), &others)
    }
    fn check<A: Scalar>(Spoilt { clean, spoilt, place, what, .. }: &Spoilt<A>) -> TestResult {
        if !matches!(place, Place::Weight(_)) {
            let (clean, spoilt) = (clean.gradients()?, spoilt.gradients()?);
            assert_eq!(bits(&others(&spoilt.input)), bits(&others(&clean.input)), "input, {what}");
            assert_eq!(bits(&others(&spoilt.state)), bits(&others(&clean.state)), "h_0, {what}");
        }
        Ok(())
    }
    for_all::<f32>(check)?;
    for_all::<f64>(check)
}

/// Clipping reports a NaN always, and an infinity if the gradients have it. They do not if it only saturates a
/// tanh, whose slope is zero then. The gradients stay as they are.
#[test]
fn clipping_reports_them() -> TestResult {
    fn check<A: Scalar>(Spoilt { spoilt, value, what, .. }: &Spoilt<A>) -> TestResult {
        let before = spoilt.gradients()?.parameters;
        let finite =
            before.named_parameters().iter().all(|(_, gradient)| gradient.iter().all(|g| g.is_finite()));
        assert!(!finite || value.is_infinite(), "{what}");
        for norm_type in [1.0, 2.0, f64::INFINITY] {
            let mut gradients = before.clone();
            let norm = MaxNorm::new(1.0).norm_type(norm_type).error_if_nonfinite(true);
            match clip_grad_norm(&mut gradients, norm) {
                Ok(_) => assert!(finite, "{what}"),
                Err(error) => {
                    assert!(
                        matches!(error, Error::NonFinite { name: "total_norm", .. }),
                        "{error:?}, {what}"
                    );
                    assert!(!finite, "{what}");
                    expect_same_parameters(&gradients, &before, what);
                }
            }
        }
        Ok(())
    }
    for_all::<f32>(check)?;
    for_all::<f64>(check)
}
