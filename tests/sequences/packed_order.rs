//! torch's order of packed sequences: equal lengths too lie as torch's sort leaves them, and meet its dropout.

use ndarray::{Array2, Array3, Axis, Ix2, Ix3, array};
use ndarray_rnn::{PackedSequence, Packing, Padding, Rnn, manual_seed};

use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types, largest_difference, uniform};

const ORDER: &[u8] = include_bytes!("../golden/order.safetensors");

/// Packs sequences of no features.
fn sorted_indices(lengths: &[usize]) -> TestResult<Vec<usize>> {
    let longest = lengths.iter().copied().max().unwrap_or_default();
    let rows = Array3::<f32>::zeros((longest, lengths.len(), 0));
    let packed = PackedSequence::from_padded(&rows, lengths, Packing::new().enforce_sorted(false))?;
    Ok(packed.sorted_indices().ok_or("no indices")?.to_vec())
}

/// Takes so many from the front of a list.
fn take<'a, T>(list: &mut &'a [T], count: usize) -> TestResult<&'a [T]> {
    let (taken, rest) = list.split_at_checked(count).ok_or("the fixture ends")?;
    *list = rest;
    Ok(taken)
}

#[test]
fn every_list_is_sorted_as_torch_sorts_it() -> TestResult {
    let golden = Golden::parse(ORDER)?;
    let (counts, torch) = (golden.lengths("counts")?, golden.lengths("sorted_indices")?);
    assert_eq!(counts.len(), 289);
    let (mut all_lengths, mut torch) = (golden.bytes("lengths")?, &torch[..]);
    for count in counts {
        let lengths: Vec<_> = take(&mut all_lengths, count)?.iter().map(|&length| length.into()).collect();
        assert_eq!(sorted_indices(&lengths)?, take(&mut torch, count)?, "{lengths:?}");
    }
    assert!(all_lengths.is_empty() && torch.is_empty());
    Ok(())
}

/// As torch 2.15 prints it.
#[test]
fn seventeen_sequences_of_one_step() -> TestResult {
    let torch = [8, 16, 15, 14, 13, 12, 11, 10, 9, 0, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!(sorted_indices(&[1; 17])?, torch);
    let packed = PackedSequence::from_sequences(&[const { 0_u8 }; 17].map(|value| array![[value]]))?;
    assert_eq!(packed.sorted_indices(), Some(&torch[..]));
    Ok(())
}

struct Dropout<A: Real> {
    rnn: Rnn<A>,
    input: Array3<A>,
    lengths: Vec<usize>,
    seed: u64,
}

impl<A: Real> Dropout<A> {
    fn of(case: &Case) -> TestResult<Self> {
        let rng = &mut manual_seed(case.size("seed")? as u64);
        let dropout = case.number("dropout").ok_or("no dropout")?;
        let rnn = Rnn::new(case.rnn_config()?.dropout(dropout), rng)?;
        let lengths: Vec<usize> = serde_json::from_value(case.value["lengths"].clone())?;
        let longest = lengths.iter().copied().max().ok_or("no lengths")?;
        let input = uniform((longest, lengths.len(), case.size("input_size")?), rng)?;
        Ok(Self { rnn, input, lengths, seed: case.size("dropout_seed")? as u64 })
    }

    fn packed(&self) -> TestResult<(PackedSequence<A>, Array3<A>)> {
        let packing = Packing::new().enforce_sorted(false);
        let packed = PackedSequence::from_padded(&self.input, &self.lengths, packing)?;
        let (output, h_n, _) = self.rnn.run(&packed).forward_train(&mut manual_seed(self.seed))?;
        Ok((output, h_n))
    }

    fn padded(&self) -> TestResult<(Array3<A>, Array3<A>)> {
        let run = self.rnn.run(&self.input).lengths(&self.lengths);
        let (output, h_n, _) = run.forward_train(&mut manual_seed(self.seed))?;
        Ok((output, h_n))
    }

    /// With a sequence of no steps before each.
    fn with_empty_sequences(&self) -> Self {
        let sequences = (0..self.lengths.len()).flat_map(|n| [n, n]).collect::<Vec<_>>();
        let input = self.input.select(Axis(1), &sequences);
        let lengths = self.lengths.iter().flat_map(|&length| [0, length]).collect();
        Self { rnn: self.rnn.clone(), input, lengths, seed: self.seed }
    }
}

/// 32 sequences, packed and padded. In the order of a stable sort the states are off by up to 1.
fn many_sequences_meet_torchs_dropout<A: Real>() -> TestResult {
    let golden = Golden::parse(ORDER)?;
    let cases = golden.cases()?;
    assert_eq!(cases.len(), 2);
    for case in cases.iter().filter(|case| case.is("dtype", A::NAME)) {
        let torch: Array2<A> = golden.array(&format!("{}.data", case.index))?.into_dimensionality::<Ix2>()?;
        let torch_h_n: Array3<A> =
            golden.array(&format!("{}.h_n", case.index))?.into_dimensionality::<Ix3>()?;
        let tolerance = if A::NAME == "f32" { 1e-6 } else { 1e-13 };

        let dropout = Dropout::<A>::of(case)?;
        let (packed, h_n) = dropout.packed()?;
        assert!(largest_difference(packed.data(), &torch) <= tolerance, "the packed output");
        assert!(largest_difference(&h_n, &torch_h_n) <= tolerance, "the packed h_n");

        let torch = packed.with_data(torch)?.to_padded(Padding::default())?.0;
        let (output, h_n) = dropout.padded()?;
        assert!(largest_difference(&output, &torch) <= tolerance, "the padded output");
        assert!(largest_difference(&h_n, &torch_h_n) <= tolerance, "the padded h_n");

        let (_, with_empty) = dropout.with_empty_sequences().padded()?;
        let others: Vec<_> = (0..h_n.len_of(Axis(1))).map(|n| 2 * n + 1).collect();
        assert_same_bits(&with_empty.select(Axis(1), &others), &h_n, "h_n beside sequences of no steps");
    }
    Ok(())
}

in_both_types!(many_sequences_meet_torchs_dropout);
