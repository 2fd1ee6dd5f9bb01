//! What passes allocate: counted, not believed.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use allocation_counter::{AllocationInfo, measure};
use ndarray::{Array2, Array3};
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
use ndarray_rnn::{
    GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, Recurrent, RecurrentCell, RnnCellConfig, RnnConfig,
    manual_seed,
};

use crate::common::kinds::{Cell, Network, Shape};

/// A network of layers whose output is 32 wide. An LSTM projects.
fn network<C: Network>(num_layers: usize) -> Recurrent<C> {
    // Only an LSTM has a c.
    let shape =
        if C::PLANES.len() > 1 { Shape { proj_size: 32, ..Shape::new(24, 40) } } else { Shape::new(24, 32) };
    Recurrent::new(C::of(Shape { num_layers, ..shape }), &mut manual_seed(0)).unwrap()
}

fn input(len: usize, batch: usize) -> Array3<f32> {
    Array3::from_shape_fn((len, batch, 24), |(t, n, i)| (t + 2 * n + 3 * i) as f32 * 0.01)
}

/// Counts what the second of two calls allocates; the first also packs the weights. Both run on this thread, the
/// one that is counted.
fn second(mut call: impl FnMut() + Send) -> AllocationInfo {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        call();
        measure(call)
    })
}

fn step_allocates_nothing<C: Network<State<Array3<f32>>: Send>>() {
    for layers in [1, 3] {
        let network = network::<C>(layers);
        let mut session = network.session(4).unwrap();
        let x = Array2::ones((4, 24));
        let step = second(|| _ = session.step(&x).unwrap());
        assert_eq!((step.count_total, step.bytes_total), (0, 0), "{network}");
        let widths = network.config().shape().widths::<C>();
        let mut state = C::join(|i| Array3::zeros((layers, 4, widths[i])));
        let step = second(|| _ = network.step(&x, &mut state).unwrap());
        assert_eq!((step.count_total, step.bytes_total), (0, 0), "{network}, the caller's state");
    }
}

fn cell_allocates_nothing<C: Cell<State<Array2<f32>>: Send>>() {
    let cell = RecurrentCell::<C>::new(C::of(24, 32, true), &mut manual_seed(0)).unwrap();
    let mut session = cell.session(4).unwrap();
    let x = Array2::ones((4, 24));
    assert_eq!(second(|| _ = session.step(&x).unwrap()).count_total, 0, "{cell}");
    let mut state = C::join(|_| Array2::zeros((4, 32)));
    assert_eq!(
        second(|| _ = cell.step(&x, &mut state).unwrap()).count_total,
        0,
        "{cell}, the caller's state"
    );
}

#[test]
fn a_step_allocates_nothing() {
    step_allocates_nothing::<RnnConfig>();
    step_allocates_nothing::<LstmConfig>();
    step_allocates_nothing::<GruConfig>();
    cell_allocates_nothing::<RnnCellConfig>();
    cell_allocates_nothing::<LstmCellConfig>();
    cell_allocates_nothing::<GruCellConfig>();
}

/// The number of allocations of a pass, what it holds at most, and what it holds if only the last outputs count.
fn held<C: Network>(layers: usize, len: usize) -> (u64, u64, u64) {
    let (network, input) = (network::<C>(layers), input(len, 4));
    let whole = second(|| _ = network.forward(&input, None).unwrap());
    let last = second(|| _ = network.run(&input).last().unwrap());
    (whole.count_total, whole.bytes_max, last.bytes_max)
}

fn long_passes_allocate_for_their_output_alone<C: Network>() {
    for layers in [1, 3] {
        let (short, long) = (held::<C>(layers, 100), held::<C>(layers, 300));
        let output_of_one_step = 4 * 32 * 4;
        assert_eq!(short.0, long.0, "allocations, {layers} layers");
        assert_eq!(long.1 - short.1, 200 * output_of_one_step, "{layers} layers");
        assert_eq!(short.2, long.2, "last outputs, {layers} layers");
    }
}

