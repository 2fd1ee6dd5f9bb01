//! Small functions, draws from weights, dropout, embeddings with a largest norm, cross entropy with probabilities:
//! compared with torch's over the fixtures of `golden/functions.py`; bad input.

use crate::common::golden::Golden;
use crate::common::training::{cases, difference, expect_message, size, sizes, uniform_in};
use crate::common::{Real, TestResult, in_both_types};
use ndarray::{Array2, Array3, ArrayD, Axis, array};
use ndarray_rnn::functional::{accuracy, argmax, log_softmax, relu, relu_backward, sample, softmax};
use ndarray_rnn::io::StateDict;
use ndarray_rnn::loss::{CrossEntropyLoss, Reduction};
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::random::{self, Mt19937};
use ndarray_rnn::{Dropout, Embedding, EmbeddingConfig, manual_seed};
use rand::Rng;
use serde_json::Value;

fn fixture() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../golden/functions.safetensors"))
}

fn seeded(case: &Value) -> TestResult<Mt19937> {
    Ok(manual_seed(case["seed"].as_u64().ok_or("no seed")?))
}

/// The indices that torch made, as integers of 64 bits.
fn expect_indices(golden: &Golden, name: &str, actual: &ArrayD<usize>) -> TestResult {
    let actual: Vec<i64> = actual.iter().map(|&index| Ok(index.try_into()?)).collect::<TestResult<_>>()?;
    assert_eq!(actual, golden.integers(name)?, "{name}");
    Ok(())
}

/// The generator is where torch's is.
fn expect_next(golden: &Golden, name: &str, rng: &mut Mt19937) -> TestResult {
    let next: ArrayD<f64> = uniform_in(&[1][..], [0.0, 1.0], rng)?;
    assert_eq!(next, golden.array::<f64>(&format!("{name}.next"))?, "{name}");
    Ok(())
}

#[track_caller]
fn expect_near<A: Real>(golden: &Golden, name: &str, actual: &ArrayD<A>, tolerance: f64) -> TestResult {
    let expected = golden.array(name)?;
    let actual = actual.clone().into_shape_with_order(expected.raw_dim())?;
    let here = difference(&actual, &expected, name);
    assert!(here <= tolerance, "{here:e} in {name}");
    Ok(())
}

fn functions<A: Real>(tolerance: f64) -> TestResult {
    let golden = fixture()?;
    for (name, case) in cases::<A>(&golden, "softmax")? {
        let mut rng = seeded(&case)?;
        let (shape, scale) = (sizes(&case["shape"])?, case["scale"].as_f64().ok_or("no scale")?);
        let x: ArrayD<A> = uniform_in(&shape[..], [-scale, scale], &mut rng)?;
        let d: ArrayD<A> = uniform_in(&shape[..], [-1.0, 1.0], &mut rng)?;
        let (axis, name) = (Axis(size(&case["axis"])?), |result| format!("{name}.{result}"));
        expect_near(&golden, &name("softmax"), &softmax(&x, axis)?, tolerance)?;
        expect_near(&golden, &name("log_softmax"), &log_softmax(&x, axis)?, tolerance)?;
        expect_indices(&golden, &name("argmax"), &argmax(&x, axis)?)?;
        let y = relu(&x)?;
        expect_near(&golden, &name("relu"), &y, 0.0)?;
        expect_near(&golden, &name("relu_backward"), &relu_backward(&y, &d)?, 0.0)?;
    }
    Ok(())
}

/// torch rounds each exponential, their sum and the quotient.
#[test]
fn functions_are_torchs() -> TestResult {
    functions::<f32>(4e-7)?;
    functions::<f64>(5e-16)
}

/// Every one of 2,728 indices, and every word drawn.
fn draws_are_torchs<A: Real>() -> TestResult {
    let golden = fixture()?;
    for (name, case) in cases::<A>(&golden, "multinomial")? {
        let (mut rng, shape) = (seeded(&case)?, sizes(&case["shape"])?);
        let indices = if let Some(temperature) = case["temperature"].as_f64() {
            let logits: ArrayD<A> = uniform_in(&shape[..], [-4.0, 4.0], &mut rng)?;
            sample(&logits, temperature, &mut rng)?
        } else {
            let drawn: ArrayD<f64> = uniform_in(&shape[..], [0.0, 1.0], &mut rng)?;
            let weights = drawn.mapv(|u| u.powi(8)).mapv(|w| A::from_f64(if w < 1e-6 { 0.0 } else { w }));
            random::multinomial(&weights, &mut rng)?
        };
        expect_indices(&golden, &format!("{name}.indices"), &indices)?;
        expect_next(&golden, &name, &mut rng)?;
    }
    Ok(())
}

