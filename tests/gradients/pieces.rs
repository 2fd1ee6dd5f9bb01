//! Sequences in pieces. For gradients too a reset is the end of one piece and the beginning of another. The
//! gradients of chunks that carry a state on chain; in truncated backpropagation they end at the chunk.
//!
//! Gradients of rows are equal bit for bit. Those of parameters are sums over pieces, which round at other places,
//! so they are equal within 1e-12 of the largest value.

use ndarray::{Array, Array1, Array2, Axis, Ix2, Slice, concatenate};
use ndarray_rnn::RnnConfig;
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};

use crate::problem::{Options, Problem, TestResult, Whole, bits, cases, difference, named, small};

type Sequence = Problem<f64, Ix2>;

/// The rows of some steps.
fn steps(array: &Array2<f64>, range: &std::ops::Range<usize>) -> Array2<f64> {
    array.slice_axis(Axis(0), Slice::from(range.clone())).to_owned()
}

/// The rows of a state: from `forward` in the forward direction, from `reverse` in the reverse one.
fn by_direction(directions: usize, forward: &Array2<f64>, reverse: &Array2<f64>) -> Array2<f64> {
    let row = |(i, j): (usize, usize)| if i % directions == 1 { reverse[[i, j]] } else { forward[[i, j]] };
    Array2::from_shape_fn(forward.dim(), row)
}

