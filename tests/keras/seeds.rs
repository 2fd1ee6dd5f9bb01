//! Keras's seeds: what Keras 3.15 draws from them, and values that must not change.

use ndarray::{Array, Array1, Array2, ArrayD, Ix2, IxDyn, arr1, arr2, array};
use ndarray_rnn::Error;
use ndarray_rnn::keras::{
    self, Bidirectional, GruConfig, Initializer, Layer, LstmConfig, MergeMode, SeedGenerator, SimpleRnn,
    SimpleRnnConfig,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::kind::Kind;
use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, assert_same_bits, expect_error, in_both_types, largest_difference};

const FIXTURE: &[u8] = include_bytes!("../golden/keras_seeds.safetensors");

/// Every case of a kind in one type, and the numbers of each.
fn for_cases<A: Real>(kind: &str, count: usize, check: impl Fn(&Case, Vec<A>) -> TestResult) -> TestResult {
    let golden = Golden::parse(FIXTURE)?;
    let cases = golden.cases()?;
    let chosen: Vec<_> =
        cases.iter().filter(|case| case.is("kind", kind) && case.is("dtype", A::NAME)).collect();
    assert_eq!(chosen.len(), count, "cases of {kind}");
    for case in chosen {
        check(case, golden.array::<A>(&case.index.to_string())?.into_iter().collect())?;
    }
    Ok(())
}

/// Whether numbers are Keras's: bit for bit in `f32`, within 4e-15 in `f64` if logarithms and sines are in them.
/// Orthogonal matrices are within 1e-5, since they come from another QR decomposition.
fn compare<A: Real>(what: &str, actual: &[A], expected: &[A], exact: bool, orthogonal: bool) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let tolerance = match (orthogonal, A::NAME) {
        (true, "f32") => 1e-5,
        (true, _) => 1e-13,
        (false, "f64") if !exact => 4e-15,
        (false, _) => 0.0,
    };
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let difference = (a.wide() - e.wide()).abs();
        assert!(difference <= tolerance, "{what}[{i}]: {a} is not {e}, off by {difference:e}");
    }
}

/// The kernel is Keras's bit for bit, the recurrent kernel within the error of its decomposition.
fn compare_weights<A: Real>(case: &Case, models: &[ArrayD<A>], expected: &[A]) {
    let mut left = expected;
    for (i, weight) in models.iter().filter(|weight| weight.ndim() == 2).enumerate() {
        let (now, later) = left.split_at(weight.len());
        let weight: Vec<_> = weight.iter().copied().collect();
        compare(&format!("weight {i} of {case:?}"), &weight, now, true, i % 2 == 1);
        left = later;
    }
    assert!(left.is_empty(), "{case:?}");
}

fn seed(case: &Case) -> TestResult<u32> {
    Ok(u32::try_from(case.size("seed")?)?)
}

/// The configurations of a case's layers.
fn configs(case: &Case) -> TestResult<Vec<SimpleRnnConfig>> {
    let layers = case.value["layers"].as_array().ok_or("no layers")?;
    let size = |value: &serde_json::Value| value.as_u64().map(|size| size as usize).ok_or("no size");
    layers.iter().map(|layer| Ok(SimpleRnnConfig::new(size(&layer[0])?, size(&layer[1])?))).collect()
}

fn layers<A: Real>() -> TestResult {
    for_cases::<A>("layer", 8, |case, expected| {
        let mut rng = keras::set_random_seed(seed(case)?);
        let mut weights = Vec::new();
        for config in configs(case)? {
            weights.extend(SimpleRnn::<A>::new(config, &mut rng)?.get_weights());
        }
        compare_weights(case, &weights, &expected);
        Ok(())
    })
}

#[test]
fn bidirectional() -> TestResult {
    for_cases::<f32>("bidirectional", 3, |case, expected| {
        let mut rng = keras::set_random_seed(seed(case)?);
        let config = configs(case)?.remove(0);
        let layer = Bidirectional::<f32>::new(config, MergeMode::Concat, &mut rng)?;
        compare_weights(case, &layer.get_weights(), &expected);
        Ok(())
    })
}

/// Layers with gates, built after all were made; or the two layers of a Bidirectional.
fn gated_layers<C: Kind, A: Real>(case: &Case) -> TestResult<(Vec<Layer<C, A>>, Vec<ArrayD<A>>)> {
    let options = Case { index: case.index, value: case.value["options"].clone() };
    let sizes: Vec<[usize; 2]> = serde_json::from_value(case.value["layers"].clone())?;
    let configs = sizes.into_iter().map(|[input_dim, units]| {
        let config = C::new(input_dim, units).own(&options)?;
        let config = match options.text("bias_initializer") {
            Some("glorot_uniform") => config.bias_initializer(Initializer::glorot_uniform()),
            Some("random_normal") => config.bias_initializer(Initializer::random_normal(0.0, 0.05)),
            Some("orthogonal") => config.bias_initializer(Initializer::orthogonal(1.0)),
            _ => config,
        };
        Ok(options.number("seed").map_or(config.clone(), |seed| config.seed(seed as i64)))
    });
    let mut rng = keras::set_random_seed(seed(case)?);
    let mut configs = configs.collect::<TestResult<Vec<_>>>()?;
    if case.value["bidirectional"] == true {
        let both = Bidirectional::<A, C>::new(configs.remove(0), MergeMode::Concat, &mut rng)?;
        let layers = vec![both.forward_layer().clone(), both.backward_layer().clone()];
        return Ok((layers, both.get_weights()));
    }
    let layers = configs.into_iter().map(|config| Ok(Layer::new(config, &mut rng)?));
    let layers = layers.collect::<TestResult<Vec<_>>>()?;
    let weights = layers.iter().flat_map(Layer::get_weights).collect();
    Ok((layers, weights))
}

