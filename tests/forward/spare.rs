//! Half a pair of normal values, which the generator keeps from one array to the next.
//!
//! The fixtures hold what torch draws one after another from one seed, and the bytes of its generator then. A draw that
//! is refused, and one of other values than normal ones, leaves the half as it is.

use crate::common::golden::Golden;
use crate::common::{Real, TestResult, largest_difference, same_bits};
use ndarray::{Array1, ArrayD, ArrayRefD, array};
use ndarray_rnn::random::{Mt19937, NormalRng, WithSpare, bernoulli, normal, randperm, uniform};
use ndarray_rnn::{Embedding, EmbeddingConfig, init, manual_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const SPARE: &[u8] = include_bytes!("../golden/spare.safetensors");

// What torch draws

/// One array of a sequence.
fn drawn<A: Real, R: NormalRng + ?Sized>(draw: &str, shape: &[usize], rng: &mut R) -> TestResult<ArrayD<A>> {
    let mut values = ArrayD::<A>::zeros(shape);
    match draw {
        "normal" => normal(&mut values, -0.2, 0.3, rng)?,
        "uniform" => uniform(&mut values, 0.0, 1.0, rng)?,
        "xavier_normal" => init::xavier_normal(&mut values, 1.0, rng)?,
        "orthogonal" => init::orthogonal(&mut values, 1.0, rng)?,
        "embedding" => {
            let embedding = Embedding::<A>::new(EmbeddingConfig::new(shape[0], shape[1]), rng)?;
            values.assign(embedding.weight());
        }
        "bernoulli" => {
            for value in &mut values {
                *value = if bernoulli(0.3, rng)? { A::one() } else { A::zero() };
            }
        }
        _ => return Err(format!("no draw {draw}").into()),
    }
    Ok(values)
}

/// torch takes logarithm, sine and cosine from other libraries than this crate, and its QR rounds in `f32`.
fn compare<A: Real>(golden: &Golden, name: &str, draw: &str, rng: &mut Mt19937) -> TestResult {
    let expected = golden.array::<A>(name)?;
    let difference = largest_difference(&drawn::<A, _>(draw, expected.shape(), rng)?, &expected);
    let tolerance = if A::NAME == "f32" { 1e-6 } else { 4e-15 };
    assert!(difference <= tolerance, "{name}: {difference:e} from torch");
    Ok(())
}

/// One step of a sequence.
fn take_step(golden: &Golden, name: &str, seed: i64, step: &Value, rng: &mut Mt19937) -> TestResult {
    match (step["draw"].as_str().ok_or("no draw")?, step["dtype"].as_str()) {
        ("seed", _) => *rng = manual_seed(seed),
        ("refused", _) => assert!(normal(&mut Array1::<f32>::zeros(1), 0.0, -1.0, rng).is_err()),
        ("randperm", _) => {
            let expected = golden.integers(name)?;
            let order = randperm(expected.len(), rng)?.into_iter().map(|index| index as i64);
            assert!(order.eq(expected), "{name}");
        }
        (draw, Some("f32")) => compare::<f32>(golden, name, draw, rng)?,
        (draw, _) => compare::<f64>(golden, name, draw, rng)?,
    }
    Ok(())
}

/// The bytes are torch's but for the half, whose last bits differ, and which is zero if there is none.
fn compare_bytes(actual: &[u8], expected: &[u8], name: &str) -> TestResult {
    const HALF: std::ops::Range<usize> = 5024..5032;
    let half =
        |bytes: &[u8]| Ok::<_, std::array::TryFromSliceError>(f64::from_le_bytes(bytes[HALF].try_into()?));
    let [ours, torchs] = [half(actual)?, half(expected)?];
    assert!(
        (ours - torchs).abs() <= 4e-15 && (ours == 0.0) == (torchs == 0.0),
        "{name}: {ours} is not {torchs}"
    );
    let [ours, torchs] = [actual, expected].map(|bytes| (&bytes[..HALF.start], &bytes[HALF.end..]));
    assert!(ours == torchs, "{name}: other bytes than torch's");
    Ok(())
}

/// Draws one after another, then the bytes of the generator's state, then five values from torch's bytes.
#[test]
fn torch_keeps_half_a_pair() -> TestResult {
    let golden = Golden::parse(SPARE)?;
    let sequences = golden.metadata.as_object().ok_or("no sequences")?;
    assert_eq!(sequences.len(), 9);
    for seed in [0, -7] {
        for (name, steps) in sequences {
            let (name, rng) = (format!("{seed}/{name}"), &mut manual_seed(seed));
            for (i, step) in steps.as_array().ok_or("no steps")?.iter().enumerate() {
                take_step(&golden, &format!("{name}/{i}"), seed, step, rng)?;
            }
            let bytes = golden.bytes(&format!("{name}/state"))?;
            compare_bytes(&rng.to_torch_state(), bytes, &name)?;

            let mut from_torch = Mt19937::from_torch_state(bytes)?;
            assert!(from_torch.to_torch_state() == bytes, "{name}");
            let expected = golden.array::<f64>(&format!("{name}/next"))?;
            let mut values = ArrayD::<f64>::zeros(expected.shape());
            normal(&mut values, 0.0, 1.0, &mut from_torch)?;
            let difference = largest_difference(&values, &expected);
            assert!(difference <= 4e-15, "{name}: {difference:e} from torch");
        }
    }
    Ok(())
}

/// torch.manual_seed(0), then two of torch.nn.init.xavier_normal_(torch.empty(1, 3)), as torch prints them.
#[test]
fn the_second_of_two_arrays() -> TestResult {
    let (mut values, mut rng) = (ArrayD::<f64>::zeros(vec![1, 3]), manual_seed(0));
    for expected in [array![[1.08965, -0.20749, -1.54064]], array![[0.40194, -0.76687, -0.98896]]] {
        init::xavier_normal(&mut values, 1.0, &mut rng)?;
        let difference = largest_difference(&values, &expected.into_dyn());
        assert!(difference <= 5e-6, "{values}: {difference:e} from torch");
    }
    Ok(())
}

// What leaves the half as it is

type Refused = fn(&mut ArrayRefD<f32>, &mut Mt19937) -> ndarray_rnn::Result<()>;

#[test]
fn a_refused_draw_leaves_the_half() -> TestResult {
    let refused: [Refused; 6] = [
        |x, rng| normal(x, f64::NAN, 1.0, rng),
        |x, rng| normal(x, 0.0, -1.0, rng),
        |x, rng| init::xavier_normal(x, f64::INFINITY, rng),
        |x, rng| init::orthogonal(x, f64::NAN, rng),
        |_, rng| Embedding::<f32>::new(EmbeddingConfig::new(0, 3), rng).map(drop),
        |_, rng| Embedding::<f32>::new(EmbeddingConfig::new(3, 1).padding_idx(3), rng).map(drop),
    ];
    let mut rng = manual_seed(0);
    normal(&mut Array1::<f32>::zeros(1), 0.0, 1.0, &mut rng)?;
    assert!(rng.spare().is_some());
    for (i, refused) in refused.into_iter().enumerate() {
        let (mut values, before) = (ArrayD::ones(vec![1, 1]), rng.clone());
        assert!(refused(&mut values, &mut rng).is_err(), "draw {i}");
        assert_eq!((values, &rng), (ArrayD::ones(vec![1, 1]), &before), "draw {i} left a mark");
    }
    Ok(())
}

/// A half is part of what makes two generators equal, and NaN, which only a user can put there, is as well.
#[test]
fn generators_with_other_halves_differ() {
    let with = |half| {
        let mut rng = manual_seed(0);
        *rng.spare() = half;
        rng
    };
    let halves = [None, Some(0.5), Some(0.25), Some(0.0), Some(-0.0), Some(f64::NAN)];
    for (i, one) in halves.into_iter().enumerate() {
        for (j, two) in halves.into_iter().enumerate() {
            assert_eq!(with(one) == with(two), i == j, "{one:?} and {two:?}");
        }
    }
    assert_eq!(format!("{:?}", with(Some(0.5))), "Mt19937 { seed: 0, next: 625, spare: Some(0.5), .. }");
}

// Other generators

/// `WithSpare` gives the words and bytes of its generator, and keeps the half beside it.
#[test]
fn with_spare_draws_what_its_generator_draws() {
    let (mut with, mut alone) = (WithSpare::new(ChaCha8Rng::seed_from_u64(3)), ChaCha8Rng::seed_from_u64(3));
    let mut bytes = [[0; 7]; 2];
    with.fill_bytes(&mut bytes[0]);
    alone.fill_bytes(&mut bytes[1]);
    assert_eq!(bytes[0], bytes[1]);
    assert_eq!((with.next_u32(), with.next_u64()), (alone.next_u32(), alone.next_u64()));
    assert_eq!((with.rng.clone(), *with.spare()), (alone, None));
}

/// torch's generator draws the same behind a reference, in a box, and in a `WithSpare`, whose own half then counts.
#[test]
fn every_way_to_pass_a_generator() -> TestResult {
    fn two<R: NormalRng + ?Sized>(rng: &mut R) -> TestResult<[ArrayD<f32>; 2]> {
        Ok([drawn("embedding", &[1, 3], rng)?, drawn("xavier_normal", &[3, 1], rng)?])
    }
    let expected = two(&mut manual_seed(0))?;
    assert_eq!(two(&mut &mut manual_seed(0))?, expected);
    let mut boxed: Box<dyn NormalRng> = Box::new(manual_seed(0));
    assert_eq!(two(&mut boxed)?, expected);
    let mut inner = manual_seed(0);
    let dynamic: &mut dyn Rng = &mut inner;
    let mut with = WithSpare::new(dynamic);
    assert_eq!(two(&mut with)?, expected);
    assert!(with.spare().is_none());
    normal(&mut Array1::<f32>::zeros(1), 0.0, 1.0, &mut with)?;
    assert!(with.spare().is_some() && inner.spare().is_none());
    Ok(())
}

/// The half is that of the last pair, in `f64`, as the bytes of torch's state have it.
#[test]
fn the_half_is_a_standard_value() -> TestResult {
    let mut rng = manual_seed(0);
    normal(&mut Array1::<f32>::zeros(1), 5.0, 0.0, &mut rng)?;
    let half = rng.spare().ok_or("no half")?;
    assert!((half - -0.2934289057609464).abs() <= 4e-15, "{half}");
    *rng.spare() = Some(0.5);
    let mut value = Array1::<f64>::zeros(1);
    normal(&mut value, 1.0, 4.0, &mut rng)?;
    assert!(same_bits(value[0], 3.0), "{value}");
    assert_eq!(*rng.spare(), None);
    Ok(())
}