fn dropout_is_torchs_bit_for_bit<A: Real>() -> TestResult {
    let golden = fixture()?;
    for (name, case) in cases::<A>(&golden, "dropout")? {
        let (mut rng, shape) = (seeded(&case)?, sizes(&case["shape"])?);
        let x: ArrayD<A> = uniform_in(&shape[..], [-1.0, 1.0], &mut rng)?;
        let (output, mask) = Dropout::new(case["p"].as_f64().ok_or("no p")?)?.forward_train(&x, &mut rng)?;
        let d_output: ArrayD<A> = uniform_in(&shape[..], [-1.0, 1.0], &mut rng)?;
        expect_near(&golden, &format!("{name}.output"), &output, 0.0)?;
        expect_near(&golden, &format!("{name}.gradient"), &mask.backward(&d_output)?, 0.0)?;
        expect_next(&golden, &name, &mut rng)?;
    }
    Ok(())
}

fn renorm<A: Real>(tolerance: f64) -> TestResult {
    let golden = fixture()?;
    let indices = array![[4, 2, 4], [0, 9, 2]];
    for (name, case) in cases::<A>(&golden, "renorm")? {
        let mut rng = seeded(&case)?;
        let config = EmbeddingConfig::new(10, 3)
            .padding_idx(0)
            .max_norm(case["max_norm"].as_f64().ok_or("no max_norm")?)
            .norm_type(case["norm_type"].as_f64().unwrap_or(f64::INFINITY));
        let mut embedding = Embedding::<A>::new(config, &mut rng)?;
        let before = embedding.forward(&indices)?;
        embedding.renorm(&indices)?;
        let output = embedding.forward(&indices)?;
        assert_eq!(before, output, "{case}");
        let d_output = uniform_in((2, 3, 3), [-1.0, 1.0], &mut rng)?;
        let gradient = embedding.backward(&indices, &d_output)?;
        expect_near(&golden, &format!("{name}.output"), &output.into_dyn(), tolerance)?;
        expect_near(&golden, &format!("{name}.table"), &embedding.weight().clone().into_dyn(), tolerance)?;
        expect_near(&golden, &format!("{name}.weight"), &gradient.weight().clone().into_dyn(), tolerance)?;
    }
    Ok(())
}

/// torch's first vectors are within 1e-6, see `random::normal`.
#[test]
fn long_vectors_are_shortened_as_torchs() -> TestResult {
    renorm::<f32>(1e-6)?;
    renorm::<f64>(1e-14)
}

fn probabilities<A: Real>(tolerance: f64) -> TestResult {
    let golden = fixture()?;
    for (name, case) in cases::<A>(&golden, "probabilities")? {
        let (mut rng, shape) = (seeded(&case)?, sizes(&case["shape"])?);
        let x: ArrayD<A> = uniform_in(&shape[..], [-3.0, 3.0], &mut rng)?;
        let target: ArrayD<f64> = uniform_in(&shape[..], [-1.0, 1.0], &mut rng)?;
        let axis = Axis(usize::from(shape.len() > 1));
        let target = softmax(&target, axis)?.mapv(|y| A::from_f64(3.0 * y));
        let smoothing = case["label_smoothing"].as_f64().ok_or("no smoothing")?;
        let mut loss = CrossEntropyLoss::new().label_smoothing(smoothing);
        if let Some(weight) = case["weight"].as_array() {
            loss = loss.weight(weight.iter().filter_map(Value::as_f64));
        }
        let (value, gradient) = if case["reduction"] == "none" {
            let losses = loss.unreduced_probabilities(&x, &target)?;
            let cotangent = uniform_in(losses.values.raw_dim(), [-1.0, 1.0], &mut rng)?;
            let gradient = losses.backward(&cotangent)?;
            (losses.values, gradient)
        } else {
            let reduction = if case["reduction"] == "sum" { Reduction::Sum } else { Reduction::Mean };
            let loss = loss.reduction(reduction).forward_probabilities(&x, &target)?;
            (ArrayD::from_elem(vec![1], loss.value), loss.gradient)
        };
        expect_near(&golden, &format!("{name}.value"), &value, tolerance)?;
        expect_near(&golden, &format!("{name}.gradient"), &gradient, tolerance)?;
    }
    Ok(())
}

/// torch rounds each product and sum to its type.
#[test]
fn cross_entropy_of_probabilities_is_torchs() -> TestResult {
    probabilities::<f32>(1e-6)?;
    probabilities::<f64>(2e-15)
}

/// torch.tensor([1., nan, 3.]).argmax() is 1, and so is that of two NaNs.
#[test]
fn a_nan_is_the_largest() -> TestResult {
    let nan = f32::NAN;
    let rows: Array2<f32> = array![[1.0, nan, 3.0], [2.0, nan, nan], [f32::NEG_INFINITY; 3]];
    assert_eq!(argmax(&rows, Axis(1))?, array![1, 1, 0]);
    assert!(softmax(&rows, Axis(1))?.iter().all(|p| p.is_nan()));
    Ok(())
}