/// The steps between resets. The first piece may have none, if step 0 is reset.
fn ranges(resets: &Array1<bool>) -> Vec<std::ops::Range<usize>> {
    let borders = (0..resets.len()).filter(|&t| resets[t]);
    let starts: Vec<_> = [0].into_iter().chain(borders).collect();
    let ends = starts[1..].iter().copied().chain([resets.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Every piece as a sequence of its own, with the states and the gradients of final states that reach it.
fn split(problem: &Sequence, resets: &Array1<bool>) -> Vec<Option<Sequence>> {
    let config = problem.rnn.config();
    let zeros = Array2::zeros((config.num_layers * config.num_directions(), config.hidden_size));
    let or_zeros = |state: &Option<Array2<f64>>| state.clone().unwrap_or_else(|| zeros.clone());
    let (h_0, reset, d_h_n) =
        (or_zeros(&problem.h_0), or_zeros(&problem.reset_state), or_zeros(&problem.d_h_n));
    let ranges = ranges(resets);
    let last = ranges.len() - 1;
    // The reverse direction ends at the first step, reset or not.
    let begins = ranges.iter().position(|range| !range.is_empty());
    let pieces = ranges.iter().enumerate().map(|(i, range)| {
        let pick = |here: bool, outer: &Array2<f64>, inner: &Array2<f64>| {
            if here { outer.clone() } else { inner.clone() }
        };
        let directions = config.num_directions();
        let first_state =
            by_direction(directions, &pick(i == 0, &h_0, &reset), &pick(i == last, &h_0, &reset));
        let d_final = by_direction(
            directions,
            &pick(i == last, &d_h_n, &zeros),
            &pick(Some(i) == begins, &d_h_n, &zeros),
        );
        let piece = Problem {
            input: steps(&problem.input, range),
            d_output: steps(&problem.d_output, range),
            h_0: Some(first_state),
            d_h_n: Some(d_final),
            resets: None,
            reset_state: None,
            ..problem.clone()
        };
        Some(piece).filter(|_| !range.is_empty())
    });
    pieces.collect()
}

/// Expects the sum of the parameters' gradients of all pieces.
fn expect_sum(actual: &Whole<f64, Ix2>, pieces: &[Whole<f64, Ix2>]) {
    let pieces: Vec<_> = pieces.iter().map(named).collect();
    for (i, (name, actual)) in named(actual).iter().enumerate() {
        if name != "input" && name != "h_0" {
            let sum = pieces.iter().fold(actual * 0.0, |sum, piece| sum + &piece[i].1);
            let difference = difference(actual, &sum);
            assert!(difference <= 1e-12, "{name} differs by {difference:e}");
        }
    }
}

fn expect_rows(actual: &Array2<f64>, pieces: &[Whole<f64, Ix2>]) -> TestResult {
    let rows: Vec<_> = pieces.iter().map(|piece| piece.input.view()).collect();
    assert_eq!(bits(actual), bits(&concatenate(Axis(0), &rows)?), "input");
    Ok(())
}

fn expect_pieces(options: &Options) -> TestResult {
    let problem = options.problem::<f64, Ix2>()?;
    let resets = problem.resets.clone().ok_or("no resets")?;
    let gradients = problem.gradients()?;
    let pieces = split(&problem, &resets);
    let pieces: Vec<_> =
        pieces.iter().map(|piece| piece.as_ref().map(Problem::gradients).transpose()).collect();
    let pieces = pieces.into_iter().collect::<Result<Vec<_>, _>>()?;
    let zeros = Array2::zeros(gradients.state.dim());
    let d_h_0 = |piece: Option<&Option<Whole<f64, Ix2>>>| {
        piece.and_then(Option::as_ref).map_or(zeros.clone(), |piece| piece.state.clone())
    };
    let h_0 = by_direction(options.config.num_directions(), &d_h_0(pieces.first()), &d_h_0(pieces.last()));
    assert_eq!(bits(&gradients.state), bits(&h_0), "h_0");
    let pieces: Vec<_> = pieces.into_iter().flatten().collect();
    expect_rows(&gradients.input, &pieces)?;
    expect_sum(&gradients, &pieces);
    Ok(())
}

proptest! {
    #![proptest_config(cases(200) as ProptestConfig)]

    #[test]
    fn resets_split_the_sequence(options in small()) {
        let config = options.config.clone().dropout(0.0);
        let options = Options { config, seq_len: 2 * options.seq_len, resets: true, lengths: false, ..options };
        expect_pieces(&options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// Two layers in one direction, 24 steps with h_0 and gradients of output and h_n.
fn long() -> TestResult<Sequence> {
    let options = Options::new(RnnConfig::new(3, 10).num_layers(2), 24, 1);
    Options { h_0: true, d_h_n: true, seed: 5, ..options }.problem()
}

/// A part of `long`, from a state on. The gradient of its final state is set later.
fn chunk(problem: &Sequence, range: &std::ops::Range<usize>, h_0: Option<Array2<f64>>) -> Sequence {
    let (input, d_output) = (steps(&problem.input, range), steps(&problem.d_output, range));
    Problem { input, d_output, h_0, d_h_n: None, ..problem.clone() }
}

/// Nothing is truncated if the `d_h_0` of each chunk is the `d_h_n` of the chunk before.
#[test]
fn chunks_chained_back_are_the_whole() -> TestResult {
    let whole = long()?;
    let mut h = whole.h_0.clone();
    let mut chunks = Vec::new();
    for range in [0..7, 7..8, 8..24] {
        let chunk = chunk(&whole, &range, h);
        let (_, h_n, trace) = chunk.forward()?;
        h = Some(h_n);
        chunks.push((chunk, trace));
    }
    let mut d_h = whole.d_h_n.clone();
    let mut gradients = Vec::new();
    for (chunk, trace) in chunks.into_iter().rev() {
        let found = Problem { d_h_n: d_h, ..chunk }.backward(&trace)?;
        d_h = Some(found.state.clone());
        gradients.insert(0, found);
    }
    let expected = whole.gradients()?;
    assert_eq!(d_h.as_ref().map(bits), Some(bits(&expected.state)), "h_0");
    expect_rows(&expected.input, &gradients)?;
    expect_sum(&expected, &gradients);
    Ok(())
}

/// Truncated: the state is carried on, its gradient is not. That equals a reset to the carried state.
#[test]
fn truncated_chunks_are_a_reset_to_the_carried_state() -> TestResult {
    let whole = long()?;
    let first = chunk(&whole, &(0..9), whole.h_0.clone());
    let (_, h_n, trace) = first.forward()?;
    let second = Problem { d_h_n: whole.d_h_n.clone(), ..chunk(&whole, &(9..24), Some(h_n.clone())) };
    let gradients = [first.backward(&trace)?, second.gradients()?];

    let resets = Some(Array::from_shape_fn(24, |t| t == 9));
    let at_once = Problem { resets, reset_state: Some(h_n), ..whole.clone() };
    assert_eq!(at_once.run().forward()?, whole.run().forward()?);
    let expected = at_once.gradients()?;
    assert_eq!(bits(&gradients[0].state), bits(&expected.state), "h_0");
    expect_rows(&expected.input, &gradients)?;
    expect_sum(&expected, &gradients);
    assert_ne!(expected.state, whole.gradients()?.state, "truncation changes the gradient");
    Ok(())
}
