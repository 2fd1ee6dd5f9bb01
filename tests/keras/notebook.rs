//! The notebook's two calls of `tf.keras.layers.SimpleRNN(2)`, whose weights it neither seeds nor prints.
//!
//! The weights of the second call follow from the 30 outputs that it prints, and are recovered here. With a zero
//! first state the first steps are tanh of the kernel's rows of h, e and l. The row of o and the recurrent kernel
//! solve the least squares of all steps. The recurrent kernel that is found is orthogonal, as Keras's initialiser
//! makes it, which proves the recovery.
//!
//! The weights of the first call do not follow from the six numbers that it prints: there are nine unknowns. The
//! test uses one of many sets that Keras could have drawn and that give these numbers.

use ndarray::{Array2, Array3, ArrayD, Axis, array};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig};

use crate::common::{Real, TestResult, largest_difference};

/// "hello", "eolll" and "lleel" as numbers among h, e, l, o.
const WORDS: [[usize; 5]; 3] = [[0, 1, 2, 2, 3], [1, 3, 2, 2, 2], [2, 2, 1, 1, 2]];

fn input<A: Real>() -> Array3<A> {
    Array3::from_shape_fn((3, 5, 4), |(n, t, i)| A::narrow(f64::from(u8::from(WORDS[n][t] == i))))
}

/// What the notebook prints for the first call.
fn printed_last() -> Array2<f64> {
    array![[0.63927287, -0.9321795], [0.9366004, -0.9246495], [0.36197236, -0.9104857]]
}

/// What it prints for the second call, return_sequences and return_state.
fn printed_sequences() -> (Array3<f64>, Array2<f64>) {
    let output = array![
        [
            [0.41671875, 0.75149643],
            [-0.01093186, -0.0412939],
            [-0.23885903, -0.61019343],
            [-0.02947876, -0.13416067],
            [0.589034, 0.5193354]
        ],
        [
            [0.36916515, 0.6169435],
            [0.2875167, -0.18302734],
            [-0.4970336, -0.51885283],
            [0.22681062, -0.21654943],
            [-0.45062372, -0.49282563]
        ],
        [
            [-0.24819823, -0.6356118],
            [-0.02076373, -0.10890364],
            [0.38470918, 0.6801698],
            [0.01933733, 0.03075416],
            [-0.2655577, -0.6538473]
        ],
    ];
    (output, array![[0.589034, 0.5193354], [-0.45062372, -0.49282563], [-0.2655577, -0.6538473]])
}

/// A layer of given weights whose bias is zero.
fn layer<A: Real>(kernel: &Array2<f64>, recurrent: &Array2<f64>) -> TestResult<SimpleRnn<A>> {
    let mut layer = SimpleRnn::zeros(SimpleRnnConfig::new(4, 2))?;
    let kernels = [kernel, recurrent].map(|kernel| kernel.mapv(A::narrow).into_dyn());
    layer.set_weights(kernels.into_iter().chain([ArrayD::zeros(vec![2])]))?;
    Ok(layer)
}

/// The solution x of `a x = b` in the least squares, by the normal equations and Gauss's elimination.
fn least_squares(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let product = |x: &Array2<f64>, y: &Array2<f64>| {
        Array2::from_shape_fn((x.ncols(), y.ncols()), |(i, j)| {
            (0..x.nrows()).map(|k| x[[k, i]] * y[[k, j]]).sum::<f64>()
        })
    };
    let (mut left, mut right) = (product(a, a), product(a, b));
    let n = left.nrows();
    for k in 0..n {
        for i in (0..n).filter(|&i| i != k) {
            let factor = left[[i, k]] / left[[k, k]];
            (0..n).for_each(|j| left[[i, j]] -= factor * left[[k, j]]);
            (0..right.ncols()).for_each(|j| right[[i, j]] -= factor * right[[k, j]]);
        }
    }
    Array2::from_shape_fn(right.raw_dim(), |(i, j)| right[[i, j]] / left[[i, i]])
}

