//! Whole networks and single steps through the public interface.
//!
//! ```text
//! cargo bench --bench layers             # elements are flops: Gelem/s is GF/s
//! cargo bench --bench layers -- 'forward/f32/\(100,1,'
//! ```
//!
//! Each case must first agree with the recurrence written as loops. `benches/compare` has other frameworks.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array, Array2, Array3, ArrayView1, Axis, Dimension, IntoDimension};
use ndarray_rnn::{Direction, Rnn, RnnCell, RnnCellConfig, RnnConfig, Scalar, manual_seed, random};

/// L, N, input, hidden: the cases of `benches/compare` that have one layer.
const SIZES: [[usize; 4]; 9] = [
    [3, 5, 4, 2],
    [100, 1, 32, 32],
    [100, 1, 128, 128],
    [100, 1, 512, 512],
    [100, 1, 1024, 1024],
    [50, 32, 64, 128],
    [100, 32, 256, 256],
    [50, 64, 512, 512],
    [30, 128, 1024, 1024],
];

criterion_group! {
    name = layers;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = forward::<f32>, forward::<f64>, step::<f32>, step::<f64>
}
criterion_main!(layers);

fn forward<A: Scalar>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("forward/{}", dtype::<A>()));
    for [len, batch, input_size, hidden_size] in SIZES {
        let config = RnnConfig::new(input_size, hidden_size);
        let rnn = Rnn::<A>::new(config, &mut manual_seed(0)).expect("the sizes are positive");
        let input = uniform((len, batch, input_size));
        assert_last_sequence(&rnn, &input);

        let flops = 2 * len * batch * hidden_size * (input_size + hidden_size);
        group.throughput(Throughput::Elements(flops as u64));
        let name = format!("({len},{batch},{input_size},{hidden_size})");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| rnn.forward(black_box(&input), None));
        });
    }
}

/// Loops run one sequence of the batch.
fn assert_last_sequence<A: Scalar>(rnn: &Rnn<A>, input: &Array3<A>) {
    let (output, _) = rnn.forward(input, None).expect("the shapes fit");
    let last = input.len_of(Axis(1)) - 1;
    let mut state = vec![A::zero(); rnn.config().hidden_size];
    for (x, actual) in
        input.index_axis(Axis(1), last).outer_iter().zip(output.index_axis(Axis(1), last).outer_iter())
    {
        state = next_state(rnn, x, &state);
        assert_close(actual, &state);
    }
}

/// act((b_ih + W_ih x) + (b_hh + W_hh h)), two chains of fused multiply-adds and one addition.
fn next_state<A: Scalar>(rnn: &Rnn<A>, x: ArrayView1<'_, A>, h: &[A]) -> Vec<A> {
    let parameters = rnn.parameters();
    let direction = Direction::Forward;
    let weights = parameters.weight_ih(0, direction).zip(parameters.weight_hh(0, direction));
    let biases = parameters.bias_ih(0, direction).zip(parameters.bias_hh(0, direction));
    let ((weight_ih, weight_hh), (bias_ih, bias_hh)) = weights.zip(biases).expect("a layer with biases");
    let unit = |j: usize| {
        let of_input = x.iter().zip(weight_ih.row(j)).fold(bias_ih[j], |sum, (&x, &w)| x.mul_add(w, sum));
        let of_state = h.iter().zip(weight_hh.row(j)).fold(bias_hh[j], |sum, (&h, &w)| h.mul_add(w, sum));
        A::from_f64(libm::tanh((of_input + of_state).into_f64()))
    };
    (0..h.len()).map(unit).collect()
}

fn assert_close<A: Scalar>(actual: ArrayView1<'_, A>, expected: &[A]) {
    let tolerance = if A::SINGLE { 1e-6 } else { 1e-13 };
    for (a, b) in actual.into_iter().zip(expected) {
        let difference = (a.into_f64() - b.into_f64()).abs();
        assert!(difference <= tolerance, "{a} differs from {b}");
    }
}

/// One step of one sequence that carries its state on.
fn step<A: Scalar>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("step/{}", dtype::<A>()));
    for size in [16, 64, 256] {
        let rnn = Rnn::<A>::new(RnnConfig::new(size, size), &mut manual_seed(0)).expect("a positive size");
        let cell =
            RnnCell::<A>::new(RnnCellConfig::new(size, size), &mut manual_seed(0)).expect("a positive size");
        let x: Array2<A> = uniform((1, size));
        let first = cell.forward(&x, None).expect("the shapes fit");
        assert_close(first.row(0), &next_state(&rnn, x.row(0), &vec![A::zero(); size]));

        group.throughput(Throughput::Elements(4 * (size * size) as u64));
        group.bench_function(BenchmarkId::new("RnnCell", size), |bencher| {
            let mut state = Array2::zeros((1, size));
            bencher.iter(|| state = cell.forward(black_box(&x), Some(&state)).expect("the shapes fit"));
        });
        group.bench_function(BenchmarkId::new("Rnn", size), |bencher| {
            let x = x.clone().insert_axis(Axis(0));
            let mut state = Array3::zeros((1, 1, size));
            bencher.iter(|| state = rnn.forward(black_box(&x), Some(&state)).expect("the shapes fit").1);
        });
    }
}

fn dtype<A: Scalar>() -> &'static str {
    if A::SINGLE { "f32" } else { "f64" }
}

/// Uniform in [-1, 1).
fn uniform<A: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>) -> Array<A, D> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(1)).expect("the bounds are finite");
    array
}
