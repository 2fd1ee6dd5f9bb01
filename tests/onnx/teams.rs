//! Nodes whose units are shared among threads.

use std::error::Error;

use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView1, ArrayView2, Axis, array};
use ndarray_rnn::io::onnx::Model;

use crate::common::TestResult;
use crate::write::{field, initializer, model, node, tensor};

const UNITS: usize = 301;
const INPUT: usize = 5;
const STEPS: usize = 40;

/// Numbers around zero, those of a name others than those of another.
fn numbers(name: &str, shape: &[usize]) -> ArrayD<f64> {
    let mut state = name.bytes().fold(1_u64, |state, byte| state * 31 + u64::from(byte));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    ArrayD::from_shape_simple_fn(shape, || next() / 4.0)
}

fn sigmoid(sums: &Array1<f64>) -> Array1<f64> {
    sums.mapv(|x| 1.0 / (1.0 + libm::exp(-x)))
}

fn product(weights: &ArrayView2<'_, f64>, x: &ArrayView1<'_, f64>) -> Array1<f64> {
    weights.outer_iter().map(|row| row.iter().zip(x).map(|(weight, x)| weight * x).sum()).collect()
}

/// ONNX's definition of an LSTM with peepholes, its gates in the order i, o, f, c, for one sequence; its last h and c.
fn defined(weights: &[ArrayD<f64>; 3], x: &Array2<f64>) -> Result<[Array1<f64>; 2], Box<dyn Error>> {
    let [w, r, p] = weights.each_ref().map(|weight| weight.index_axis(Axis(0), 0));
    let w = w.into_dimensionality::<ndarray::Ix2>()?;
    let r = r.into_dimensionality::<ndarray::Ix2>()?;
    let p = p.into_shape_with_order((3, UNITS))?;
    let (mut h, mut c) = (Array1::<f64>::zeros(UNITS), Array1::<f64>::zeros(UNITS));
    for x in x.outer_iter() {
        let sums = product(&w, &x) + product(&r, &h.view());
        let gate = |k: usize| sums.slice_axis(Axis(0), (k * UNITS..(k + 1) * UNITS).into()).to_owned();
        let i = sigmoid(&(gate(0) + &p.row(0) * &c));
        let f = sigmoid(&(gate(2) + &p.row(2) * &c));
        c = &f * &c + &i * &gate(3).mapv(libm::tanh);
        let o = sigmoid(&(gate(1) + &p.row(1) * &c));
        h = o * c.mapv(libm::tanh);
    }
    Ok([h, c])
}

/// A sequence or two are worth several threads here, each of which takes some of the units, with their peepholes.
#[test]
fn peepholes_are_those_of_a_thread_s_own_units() -> TestResult {
    let shapes =
        [("W", vec![1, 4 * UNITS, INPUT]), ("R", vec![1, 4 * UNITS, UNITS]), ("P", vec![1, 3 * UNITS])];
    let weights = shapes.each_ref().map(|(name, shape)| numbers(name, shape));
    let stored = shapes.iter().zip(&weights).map(|((name, shape), weight)| {
        let bytes: Vec<u8> = weight.iter().flat_map(|x| x.to_le_bytes()).collect();
        initializer(&tensor(name, shape, 11, field(9, &bytes)))
    });
    let inputs = ["x", "W", "R", "", "", "", "", "P"];
    let bytes = model(&[stored.collect::<Vec<_>>().concat(), node("LSTM", &inputs, &["Y"], &[])]);
    let model = Model::<f64>::from_bytes(&bytes)?;
    let x: Array3<f64> = numbers("x", &[STEPS, 2, INPUT]).into_dimensionality()?;
    let mut one = None;
    for threads in [1, 2, 3, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        for batch in [1, 2] {
            let own = x.slice_axis(Axis(1), (..batch).into()).to_owned();
            let run = || model.nodes()[0].run(&own).forward();
            let output = pool.install(run)?;
            let c = output.y_c.ok_or("no cell state")?;
            for n in 0..batch {
                let expected = defined(&weights, &x.index_axis(Axis(1), n).to_owned())?;
                for (plane, expected) in [&output.y_h, &c].into_iter().zip(expected) {
                    let own = plane.index_axis(Axis(0), 0);
                    let own = own.row(n);
                    let largest = (&own - &expected).fold(0.0_f64, |largest, x| largest.max(x.abs()));
                    assert!(largest < 1e-13, "{threads} threads, {n} of {batch}: {largest}");
                }
            }
            let first = array![output.y_h[[0, 0, 0]], c[[0, 0, UNITS - 1]]];
            assert_eq!(*one.get_or_insert_with(|| first.clone()), first, "{threads} threads");
        }
    }
    Ok(())
}