/// A pass holds its output and room for a few steps, the last outputs alone no more for longer sequences.
#[test]
fn a_pass_allocates_for_its_output_alone() {
    long_passes_allocate_for_their_output_alone::<RnnConfig>();
    long_passes_allocate_for_their_output_alone::<LstmConfig>();
    long_passes_allocate_for_their_output_alone::<GruConfig>();
}

#[test]
fn keras_s_last_outputs_need_no_more_memory_for_longer_sequences() {
    let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(24, 32), &mut set_random_seed(0)).unwrap();
    // Batch first: 4 sequences of 500 or 5000 steps, 24 features.
    let input = |len| Array3::<f32>::ones((4, len, 24));
    let (short, long) = (input(500), input(5000));
    let bytes = |input| second(|| _ = layer.call(input).last().unwrap()).bytes_max;
    assert_eq!(bytes(&short), bytes(&long));
}

/// A pass in training over four sequences, and the way back.
fn allocated_by_training<C: Network>(len: usize, batch_first: bool) -> AllocationInfo {
    let mut rng = manual_seed(0);
    let shape = network::<C>(2).config().shape();
    let config = C::of(Shape { dropout: 0.5, batch_first, ..shape });
    let network = Recurrent::<C>::new(config, &mut rng).unwrap();
    let [rows, columns] = if batch_first { [4, len] } else { [len, 4] };
    let (input, d_output) = (input(rows, columns), Array3::ones((rows, columns, 32)));
    let mut pass = || {
        let (_, _, trace) = network.run(&input).forward_train(&mut rng).unwrap();
        network.backward_parameters(&trace, &d_output, None).unwrap();
    };
    // On the thread that is counted, since several threads keep other memory.
    (0..3).for_each(|_| _ = second(&mut pass));
    second(pass)
}

/// As [`allocated_by_training`], on last outputs.
fn allocated_by_last_outputs<C: Network>(len: usize) -> AllocationInfo {
    let mut rng = manual_seed(0);
    let shape = network::<C>(2).config().shape();
    let network = Recurrent::<C>::new(C::of(Shape { dropout: 0.5, ..shape }), &mut rng).unwrap();
    let (input, d_last) = (input(len, 4), Array2::ones((4, 32)));
    let mut pass = || {
        let (_, _, trace) = network.run(&input).last_train(&mut rng).unwrap();
        network.back(&trace).last(&d_last).parameters().unwrap();
    };
    (0..3).for_each(|_| _ = second(&mut pass));
    second(pass)
}

/// Beyond the trace, whose memory is that of the pass before, nothing grows with the length.
fn last_outputs_need_no_array_of_every_step<C: Network>() {
    let [short, long] = [100, 300].map(allocated_by_last_outputs::<C>);
    assert_eq!((short.count_total, short.bytes_total), (long.count_total, long.bytes_total));
}

#[test]
fn training_on_last_outputs_allocates_no_more_for_longer_sequences() {
    last_outputs_need_no_array_of_every_step::<RnnConfig>();
    last_outputs_need_no_array_of_every_step::<LstmConfig>();
    last_outputs_need_no_array_of_every_step::<GruConfig>();
}

fn trains_in_memory_of_the_pass_before<C: Network>() {
    let output_of_one_step = 4 * 32 * 4;
    for batch_first in [false, true] {
        let [short, long] = [100, 300].map(|len| allocated_by_training::<C>(len, batch_first));
        assert_eq!(short.count_total, long.count_total);
        assert_eq!(long.bytes_total - short.bytes_total, 200 * output_of_one_step);
        assert_eq!(short.bytes_current, 0, "no more is kept than before");
    }
}

/// The memory of the pass before is used again. Only the output is allocated anew.
#[test]
fn training_allocates_what_it_returns() {
    trains_in_memory_of_the_pass_before::<RnnConfig>();
    trains_in_memory_of_the_pass_before::<LstmConfig>();
    trains_in_memory_of_the_pass_before::<GruConfig>();
}
