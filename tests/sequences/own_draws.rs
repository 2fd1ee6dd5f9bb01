//! One generator for each sequence: dropout of a sequence in a batch is that of the sequence alone with its generator,
//! for any lengths, packed or padded, in any order of the batch.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array, Array2, Array3, Axis, RemoveAxis};
use ndarray_rnn::random::{Mt19937, PerSequence, Philox};
use ndarray_rnn::{Dropout, Error, PackedSequence, Packing, Recurrent, manual_seed};
use proptest::prelude::*;
use rand::Rng;

use crate::case::{
    Batch, Case, Checked, Number, Random, bits, for_cases, in_every_kind, numbers, of_cases, of_sequence,
};
use crate::common::TestResult;
use crate::common::kinds::Shape;

/// The generator of sequence `n`.
fn own(n: usize) -> Mt19937 {
    manual_seed(100 + n as u64)
}

fn with_dropout<C: Random, A: Number>(case: &Case<C>) -> ndarray_rnn::Result<Batch<C, A>> {
    let config = C::of(Shape { dropout: 0.4, ..case.config.shape() });
    Case { config, resets: None, first: false, ..case.clone() }.batch()
}

fn a_sequence_draws_what_it_draws_alone<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = with_dropout(case)?;
    let (network, lengths) = (&batch.network, &batch.lengths);
    let mut rngs = PerSequence((0..lengths.len()).map(own).collect());
    let run = network.run(&batch.input).lengths(lengths);
    let (output, state, _) = run.forward_train(&mut rngs)?;
    let (output, state) = (batch.axes(output), C::split(state));
    for (n, x) in batch.sequences.iter().enumerate().filter(|(_, x)| x.nrows() > 0) {
        let mut rng = own(n);
        let (alone, last_state, _) = network.forward_train(x, None, &mut rng)?;
        let row = output.index_axis(Axis(1), n);
        prop_assert_eq!(bits(&row.split_at(Axis(0), x.nrows()).0), bits(&alone), "sequence {}", n);
        let last_state: Vec<_> = C::split(last_state).iter().map(|plane| bits(plane)).collect();
        let state: Vec<_> = of_sequence(&state, n).iter().map(|plane| bits(plane)).collect();
        prop_assert_eq!(state, last_state);
        prop_assert_eq!(&rngs.0[n], &rng, "what the generator draws next");
    }
    Ok(())
}

fn packed_draws_as_padded<C: Random>() -> TestResult {
    for_cases::<C>(|case| {
        let lengths: Vec<_> = case.lengths.iter().map(|&length| length.max(1)).collect();
        if lengths.is_empty() {
            return Ok(());
        }
        let batch: Batch<C, f32> = with_dropout(&Case { lengths, ..case.clone() })?;
        let rngs = || PerSequence((0..batch.lengths.len()).map(own).collect());
        let packing = Packing::new().enforce_sorted(false).batch_first(batch.shape().batch_first);
        let packed = PackedSequence::from_padded(&batch.input, &batch.lengths, packing)?;
        let padded = batch.network.run(&batch.input).lengths(&batch.lengths).last_train(&mut rngs())?;
        let packed = batch.network.run(&packed).last_train(&mut rngs())?;
        prop_assert_eq!(bits(&packed.0), bits(&padded.0));
        Ok(())
    })
}

fn another_number_of_generators_is_refused<C: Random>() -> TestResult {
    let config = C::of(Shape { dropout: 0.5, num_layers: 2, ..Shape::new(3, 4) });
    let network = Recurrent::<C, f32>::new(config, &mut manual_seed(0))?;
    let mut rngs = PerSequence(vec![own(0), own(1), own(2)]);
    let (x, before) = (Array3::ones((5, 2, 3)), rngs.clone());
    let refused =
        |batch| Some(Error::Shape { array: "generators".into(), expected: vec![batch], actual: vec![3] });
    let expected = refused(2);
    assert_eq!(network.forward_train(&x, None, &mut rngs).err(), expected);
    assert_eq!(network.run(&x).last_train(&mut rngs).err(), expected);
    let expected = refused(1);
    assert_eq!(network.run(&Array2::ones((5, 3))).last_train(&mut rngs).err(), expected);
    assert_eq!(rngs, before);
    Ok(())
}

of_cases!(a_sequence_draws_what_it_draws_alone);
in_every_kind!(packed_draws_as_padded, another_number_of_generators_is_refused);

/// Each index of the first axis is a sequence.
#[test]
fn so_does_the_layer() -> TestResult {
    fn of<D: RemoveAxis>(dropout: Dropout, x: Array<f32, D>) -> TestResult {
        let mut rngs = PerSequence((0..x.len_of(Axis(0))).map(own).collect());
        let (output, mask) = dropout.forward_train(&x, &mut rngs)?;
        assert_eq!(mask.backward(&x)?, output);
        for (n, row) in x.axis_iter(Axis(0)).enumerate() {
            let mut rng = own(n);
            let (alone, _) = dropout.forward_train(&row, &mut rng)?;
            assert_eq!(output.index_axis(Axis(0), n).into_dyn(), alone.into_dyn());
            assert_eq!(rngs.0[n], rng);
        }
        let mut others = PerSequence(vec![own(0); rngs.0.len() + 1]);
        let error = dropout.forward_train(&x, &mut others).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("generators: expected shape [{}], got [{}]", rngs.0.len(), rngs.0.len() + 1)
        );
        assert_eq!(others.0[0], own(0));
        Ok(())
    }
    let mut rng = manual_seed(0);
    for p in [0.0, 0.3, 1.0] {
        let dropout = Dropout::new(p)?;
        of(dropout, numbers([5], &mut rng)?)?;
        of(dropout, numbers([5, 3], &mut rng)?)?;
        of(dropout, numbers([4, 3, 2], &mut rng)?)?;
        of(dropout, numbers([3, 4, 2], &mut rng)?.permuted_axes([1, 0, 2]))?;
        of(dropout, numbers([0, 3], &mut rng)?)?;
        of(dropout, numbers([3, 0], &mut rng)?)?;
    }
    Ok(())
}

/// A factor is as likely 0 as p says, within five standard deviations, over numbers that follow one another.
#[test]
fn numbered_streams_drop_as_often_as_p_says() -> TestResult {
    let (dropout, count) = (Dropout::new(0.3)?, 40_000);
    let mut rngs = PerSequence((0..count).map(|n| Philox::new(0).stream(0, n)).collect());
    let (output, _) = dropout.forward_train(&Array2::<f32>::ones((count as usize, 2)), &mut rngs)?;
    for column in output.columns() {
        let dropped = column.iter().filter(|&&x| x == 0.0).count() as f64;
        let deviation = (count as f64 * 0.3 * 0.7).sqrt();
        assert!((dropped - 0.3 * count as f64).abs() < 5.0 * deviation, "{dropped} of {count}");
    }
    assert_ne!(rngs.0[0].next_u32(), rngs.0[1].next_u32());
    Ok(())
}