/// Kernel and recurrent kernel from the printed outputs, and the largest residual in the space of atanh.
///
/// Each printed step is a row of `[one_hot(x_t), h_{t-1}] [kernel; recurrent] = atanh(h_t)`. All in `f64`.
fn recovered() -> TestResult<(Array2<f64>, Array2<f64>, f64)> {
    let (printed, _) = printed_sequences();
    let steps: Vec<_> = (0..3).flat_map(|n| (0..5).map(move |t| (n, t))).collect();
    let known = Array2::from_shape_fn((15, 6), |(row, j)| match (steps[row], j) {
        ((n, t), 0..4) => f64::from(u8::from(WORDS[n][t] == j)),
        ((_, 0), _) => 0.0,
        ((n, t), _) => printed[[n, t - 1, j - 4]],
    });
    let sums =
        Array2::from_shape_fn((15, 2), |(row, j)| libm::atanh(printed[[steps[row].0, steps[row].1, j]]));
    let weights = least_squares(&known, &sums);
    let fitted = Array2::from_shape_fn((15, 2), |(row, j)| {
        (0..6).map(|k| known[[row, k]] * weights[[k, j]]).sum::<f64>()
    });
    let residual = largest_difference(&fitted, &sums);
    let (kernel, recurrent) = weights.view().split_at(Axis(0), 4);
    Ok((kernel.to_owned(), recurrent.to_owned(), residual))
}

#[test]
fn the_weights_follow_from_the_printed_outputs() -> TestResult {
    let (kernel, recurrent, residual) = recovered()?;
    // Thirty equations, twelve unknowns: only the right weights fit all to the printed digits.
    assert!(residual < 2e-7, "residual {residual:e}");

    // The kernel's rows of h, e and l follow from the first steps alone, too.
    let (printed, _) = printed_sequences();
    for (n, letter) in [0, 1, 2].into_iter().enumerate() {
        for j in 0..2 {
            let first = libm::atanh(printed[[n, 0, j]]);
            assert!((kernel[[letter, j]] - first).abs() < 2e-7, "row {letter} of the kernel");
        }
    }

    // Keras's recurrent kernel is orthogonal: U'U = I.
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        let dot: f64 = (0..2).map(|k| recurrent[[k, i]] * recurrent[[k, j]]).sum();
        assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-6, "(U'U)[{i}, {j}] = {dot}");
    }
    // Its kernel is within Glorot's limit.
    assert!(kernel.iter().all(|w| w.abs() <= (6.0_f64 / 6.0).sqrt()));

    // The documentation and the example give these weights.
    let stated = array![
        [0.44371462, 0.9763843],
        [0.38745618, 0.72005519],
        [-0.25349188, -0.75077613],
        [0.64996598, 0.44059376]
    ];
    assert!(largest_difference(&kernel, &stated) < 2e-7);
    let stated = array![[-0.9997064, -0.0242289], [0.02422891, -0.99970662]];
    assert!(largest_difference(&recurrent, &stated) < 1e-6);
    Ok(())
}

#[test]
fn the_second_call_comes_out_of_the_recovered_weights() -> TestResult {
    let (kernel, recurrent, _) = recovered()?;
    let (printed, printed_state) = printed_sequences();
    let layer = layer::<f32>(&kernel, &recurrent)?;
    let (output, state) = layer.forward(&input())?;
    assert_eq!((output.dim(), state.dim()), ((3, 5, 2), (3, 2)));
    assert!(largest_difference(&output.mapv(f64::from), &printed) < 1e-6);
    assert!(largest_difference(&state.mapv(f64::from), &printed_state) < 1e-6);
    Ok(())
}

#[test]
fn the_first_call_comes_out_of_weights_that_keras_could_have_drawn() -> TestResult {
    let kernel = array![
        [-0.18016148, 0.82775794],
        [-0.84281312, -0.04004598],
        [0.63119048, -0.95884448],
        [0.0354544, -0.92437612]
    ];
    let (sin, cos) = libm::sincos(-0.2928708);
    let layer = layer::<f32>(&kernel, &array![[cos, -sin], [sin, cos]])?;
    let (output, _) = layer.call(&input()).last()?;
    assert_eq!(output.dim(), (3, 2));
    let difference = largest_difference(&output.mapv(f64::from), &printed_last());
    assert!(difference < 1e-6, "{difference:e}");
    assert!(kernel.iter().all(|w| w.abs() <= 1.0), "within Glorot's limit");
    assert_eq!(layer.get_weights().len(), layer.named_parameters().len());
    Ok(())
}
