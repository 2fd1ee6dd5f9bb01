//! Keras's seeds: what Keras 3.15 draws from them, and values that must stay.

use ndarray::{Array, ArrayD, Ix2, IxDyn};
use ndarray_rnn::keras::{
    self, Bidirectional, Initializer, MergeMode, SeedGenerator, SimpleRnn, SimpleRnnConfig,
};

use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, in_both_types};

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

/// Whether numbers are Keras's: bit for bit in `f32`; where logarithms and sines are in them, within 4e-15 in `f64`.
/// Orthogonal matrices within 1e-5, they come from another QR decomposition.
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

/// Kernel bit for bit, recurrent kernel within what its decomposition leaves.
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

in_both_types!(layers, initializers, draws);
