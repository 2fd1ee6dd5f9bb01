//! torch's RNN on packed batches: 192 networks over every combination of layers, directions, nonlinearity, h_0, order,
//! ties and type. Parameters, input and first state are drawn here as `golden/packed.py` had torch draw them.

use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, in_both_types, largest_difference, uniform};
use ndarray::{Array2, Array3, Ix2, Ix3};
use ndarray_rnn::{Error, PackedSequence, Packing, Rnn, RnnConfig, manual_seed};

const PACKED: &[u8] = include_bytes!("../golden/packed.safetensors");

/// How far results may be from torch's, which adds its sums in another order.
fn tolerance<A: Real>() -> f64 {
    if A::NAME == "f32" { 1e-6 } else { 1e-13 }
}

/// The packed output and `h_n` of a case; every number follows from the case's seed.
fn run<A: Real>(case: &Case) -> TestResult<(PackedSequence<A>, Array3<A>)> {
    let rng = &mut manual_seed(case.size("seed")? as u64);
    let rnn = Rnn::<A>::new(case.rnn_config()?, rng)?;
    let lengths: Vec<usize> = serde_json::from_value(case.value["lengths"].clone())?;
    let longest = lengths.iter().copied().max().ok_or("no lengths")?;
    let input: Array3<A> = uniform((longest, lengths.len(), case.size("input_size")?), rng)?;
    let directions = if case.flag("bidirectional")? { 2 } else { 1 };
    let states = (case.size("num_layers")? * directions, lengths.len(), case.size("hidden_size")?);
    let h_0: Option<Array3<A>> = case.flag("h_0")?.then(|| uniform(states, rng)).transpose()?;
    let packing = Packing::new().enforce_sorted(case.flag("enforce_sorted")?);
    let packed = PackedSequence::from_padded(&input, &lengths, packing)?;
    let run = h_0.iter().fold(rnn.run(&packed), |run, h_0| run.state(h_0));
    let (output, h_n) = run.forward()?;
    assert_eq!(output, packed.with_data(output.data().clone())?, "the packing of {case:?}");
    Ok((output, h_n))
}

fn packed_batches_are_torchs<A: Real>() -> TestResult {
    let golden = Golden::parse(PACKED)?;
    let cases = golden.metadata["rnn"].as_array().ok_or("no cases")?;
    assert_eq!(cases.len(), 192);
    for (index, value) in cases.iter().enumerate() {
        let case = Case { index, value: value.clone() };
        if !case.is("dtype", A::NAME) {
            continue;
        }
        let (output, h_n) = run::<A>(&case)?;
        let data: Array2<A> = golden.array(&format!("rnn.{index}.data"))?.into_dimensionality::<Ix2>()?;
        let torch_h_n: Array3<A> = golden.array(&format!("rnn.{index}.h_n"))?.into_dimensionality::<Ix3>()?;
        let differences = [largest_difference(output.data(), &data), largest_difference(&h_n, &torch_h_n)];
        assert!(differences.iter().all(|&d| d <= tolerance::<A>()), "{differences:?} from torch: {case:?}");
    }
    Ok(())
}

in_both_types!(packed_batches_are_torchs);

/// torch takes from a state of too many sequences those that it needs if the packing is unsorted; this crate
/// refuses it.
#[test]
fn a_state_of_other_sequences_is_an_error() -> TestResult {
    let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).bidirectional(true), &mut manual_seed(0))?;
    let packed = PackedSequence::from_sequences(&[1, 3, 2].map(|length| Array2::zeros((length, 4))))?;
    for batch in [0, 2, 4] {
        let error = rnn.run(&packed).state(&Array3::zeros((2, batch, 2))).forward().err();
        let shape = Error::Shape { array: "h_0".into(), expected: vec![2, 3, 2], actual: vec![2, batch, 2] };
        assert_eq!(error, Some(shape));
    }
    let wide = packed.with_data(Array2::zeros((6, 5)))?;
    let width = Error::Width { array: "input", size: "input_size", expected: 4, actual: 5 };
    assert_eq!(rnn.run(&wide).forward().err(), Some(width));
    Ok(())
}
