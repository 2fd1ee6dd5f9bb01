//! Training on last outputs: the way back from their gradient has the bits of the way back from an array of zeros that
//! holds it in each sequence's last step, and for the reverse direction in its first.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array, Array2, Array3, Axis, Dimension, Ix2, Ix3};
use ndarray_rnn::{
    Error, Gradients, PackedSequence, Packing, Padding, Parameters, Recurrent, RecurrentParameters,
    manual_seed, random,
};
use proptest::prelude::*;

use crate::case::{
    Batch, Bits, Case, Checked, Number, Random, bits, for_cases, in_every_kind, of_cases, state_bits,
};
use crate::common::TestResult;
use crate::common::kinds::{Network, Shape};

type Found<C, A, D> =
    Gradients<RecurrentParameters<A>, Array<A, D>, <C as ndarray_rnn::Kind>::State<Array<A, D>>>;

fn uniform<A: Number, D: Dimension>(shape: D, seed: u64) -> Array<A, D> {
    let mut array = Array::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed)).unwrap();
    array
}

fn parameter_bits<A: Number>(parameters: &RecurrentParameters<A>) -> Vec<Bits> {
    parameters.named_parameters().iter().map(|(_, array)| bits(array)).collect()
}

fn gradient_bits<C: Network, A: Number, D: Dimension>(gradients: Found<C, A, D>) -> [Vec<Bits>; 3] {
    let Gradients { parameters, input, state } = gradients;
    [parameter_bits(&parameters), vec![bits(&input)], state_bits::<C, _, _>(state)]
}

/// The last outputs' gradients among zeros, (L, N, D hidden), and added to those of the first states of sequences of no
/// steps, which have no output.
fn by_hand<C: Network, A: Number>(
    batch: &Batch<C, A>,
    d_last: &Array2<A>,
    d_state: &[Array3<A>],
) -> (Array3<A>, Vec<Array3<A>>) {
    let (shape, mut d_state) = (batch.shape(), d_state.to_vec());
    let (features, rows) = (shape.features(), d_state[0].len_of(Axis(0)));
    let mut d_output = Array3::zeros((batch.len, batch.lengths.len(), shape.output_size()));
    for ((n, k), &d) in d_last.indexed_iter() {
        let (direction, length) = (k / features, batch.lengths[n]);
        if length == 0 {
            d_state[0][[rows - shape.directions() + direction, n, k % features]] += d;
        } else {
            d_output[[if direction == 0 { length - 1 } else { 0 }, n, k]] = d;
        }
    }
    (batch.axes(d_output), d_state)
}

/// As [`Case::batch`], with dropout between layers.
fn with_dropout<C: Random, A: Number>(case: &Case<C>) -> ndarray_rnn::Result<Batch<C, A>> {
    let config = C::of(Shape { dropout: 0.5, ..case.config.shape() });
    Case { config, ..case.clone() }.batch()
}

fn the_last_output_s_gradient_equals_zeros_around_it<C: Random, A: Number>(case: &Case<C>) -> Checked {
    let batch: Batch<C, A> = with_dropout(case)?;
    let (network, dropout) = (&batch.network, || manual_seed(case.seed));
    let (output, expected, trace) = batch.run().forward_train(&mut dropout())?;
    let (last, state, last_trace) = batch.run().last_train(&mut dropout())?;
    for (n, row) in last.outer_iter().enumerate() {
        let (features, length) = (batch.shape().features(), batch.lengths[n]);
        for (k, value) in row.iter().enumerate().filter(|_| length > 0) {
            let t = if k < features { length - 1 } else { 0 };
            let at = if batch.shape().batch_first { [n, t, k] } else { [t, n, k] };
            prop_assert_eq!(value.bits(), output[at].bits(), "last");
        }
    }
    prop_assert_eq!(state_bits::<C, _, _>(state), state_bits::<C, _, _>(expected));

    let d_last = uniform(last.raw_dim(), 1);
    let d_state: Vec<_> = batch.first_state().iter().map(|plane| uniform(plane.raw_dim(), 2)).collect();
    let zeros: Vec<_> = d_state.iter().map(|plane| Array3::zeros(plane.raw_dim())).collect();
    let (d_output, d_first) = by_hand(&batch, &d_last, &zeros);
    let whole = network.backward(&trace, &d_output, Some(C::lend(&d_first)))?;
    let parameters = network.back(&last_trace).last(&d_last).parameters()?;
    prop_assert_eq!(parameter_bits(&parameters), parameter_bits(&whole.parameters), "parameters alone");
    let found = network.back(&last_trace).last(&d_last).gradients()?;
    prop_assert_eq!(gradient_bits::<C, _, _>(found), gradient_bits::<C, _, _>(whole), "the last output");

    let (d_output, d_first) = by_hand(&batch, &d_last, &d_state);
    let whole = network.backward(&trace, &d_output, Some(C::lend(&d_first)))?;
    let found = network.back(&trace).state(C::lend(&d_state)).last(&d_last).gradients()?;
    prop_assert_eq!(gradient_bits::<C, _, _>(found), gradient_bits::<C, _, _>(whole), "and the state");

    let nothing = Array3::zeros(d_output.raw_dim());
    let whole = network.backward(&trace, &nothing, Some(C::lend(&d_state)))?;
    let found = network.back(&last_trace).state(C::lend(&d_state)).gradients()?;
    prop_assert_eq!(gradient_bits::<C, _, _>(found), gradient_bits::<C, _, _>(whole), "the state alone");

    let d_output = uniform(d_output.raw_dim(), 3);
    let whole = network.backward(&trace, &d_output, Some(C::lend(&d_state)))?;
    let found = network.back(&trace).output(&d_output).state(C::lend(&d_state)).gradients()?;
    prop_assert_eq!(gradient_bits::<C, _, _>(found), gradient_bits::<C, _, _>(whole), "every output");
    Ok(())
}

