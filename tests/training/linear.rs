//! `Linear`, `Embedding` and `one_hot`, compared with torch and with the definition as plain loops; bad input.

use crate::common::golden::Golden;
use crate::common::training::{cases, difference, expect_message, fixture, size, sizes, uniform_in};
use crate::common::{Real, TestResult, in_both_types};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix2, IxDyn, arr0, array};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Parameters, manual_seed, one_hot};
use proptest::prelude::*;
use serde_json::Value;

const ROUNDINGS: [f64; 2] = [1e-6, 1e-14];

/// How far torch's sums, in other orders, may be from ours.
fn tolerance<A: Real>() -> f64 {
    ROUNDINGS[usize::from(!A::SINGLE)]
}

fn seeded(case: &Value) -> TestResult<Mt19937> {
    Ok(manual_seed(case["seed"].as_u64().ok_or("no seed")?))
}

fn linear_is_torchs<A: Real>() -> TestResult {
    let golden = fixture()?;
    let mut worst = 0.0_f64;
    for (name, case) in cases::<A>(&golden, "linear")? {
        let mut rng = seeded(&case)?;
        let config = LinearConfig::new(size(&case["in"])?, size(&case["out"])?).bias(case["bias"] == true);
        let leading = sizes(&case["leading"])?;
        let [x, y] = [config.in_features, config.out_features].map(|width| [&leading[..], &[width]].concat());
        let linear = Linear::<A>::new(config, &mut rng)?;
        let x: ArrayD<A> = uniform_in(x, [-1.0, 1.0], &mut rng)?;
        let d_output: ArrayD<A> = uniform_in(y, [-1.0, 1.0], &mut rng)?;
        let gradients = linear.backward(&x, &d_output)?;
        let mut results = gradients.parameters.state_dict();
        results.extend([("output".into(), linear.forward(&x)?), ("input".into(), gradients.input)]);
        for (result, actual) in results {
            let name = format!("{name}.{result}");
            worst = worst.max(difference(&actual, &golden.array(&name)?, &name));
        }
    }
    println!("linear in {}: {worst:e}", A::NAME);
    assert!(worst <= tolerance::<A>(), "{worst:e}");
    Ok(())
}

fn linear_is_drawn_bit_for_bit<A: Real>() -> TestResult {
    let golden = Golden::parse(include_bytes!("../golden/parameters.safetensors"))?;
    let linear = Linear::<A>::new(LinearConfig::new(7, 5), &mut manual_seed(3))?;
    for (name, value) in linear.state_dict() {
        assert_eq!(value, golden.array(&format!("linear.{}.{name}", A::NAME))?, "{name}");
    }
    Ok(())
}

fn embedding_is_torchs<A: Real>() -> TestResult {
    let golden = fixture()?;
    let indices = array![[4, 2, 4], [0, 9, 2]];
    for (name, case) in cases::<A>(&golden, "embedding")? {
        let mut rng = seeded(&case)?;
        let mut config = EmbeddingConfig::new(10, 3);
        if case["padding_idx"].is_u64() {
            config = config.padding_idx(size(&case["padding_idx"])?);
        }
        let embedding = Embedding::<A>::new(config, &mut rng)?;
        let output = embedding.forward(&indices)?;
        let d_output = uniform_in((2, 3, 3), [-1.0, 1.0], &mut rng)?;
        let gradient = embedding.backward(&indices, &d_output)?;
        let results = [
            ("table", embedding.weight().clone().into_dyn()),
            ("output", output.into_dyn()),
            ("weight", gradient.weight().clone().into_dyn()),
        ];
        for (result, actual) in results {
            let name = format!("{name}.{result}");
            let here = difference(&actual, &golden.array(&name)?, &name);
            assert!(here <= tolerance::<A>(), "{here:e} in {name}");
        }
    }
    Ok(())
}

/// A chain of fused multiply-adds.
fn chain<A: Real>(start: A, terms: impl Iterator<Item = (A, A)>) -> A {
    terms.fold(start, |sum, (a, b)| a.mul_add(b, sum))
}

