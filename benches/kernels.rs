//! Products of rows with packed weights, and packing, over shapes that recurrent networks have; activations.
//!
//! ```text
//! cargo bench --bench kernels            # elements are flops: Gelem/s is GF/s
//! cargo bench --bench kernels -- product/f32/6x
//! cargo bench --bench kernels -- activation
//! ```
//!
//! Each product must first equal the triple loop that defines it, bit for bit.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array, Array2, Dimension, IntoDimension};
use ndarray_rnn::kernels::{Activate, Activation, Chain, Element, Matrix, Panels, Product, Start, archs};
use ndarray_rnn::{Scalar, manual_seed, random};
use pulp::Arch;

/// Rows, depth, columns: single sequences, whole tiles, batches, the input of many steps.
const SHAPES: [[usize; 3]; 10] = [
    [1, 32, 32],
    [1, 128, 128],
    [1, 512, 512],
    [1, 1024, 1024],
    [2, 256, 256],
    [6, 256, 256],
    [32, 256, 256],
    [64, 512, 512],
    [128, 1024, 1024],
    [192, 64, 128],
];

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = products::<f32>, products::<f64>, packing::<f32>, activations::<f32>, activations::<f64>
}
criterion_main!(kernels);

fn products<A: Scalar>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("product/{}", dtype::<A>()));
    for [rows, depth, width] in SHAPES {
        let a = uniform::<A, _>((rows, depth));
        let weight = uniform((width, depth));
        let bias = uniform(width).to_vec();
        let panels = Panels::transposed(&weight).expect("there is memory");
        let mut c = vec![A::zero(); rows * width];
        multiply(&a, &panels, &bias, &mut c);
        assert_first_and_last_row(&a, &weight, &bias, &c);

        group.throughput(Throughput::Elements(2 * (rows * depth * width) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows}x{depth}x{width}")), |bencher| {
            bencher.iter(|| multiply(black_box(&a), &panels, &bias, &mut c));
        });
    }
}

fn multiply<A: Scalar>(a: &Array2<A>, weights: &Panels<A>, bias: &[A], c: &mut [A]) {
    let rows = a.as_slice().expect("it was made in standard layout");
    let a = Matrix::contiguous(rows, a.nrows(), a.ncols());
    let chain = Chain { start: Start::Bias(bias), a, weights: weights.all() };
    Arch::new().dispatch(Product::new(&[chain], c));
}

/// The definition: one chain of fused multiply-adds over k, from the bias.
fn assert_first_and_last_row<A: Scalar>(a: &Array2<A>, weight: &Array2<A>, bias: &[A], c: &[A]) {
    for r in [0, a.nrows() - 1] {
        for (j, w) in weight.outer_iter().enumerate() {
            let terms = a.row(r).into_iter().zip(w);
            let sum = terms.fold(bias[j], |sum, (&a, &w)| a.mul_add(w, sum));
            assert_eq!(c[r * bias.len() + j], sum, "row {r}, column {j}");
        }
    }
}

/// What the next forward pass pays for a change of weights.
fn packing<A: Scalar>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("packing/{}", dtype::<A>()));
    for size in [128, 512, 1024] {
        let weight = uniform::<A, _>((size, size));
        let panels = Panels::transposed(&weight).expect("there is memory");
        assert_eq!((panels.all().depth(), panels.all().width()), (size, size));
        group.throughput(Throughput::Bytes((size * size * size_of::<A>()) as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| Panels::transposed(black_box(&weight)));
        });
    }
}

/// Activations of 8 numbers, of 16, and of as many as a near cache holds, on every instruction set.
fn activations<A: Scalar>(criterion: &mut Criterion) {
    for (arch_name, arch) in archs() {
        let mut group = criterion.benchmark_group(format!("activation/{}/{arch_name}", dtype::<A>()));
        for activation in Activation::ALL {
            for length in [8, 16, 2048] {
                let from = uniform::<A, _>(length).mapv(|x| x * A::from_f64(4.0)).to_vec();
                let mut to = from.clone();
                group.throughput(Throughput::Elements(length as u64));
                group.bench_function(BenchmarkId::new(activation.to_string(), length), |bencher| {
                    bencher
                        .iter(|| arch.dispatch(Activate { activation, from: black_box(&from), to: &mut to }));
                });
            }
        }
    }
}

fn dtype<A: Element>() -> &'static str {
    if A::SINGLE { "f32" } else { "f64" }
}

/// Uniform in [-1, 1).
fn uniform<A: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>) -> Array<A, D> {
    let mut array = Array::zeros(shape.into_dimension());
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(0)).expect("the bounds are finite");
    array
}