/// Packed, the last outputs, every gradient and dropout are those of the padded batch.
fn packed_equals_padded<C: Random>() -> TestResult {
    for_cases::<C>(|case| {
        let lengths: Vec<_> = case.lengths.iter().map(|&length| length.max(1)).collect();
        let case = Case { lengths, resets: None, reset_state: false, ..case.clone() };
        if case.lengths.is_empty() {
            return Ok(());
        }
        let batch: Batch<C, f32> = with_dropout(&case)?;
        let (network, batch_first) = (&batch.network, batch.shape().batch_first);
        let packing = Packing::new().enforce_sorted(false).batch_first(batch_first);
        let packed = PackedSequence::from_padded(&batch.input, &batch.lengths, packing)?;
        let first = batch.first_state();
        let (padded_last, _, padded) = batch.run().last_train(&mut manual_seed(5))?;
        let run = network.run(&packed).state(C::lend(&first));
        let (last, _, trace) = run.last_train(&mut manual_seed(5))?;
        prop_assert_eq!(bits(&last), bits(&padded_last));
        let d_last = uniform(last.raw_dim(), 1);
        let of_padded = network.back(&padded).last(&d_last).gradients()?;
        let of_packed = network.back(&trace).last(&d_last).gradients()?;
        prop_assert_eq!(of_packed.input.sorted_indices(), packed.sorted_indices());
        let padding = Padding::new(0.0).batch_first(batch_first).total_length(batch.len);
        let input = of_packed.input.to_padded(padding)?.0;
        let of_packed = Gradients { parameters: of_packed.parameters, input, state: of_packed.state };
        prop_assert_eq!(gradient_bits::<C, f32, Ix3>(of_packed), gradient_bits::<C, f32, Ix3>(of_padded));
        Ok(())
    })
}

/// One sequence (2-D), whose last output is 1-D.
fn of_one_sequence_too<C: Random>() -> TestResult {
    for_cases::<C>(|case| {
        let batch: Batch<C, f64> = with_dropout(case)?;
        for x in batch.sequences.iter().filter(|x| x.nrows() > 0) {
            let network = &batch.network;
            let (output, _, trace) = network.forward_train(x, None, &mut manual_seed(5))?;
            let (last, _, last_trace) = network.run(x).last_train(&mut manual_seed(5))?;
            let d_last = uniform(last.raw_dim(), 1);
            let (features, mut d_output) = (batch.shape().features(), Array2::zeros(output.raw_dim()));
            for (k, &d) in d_last.iter().enumerate() {
                let t = if k < features { x.nrows() - 1 } else { 0 };
                prop_assert_eq!(last[k].bits(), output[[t, k]].bits());
                d_output[[t, k]] = d;
            }
            let whole = network.backward(&trace, &d_output, None)?;
            let found = network.back(&last_trace).last(&d_last).gradients()?;
            prop_assert_eq!(gradient_bits::<C, f64, Ix2>(found), gradient_bits::<C, f64, Ix2>(whole));
        }
        Ok(())
    })
}

fn what_does_not_fit_is_refused_by_name<C: Random>() -> TestResult {
    let mut rng = manual_seed(0);
    let both = C::of(Shape { bidirectional: true, ..Shape::new(3, 4) });
    let network = Recurrent::<C, f32>::new(both, &mut rng)?;
    let (last, _, trace) = network.run(&Array3::ones((5, 2, 3))).last_train(&mut rng)?;
    assert_eq!(last.dim(), (2, 8));

    let error = network.back(&trace).last(&Array2::zeros((2, 4))).parameters().unwrap_err();
    let (expected, actual) = (vec![2, 8], vec![2, 4]);
    assert_eq!(error, Error::Shape { array: "d_last".into(), expected, actual });
    let error = network.back(&trace).parameters().unwrap_err();
    assert!(matches!(error, Error::Unsupported { operation: "back", .. }), "{error}");
    let error = network.back(&trace).output(&Array3::zeros((5, 3, 8))).parameters().unwrap_err();
    let (expected, actual) = (vec![5, 2, 8], vec![5, 3, 8]);
    assert_eq!(error, Error::Shape { array: "d_output".into(), expected, actual });

    let mut changed = network.clone();
    changed.named_parameters_mut();
    assert_eq!(changed.back(&trace).last(&last).parameters().unwrap_err(), Error::StaleTrace);
    Ok(())
}

of_cases!(the_last_output_s_gradient_equals_zeros_around_it);
in_every_kind!(packed_equals_padded, of_one_sequence_too, what_does_not_fit_is_refused_by_name);