#[test]
fn the_share_of_right_classes_is_counted() -> TestResult {
    let logits: Array3<f32> = array![[[0.0, 2.0], [1.0, 1.0]], [[3.0, 0.0], [0.0, 1.0]]]; // (N, C, d1)
    assert_eq!(accuracy(&logits, &array![[1, 0], [1, 1]])?, 0.75);
    assert!(accuracy(&Array2::<f32>::zeros((0, 3)), &array![])?.is_nan());
    expect_message(
        accuracy(&logits, &array![[1, 0], [1, 2]]),
        "target: index 2 is out of bounds, num_classes is 2",
    );
    expect_message(accuracy(&logits, &array![[1], [0]]), "target: expected shape [2, 2], got [2, 1]");
    Ok(())
}

#[test]
fn functions_say_what_is_wrong() {
    let x = array![[1.0_f64, 0.0]];
    expect_message(softmax(&x, Axis(2)), "input should be at least 3-D, but got 2-D");
    let none = Array2::<f64>::zeros((2, 0));
    expect_message(argmax(&none, Axis(1)), "the axis of argmax must be greater than zero");
    expect_message(relu_backward(&x, &array![[1.0]]), "d_output: expected shape [1, 2], got [1, 1]");
    expect_message(Dropout::new(1.5), "p must be a number in [0, 1], got 1.5");
    let smoothed = CrossEntropyLoss::new().ignore_index(0);
    expect_message(
        smoothed.forward_probabilities(&x, &x),
        "ignore_index is not possible: targets that are probabilities have no index",
    );
    let embedding = |config| Embedding::<f32>::zeros(config).map(drop);
    let config = EmbeddingConfig::new(2, 2);
    expect_message(embedding(config.clone().max_norm(-1.0)), "max_norm must be at least 0, got -1");
    expect_message(embedding(config.norm_type(0.0)), "norm_type must be greater than 0, got 0");
}

/// Nothing is drawn then.
#[test]
fn draws_say_what_is_wrong() {
    let mut rng = manual_seed(0);
    let mut weights = |weights: [f64; 2], message: &str| {
        let weights: Array2<f64> = array![[1.0, 1.0], weights];
        expect_message(random::multinomial(&weights, &mut rng), message);
    };
    weights([1.0, -1.0], "a weight must be finite and at least 0, got -1");
    weights([f64::NAN, 1.0], "a weight must be finite and at least 0, got NaN");
    weights([1.0, f64::INFINITY], "a weight must be finite and at least 0, got inf");
    weights([0.0, 0.0], "the largest weight must be greater than 0, got 0");
    for temperature in [0.0, -1.0, f64::NAN] {
        let message = format!("temperature must be finite and greater than 0, got {temperature}");
        expect_message(sample(&array![1.0, 2.0], temperature, &mut rng), &message);
    }
    assert_eq!(rng.next_u32(), manual_seed(0).next_u32());
}

/// An index of weight 0 is not drawn, whatever the draw.
#[test]
fn nothing_is_drawn_that_cannot_be() -> TestResult {
    let logits = ArrayD::from_shape_fn(vec![500, 3], |i| if i[1] == 1 { 0.0 } else { f32::NEG_INFINITY });
    assert!(sample(&logits, 2.0, &mut manual_seed(0))?.iter().all(|&index| index == 1));
    Ok(())
}

/// A table that was saved and loaded keeps its padding through fine-tuning.
#[test]
fn padding_stays_after_loading() -> TestResult {
    let trained = Embedding::<f32>::new(EmbeddingConfig::new(4, 3).padding_idx(2), &mut manual_seed(0))?;
    let mut dict = StateDict::new();
    dict.add("embedding.", &trained)?;
    let mut loaded = Embedding::<f32>::from_state_dict(&dict.under("embedding."), Some(2))?;
    assert_eq!(loaded, trained);
    let mut adam = Adam::new(AdamConfig::new().lr(0.1), &loaded)?;
    for _ in 0..3 {
        let gradient = loaded.backward(&array![2, 1, 2], &Array2::ones((3, 3)))?;
        assert_eq!(gradient.weight().row(2), array![0.0, 0.0, 0.0]);
        adam.step(&mut loaded, &gradient)?;
    }
    assert_eq!(loaded.weight().row(2), array![0.0, 0.0, 0.0]);
    assert_ne!(loaded.weight().row(1), trained.weight().row(1));
    let message = "padding_idx: index 4 is out of bounds, num_embeddings is 4";
    expect_message(Embedding::<f32>::from_state_dict(&dict.under("embedding."), Some(4)), message);
    Ok(())
}

in_both_types!(draws_are_torchs, dropout_is_torchs_bit_for_bit);
