//! What passes allocate: counted, not believed.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use allocation_counter::{AllocationInfo, measure};
use ndarray::{Array2, Array3};
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
use ndarray_rnn::{Rnn, RnnCell, RnnCellConfig, RnnConfig, manual_seed};

fn rnn(layers: usize) -> Rnn<f32> {
    Rnn::new(RnnConfig::new(24, 32).num_layers(layers), &mut manual_seed(0)).unwrap()
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

#[test]
fn a_streaming_step_allocates_nothing() {
    for layers in [1, 3] {
        let rnn = rnn(layers);
        let mut stream = rnn.stream(4).unwrap();
        let x = Array2::ones((4, 24));
        let step = second(|| _ = stream.step(&x).unwrap());
        assert_eq!((step.count_total, step.bytes_total), (0, 0), "{layers} layers");
    }
    let cell = RnnCell::<f32>::new(RnnCellConfig::new(24, 32), &mut manual_seed(0)).unwrap();
    let mut stream = cell.stream(4).unwrap();
    let x = Array2::ones((4, 24));
    assert_eq!(second(|| _ = stream.step(&x).unwrap()).count_total, 0);
}

#[test]
fn a_pass_allocates_nothing_per_step() {
    let rnn = rnn(2);
    let count = |len| {
        let input = input(len, 4);
        second(|| _ = rnn.forward(&input, None).unwrap()).count_total
    };
    assert_eq!(count(200), count(2000));
}

#[test]
fn a_pass_holds_its_output_and_room_for_a_few_steps() {
    let rnn = rnn(2);
    let (short, long) = (input(1000, 4), input(4000, 4));
    let bytes = |input| second(|| _ = rnn.forward(input, None).unwrap()).bytes_max;
    let output_of_one_step = 4 * 32 * 4;
    assert_eq!(bytes(&long) - bytes(&short), 3000 * output_of_one_step);
}

#[test]
fn last_outputs_need_no_more_memory_for_longer_sequences() {
    for layers in [1, 3] {
        let rnn = rnn(layers);
        let (short, long) = (input(500, 4), input(5000, 4));
        let bytes = |input| second(|| _ = rnn.run(input).last().unwrap()).bytes_max;
        assert_eq!(bytes(&short), bytes(&long), "{layers} layers");
    }
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

/// A pass in training over four sequences, all of one length or of given lengths, and the way back.
fn allocated_by_training(len: usize, lengths: Option<&[usize]>, batch_first: bool) -> AllocationInfo {
    let mut rng = manual_seed(0);
    let config = RnnConfig::new(24, 32).num_layers(2).dropout(0.5).batch_first(batch_first);
    let rnn = Rnn::<f32>::new(config, &mut rng).unwrap();
    let [rows, columns] = if batch_first { [4, len] } else { [len, 4] };
    let (input, d_output) = (input(rows, columns), Array3::ones((rows, columns, 32)));
    let mut pass = || {
        let mut run = rnn.run(&input);
        if let Some(lengths) = lengths {
            run = run.lengths(lengths);
        }
        let (_, _, trace) = run.forward_train(&mut rng).unwrap();
        rnn.backward_parameters(&trace, &d_output, None).unwrap();
    };
    (0..3).for_each(|_| pass());
    second(pass)
}

/// The memory of the pass before is used again. Only the output is allocated anew, and a copy of it where it has
/// to be padded or transposed.
#[test]
fn training_allocates_what_it_returns() {
    let output_of_one_step = 4 * 32 * 4;
    for batch_first in [false, true] {
        let [short, long] = [300, 3000].map(|len| allocated_by_training(len, None, batch_first));
        let copies = if batch_first { 2 } else { 1 };
        assert_eq!(short.count_total, long.count_total);
        assert_eq!(long.bytes_total - short.bytes_total, copies * 2700 * output_of_one_step);
        assert_eq!(short.bytes_current, 0, "no more is kept than before");
    }
}