/// Every sum written out and compared with both passes, for one layout of the input.
fn check_definition<A: Real>(rows: usize, config: LinearConfig, seed: u64, transposed: bool) -> TestResult {
    let mut rng = manual_seed(seed);
    let linear = Linear::<A>::new(config.clone(), &mut rng)?;
    let mut x: Array2<A> = uniform_in((rows, config.in_features), [-1.0, 1.0], &mut rng)?;
    let mut d: Array2<A> = uniform_in((rows, config.out_features), [-1.0, 1.0], &mut rng)?;
    if transposed {
        x = x.t().as_standard_layout().into_owned().reversed_axes();
        d = d.t().as_standard_layout().into_owned().reversed_axes();
    }
    let w = linear.parameters().weight();
    let bias = linear.parameters().bias().cloned().unwrap_or(Array1::zeros(config.out_features));
    let pairs = |a: ndarray::ArrayView1<'_, A>, b: ndarray::ArrayView1<'_, A>| {
        a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>().into_iter()
    };
    let zero = A::zero();
    let y = Array2::from_shape_fn(d.dim(), |(r, o)| chain(bias[o], pairs(x.row(r), w.row(o))));
    let d_x = Array2::from_shape_fn(x.dim(), |(r, i)| chain(zero, pairs(d.row(r), w.column(i))));
    let d_w = Array2::from_shape_fn(w.dim(), |(o, i)| chain(zero, pairs(d.column(o), x.column(i))));
    let d_b =
        Array1::from_shape_fn(config.out_features, |o| d.column(o).iter().fold(zero, |sum, &d| sum + d));
    assert_eq!(linear.forward(&x)?, y);
    let gradients = linear.backward(&x, &d)?;
    assert_eq!(gradients.input, d_x);
    assert_eq!(gradients.parameters.weight(), d_w);
    assert_eq!(gradients.parameters.bias(), config.bias.then_some(&d_b));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn every_sum_is_as_defined(
        rows in 0_usize..20, inputs in 1_usize..40, outputs in 1_usize..40,
        bias: bool, transposed: bool, seed: u64
    ) {
        let config = LinearConfig::new(inputs, outputs).bias(bias);
        let check = check_definition::<f32>(rows, config.clone(), seed, transposed);
        let check = check.and_then(|()| check_definition::<f64>(rows, config, seed, transposed));
        check.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

#[test]
fn any_number_of_axes_gives_the_same_rows() -> TestResult {
    let mut rng = manual_seed(1);
    let linear = Linear::<f32>::new(LinearConfig::new(3, 2), &mut rng)?;
    let x = uniform_in((2, 4, 3), [-1.0, 1.0], &mut rng)?;
    let y = linear.forward(&x)?;
    for (x, y) in x.outer_iter().zip(y.outer_iter()) {
        assert_eq!(linear.forward(&x)?, y);
        for (x, y) in x.outer_iter().zip(y.outer_iter()) {
            assert_eq!(linear.forward(&x)?, y);
        }
    }
    let dynamic = x.clone().into_dyn();
    assert_eq!(linear.forward(&dynamic)?, y.clone().into_dyn());
    let (whole, flat) = (linear.backward(&x, &y)?, linear.backward(&dynamic, &y.clone().into_dyn())?);
    assert_eq!(whole.parameters, flat.parameters);
    Ok(())
}

/// The packed weight follows the parameters.
#[test]
fn changed_parameters_take_effect() -> TestResult {
    let mut linear = Linear::<f64>::new(LinearConfig::new(2, 1), &mut manual_seed(0))?;
    let (x, d) = (array![[1.0, 2.0]], array![[1.0]]);
    linear.forward(&x)?;
    linear.backward(&x, &d)?;
    linear.load_state_dict([("weight", array![[3.0, 4.0]].into_dyn()), ("bias", array![0.5].into_dyn())])?;
    assert_eq!(linear.forward(&x)?, array![[11.5]]);
    assert_eq!(linear.backward(&x, &d)?.input, array![[3.0, 4.0]]);
    assert_eq!(linear.to_string(), "Linear(in_features=2, out_features=1, bias=True)");
    Ok(())
}

#[test]
fn linear_says_what_is_wrong() -> TestResult {
    let rng = &mut manual_seed(0);
    let zero = |inputs, outputs| Linear::<f32>::zeros(LinearConfig::new(inputs, outputs));
    expect_message(zero(0, 2), "in_features must be greater than zero");
    expect_message(zero(2, 0), "out_features must be greater than zero");
    let huge = usize::MAX / 2;
    let message = format!("weight: the shape [2, {huge}] holds more elements than memory can");
    expect_message(zero(huge, 2), &message);

    let linear = Linear::<f32>::new(LinearConfig::new(4, 2), rng)?;
    let x = Array2::zeros((3, 4));
    let message = "input.size(-1) must be equal to in_features. Expected 4, got 5";
    expect_message(linear.forward(&Array2::zeros((3, 5))), message);
    expect_message(linear.backward(&Array2::zeros((3, 5)), &Array2::zeros((3, 2))), message);
    let message = "input should be at least 1-D, but got 0-D";
    expect_message(linear.forward(&arr0(1.0)), message);
    expect_message(linear.forward(&ArrayD::zeros(IxDyn(&[]))), message);
    let message = "d_output: expected shape [3, 2], got [2, 2]";
    expect_message(linear.backward(&x, &Array2::zeros((2, 2))), message);
    Ok(())
}

#[test]
fn indices_become_vectors_in_any_shape() -> TestResult {
    let rows: Array2<f64> = one_hot(&array![2, 0], 3)?;
    assert_eq!(rows, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    assert_eq!(one_hot::<f32, _>(&arr0(1), 2)?, array![0.0, 1.0]);
    let batch = one_hot::<f32, _>(&array![[0, 1], [1, 1]], 2)?;
    assert_eq!(batch.index_axis(Axis(0), 1), array![[0.0, 1.0], [0.0, 1.0]]);

    // An embedding is a Linear of one-hot rows, without bias and transposed.
    let embedding = Embedding::<f64>::new(EmbeddingConfig::new(3, 2), &mut manual_seed(0))?;
    let mut linear = Linear::<f64>::zeros(LinearConfig::new(3, 2).bias(false))?;
    linear.load_state_dict([("weight", embedding.weight().t())])?;
    assert_eq!(embedding.forward(&array![2, 0])?, linear.forward::<Ix2>(&rows)?);
    Ok(())
}

#[test]
fn embedding_says_what_is_wrong() -> TestResult {
    let zeros = Embedding::<f32>::zeros;
    expect_message(zeros(EmbeddingConfig::new(0, 2)), "num_embeddings must be greater than zero");
    expect_message(zeros(EmbeddingConfig::new(2, 0)), "embedding_dim must be greater than zero");
    let message = "padding_idx: index 2 is out of bounds, num_embeddings is 2";
    expect_message(zeros(EmbeddingConfig::new(2, 2).padding_idx(2)), message);
    let embedding = zeros(EmbeddingConfig::new(2, 3))?;
    let message = "indices: index 2 is out of bounds, num_embeddings is 2";
    expect_message(embedding.forward(&array![0, 2]), message);
    expect_message(embedding.backward(&array![0, 2], &Array2::zeros((2, 3))), message);
    let message = "d_output: expected shape [2, 3], got [3, 2]";
    expect_message(embedding.backward(&array![0, 1], &Array2::zeros((3, 2))), message);
    let message = "indices: index 5 is out of bounds, num_classes is 5";
    expect_message(one_hot::<f32, _>(&array![5], 5), message);
    Ok(())
}

in_both_types!(linear_is_torchs, linear_is_drawn_bit_for_bit, embedding_is_torchs);