fn check_gated<C: Kind, A: Real>(case: &Case, expected: &[A]) -> TestResult {
    let (layers, weights) = gated_layers::<C, A>(case)?;
    let seeds: Vec<_> = layers.iter().map(|layer| layer.seed_generator().seed()).collect();
    let expected_seeds: Vec<i64> = serde_json::from_value(case.value["dropout_seeds"].clone())?;
    assert_eq!(seeds, expected_seeds, "seeds of dropout of {case:?}");
    let bias = case.value["options"]["bias_initializer"].as_str().unwrap_or_default();
    let mut left = expected;
    for (i, weight) in weights.iter().enumerate() {
        let (now, later) = left.split_at(weight.len());
        let (exact, orthogonal) = match i % 3 {
            0 => (true, false),
            1 => (true, true),
            _ => (bias != "random_normal", bias == "orthogonal"),
        };
        let weight: Vec<_> = weight.iter().copied().collect();
        compare(&format!("weight {i} of {case:?}"), &weight, now, exact, orthogonal);
        left = later;
    }
    assert!(left.is_empty(), "{case:?}");
    Ok(())
}

/// All weights of LSTMs and GRUs, and the seeds of their dropout.
fn gated<A: Real>() -> TestResult {
    let count = if A::NAME == "f32" { 35 } else { 12 };
    for_cases::<A>("gated", count, |case, expected| match case.text("class") {
        Some("LSTM") => check_gated::<LstmConfig, A>(case, &expected),
        Some("GRU") => check_gated::<GruConfig, A>(case, &expected),
        _ => check_gated::<SimpleRnnConfig, A>(case, &expected),
    })
}

fn shape(case: &Case) -> TestResult<Vec<usize>> {
    Ok(serde_json::from_value(case.value["shape"].clone())?)
}

fn initializers<A: Real>() -> TestResult {
    let count = if A::NAME == "f32" { 62 } else { 55 };
    for_cases::<A>("initializer", count, |case, expected| {
        let name = case.text("name").ok_or("no name")?;
        let initializer = match name {
            "RandomUniform" => Initializer::random_uniform(-0.05, 0.05),
            "RandomNormal" => Initializer::random_normal(0.0, 0.05),
            "TruncatedNormal" => Initializer::truncated_normal(0.0, 0.05),
            "GlorotUniform" => Initializer::glorot_uniform(),
            "GlorotNormal" => Initializer::glorot_normal(),
            "HeUniform" => Initializer::he_uniform(),
            "HeNormal" => Initializer::he_normal(),
            "LecunUniform" => Initializer::lecun_uniform(),
            "LecunNormal" => Initializer::lecun_normal(),
            "Orthogonal" => Initializer::orthogonal(1.0),
            "Identity" => Initializer::identity(1.0),
            other => return Err(other.into()),
        };
        let mut array = ArrayD::<A>::zeros(IxDyn(&shape(case)?));
        let mut rng = keras::set_random_seed(0);
        initializer.seed(case.size("seed")? as i64).fill(&mut array, &mut rng)?;
        assert_eq!(rng, keras::set_random_seed(0), "{name} has a seed and drew another");
        let actual: Vec<_> = array.into_iter().collect();
        compare(&format!("{case:?}"), &actual, &expected, !name.contains("Normal"), name == "Orthogonal");
        Ok(())
    })
}

/// Keras 3.15 makes a tensor of one value, which is of single precision, before it converts to the layer's type. It does
/// so with no other initialiser: `Identity(0.1)` in double precision is 0.1.
#[test]
fn constants_are_of_single_precision() -> TestResult {
    let mut rng = keras::set_random_seed(0);
    let mut array = Array1::<f64>::zeros(2);
    for (value, expected) in [(0.1, 0.10000000149011612), (-1.0 / 3.0, -0.3333333432674408), (0.5, 0.5)] {
        Initializer::constant(value).fill(&mut array, &mut rng)?;
        assert_eq!(array, array![expected, expected]);
    }
    let mut square = Array2::<f64>::zeros((1, 1));
    Initializer::identity(0.1).fill(&mut square, &mut rng)?;
    assert_eq!(square, array![[0.1]]);
    // Keras refuses what single precision does not hold, in double precision too.
    let error = Error::OutOfRange { name: "value", expected: "finite as an f32", actual: 1e39 };
    let filled = Initializer::constant(1e39).fill(&mut array, &mut rng);
    expect_error(filled, &error, &format!("value must be finite as an f32, got {}", 1e39));
    Ok(())
}

fn draws<A: Real>() -> TestResult {
    for_cases::<A>("draw", 14, |case, expected| {
        let name = case.text("name").ok_or("no name")?;
        let mut array: Array<A, Ix2> = ArrayD::zeros(IxDyn(&shape(case)?)).into_dimensionality()?;
        let mut seeds = SeedGenerator::new(case.size("seed")? as i64).after(case.size("skip")? as u64);
        match name {
            "uniform" => seeds.uniform(&mut array, 0.0, 1.0)?,
            "normal" => seeds.normal(&mut array, 0.0, 1.0)?,
            "truncated_normal" => seeds.truncated_normal(&mut array, 0.0, 1.0)?,
            _ => seeds.dropout(&mut array, case.number("rate").ok_or("no rate")?)?,
        }
        assert_eq!(seeds.count(), case.size("skip")? as u64 + 1);
        let actual: Vec<_> = array.into_iter().collect();
        compare(&format!("{case:?}"), &actual, &expected, !name.contains("normal"), false);
        Ok(())
    })
}

/// Any generator serves. ChaCha8 gives three seeds, from which Keras draws these numbers too, the orthogonal
/// matrix within the error of its decomposition.
#[test]
fn values_from_chacha_are_frozen() -> TestResult {
    let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(3, 2), &mut ChaCha8Rng::seed_from_u64(0))?;
    // The generator's first words are 2811902828, 3045455719, 3134767159 (`value_stability.rs`); a seed is a
    // quarter of a word, plus 1.
    assert_eq!(layer.seed_generator(), SeedGenerator::new(702_975_708));
    let named = |kernel, recurrent| {
        SimpleRnnConfig::new(3, 2)
            .seed(702_975_708)
            .kernel_initializer(Initializer::glorot_uniform().seed(kernel))
            .recurrent_initializer(Initializer::orthogonal(1.0).seed(recurrent))
    };
    assert_eq!(*layer.config(), named(761_363_930, 783_691_790));
    let kernel = [[-0.9994035, -0.06314802], [0.7777661, -0.8864131], [0.9617648, 0.89779305]];
    assert_same_bits(layer.parameters().kernel(), &arr2(&kernel), "kernel");
    let recurrent = [[-0.2735386, 0.961861], [-0.961861, -0.2735386]];
    assert!(largest_difference(layer.parameters().recurrent_kernel(), &arr2(&recurrent)) < 1e-6);
    Ok(())
}

/// In `f64` Keras's normal values are within 4e-15 only, so the crate's own bits are held here: three draws of one
/// generator. (Keras has all these numbers but the first, which is 1 ULP off.)
#[test]
fn values_in_double_precision_are_frozen() -> TestResult {
    let mut seeds = SeedGenerator::new(11);
    let (mut normal, mut truncated, mut uniform) = (Array1::zeros(4), Array1::zeros(4), Array1::zeros(3));
    seeds.normal(&mut normal, 0.0, 1.0)?;
    seeds.truncated_normal(&mut truncated, 0.0, 1.0)?;
    seeds.uniform(&mut uniform, 0.0, 1.0)?;
    let expected = [-0.3344804817070861, -0.5051178315043464, 0.6630744919006859, -1.6762516126855658];
    assert_same_bits(&normal, &arr1(&expected), "normal");
    let expected = [-0.5430233820070975, 0.16702204812494836, 0.5686777264811782, 0.3205982516065233];
    assert_same_bits(&truncated, &arr1(&expected), "truncated normal");
    let expected = [0.9947869948668362, 0.4780740430589798, 0.6761941049621913];
    assert_same_bits(&uniform, &arr1(&expected), "uniform");
    Ok(())
}

/// An element whose number is the rate itself is kept, as Keras keeps it.
#[test]
fn dropout_at_the_rate() -> TestResult {
    let (mut numbers, mut factors) = (Array1::<f32>::zeros(4), Array1::<f32>::zeros(4));
    SeedGenerator::new(11).uniform(&mut numbers, 0.0, 1.0)?;
    SeedGenerator::new(11).dropout(&mut factors, numbers[1].into())?;
    assert_eq!(factors, arr1(&[1.299826; 4])); // keras.random.dropout(ones(4), 0.23066628, SeedGenerator(11))
    Ok(())
}

/// Rates at the ends of their range draw nothing.
#[test]
fn dropout_of_nothing_and_of_all() -> TestResult {
    let mut seeds = SeedGenerator::new(1);
    for (rate, factor) in [(0.0, 1.0), (1.0, 0.0)] {
        let mut factors = Array1::<f64>::from_elem(3, 5.0);
        seeds.dropout(&mut factors, rate)?;
        assert_eq!(factors, arr1(&[factor; 3]));
    }
    assert_eq!(seeds, SeedGenerator::new(1));
    for rate in [-0.5, 1.5, f64::NAN] {
        assert!(seeds.dropout(&mut Array1::<f32>::zeros(1), rate).is_err(), "{rate}");
    }
    Ok(())
}

in_both_types!(layers, gated, initializers, draws);
