//! Random numbers: what torch draws from a seed, and what the functions refuse.
//!
//! The fixtures hold torch's numbers. Uniform values, events and permutations must equal them bit for bit, normal
//! values as closely as two libraries' logarithms agree. An argument out of range is refused before anything is
//! drawn.

use crate::common::golden::Golden;
use crate::common::{
    NOT_FINITE, Real, TestResult, assert_same_bits, in_both_types, largest_difference, same_bits,
};
use ndarray::{Array1, ArrayD, arr1};
use ndarray_rnn::random::{Mt19937, bernoulli, normal, randperm, uniform};
use ndarray_rnn::{Error, FileError, manual_seed};

const RANDOM: &[u8] = include_bytes!("../golden/random.safetensors");
const RNG_STATE: &[u8] = include_bytes!("../golden/rng_state.safetensors");

// What torch draws

/// A fixture's name: `{seed}/{draw}/...`; the third part is the type where there is one.
struct Draw<'a> {
    name: &'a str,
    seed: i64,
    arguments: Vec<&'a str>,
}

impl Draw<'_> {
    fn rng(&self) -> Mt19937 {
        manual_seed(self.seed)
    }

    /// A number within the name.
    fn number(&self, index: usize) -> TestResult<f64> {
        Ok(self.arguments.get(index).ok_or("too few arguments")?.parse()?)
    }
}

/// Calls `check` with every fixture of one kind, of which there are `count`.
fn each(prefix: &str, count: usize, mut check: impl FnMut(&Golden, &Draw<'_>) -> TestResult) -> TestResult {
    let golden = Golden::parse(RANDOM)?;
    let mut checked = 0;
    for name in golden.names() {
        let (seed, draw) = name.split_once('/').ok_or("no seed")?;
        if let Some(arguments) = draw.strip_prefix(prefix) {
            let (seed, arguments) = (seed.parse()?, arguments.split('/').collect());
            check(&golden, &Draw { name: &name, seed, arguments })?;
            checked += 1;
        }
    }
    assert_eq!(checked, count, "fixtures of {prefix}");
    Ok(())
}

/// torch takes logarithm, sine and cosine from other libraries than this crate.
fn normal_tolerance<A: Real>() -> f64 {
    if A::NAME == "f32" { 1e-6 } else { 4e-15 }
}

fn torch_uniform<A: Real>() -> TestResult {
    each(&format!("uniform/{}/", A::NAME), 9, |golden, draw| {
        let mut values = ArrayD::<A>::zeros(vec![40]);
        uniform(&mut values, draw.number(0)?, draw.number(1)?, &mut draw.rng())?;
        assert_same_bits(&values, &golden.array(draw.name)?, draw.name);
        Ok(())
    })
}

fn torch_normal<A: Real>() -> TestResult {
    each(&format!("normal/{}/", A::NAME), 81, |golden, draw| {
        let expected = golden.array::<A>(draw.name)?;
        let mut values = ArrayD::<A>::zeros(expected.shape());
        normal(&mut values, draw.number(0)?, draw.number(1)?, &mut draw.rng())?;
        let difference = largest_difference(&values, &expected);
        assert!(difference <= normal_tolerance::<A>(), "{}: {difference:e} from torch", draw.name);
        Ok(())
    })
}

/// torch's `dropout` keeps an element of ones if an event of probability 1 - p happens, as 1 / (1 - p).
fn torch_dropout<A: Real>() -> TestResult {
    each(&format!("dropout/{}/", A::NAME), 9, |golden, draw| {
        let (keep, rng) = (1.0 - draw.number(0)?, &mut draw.rng());
        let kept = A::one() / A::narrow(keep);
        let mut values = ArrayD::<A>::zeros(vec![6, 5]);
        for value in &mut values {
            *value = if bernoulli(keep, rng)? { kept } else { A::zero() };
        }
        assert_same_bits(&values, &golden.array(draw.name)?, draw.name);
        Ok(())
    })
}

#[test]
fn torch_bernoulli() -> TestResult {
    each("bernoulli/f32/", 3, |golden, draw| {
        let (p, rng) = (draw.number(0)?, &mut draw.rng());
        for &expected in &golden.array::<f32>(draw.name)? {
            assert_eq!(bernoulli(p, rng)?, expected == 1.0, "{}", draw.name);
        }
        Ok(())
    })
}

#[test]
fn torch_randperm() -> TestResult {
    each("randperm/", 12, |golden, draw| {
        let order = randperm(draw.number(0)? as usize, &mut draw.rng())?;
        let order: Vec<i64> = order.into_iter().map(i64::try_from).collect::<Result<_, _>>()?;
        assert_eq!(order, golden.integers(draw.name)?, "{}", draw.name);
        Ok(())
    })
}

/// One step of a sequence of draws.
fn compare_step<A: Real>(golden: &Golden, name: &str, draw: &str, rng: &mut Mt19937) -> TestResult {
    let expected = golden.array::<A>(name)?;
    let mut values = ArrayD::<A>::zeros(expected.shape());
    if draw == "uniform" {
        uniform(&mut values, 0.0, 1.0, rng)?;
        assert_same_bits(&values, &expected, name);
    } else {
        normal(&mut values, 0.0, 1.0, rng)?;
        let difference = largest_difference(&values, &expected);
        assert!(difference <= normal_tolerance::<A>(), "{name}: {difference:e} from torch");
    }
    Ok(())
}

/// Draws one after another. The generator keeps half a pair over other draws and between types, as torch's does.
#[test]
fn torch_sequences() -> TestResult {
    let golden = Golden::parse(RANDOM)?;
    let sequences = golden.metadata.as_object().ok_or("no sequences")?;
    assert_eq!(sequences.len(), 5);
    for seed in [0, 7, -1] {
        for (name, steps) in sequences {
            let rng = &mut manual_seed(seed);
            for (i, step) in steps.as_array().ok_or("no steps")?.iter().enumerate() {
                let name = format!("{seed}/sequence/{name}/{i}");
                let draw = step["draw"].as_str().ok_or("no draw")?;
                if step["dtype"] == "f32" {
                    compare_step::<f32>(&golden, &name, draw, rng)?;
                } else {
                    compare_step::<f64>(&golden, &name, draw, rng)?;
                }
            }
        }
    }
    Ok(())
}

// Invalid arguments

/// Expects the error, with nothing written and nothing drawn.
fn expect_refused<A: Real>(
    draw: impl Fn(&mut Array1<A>, &mut Mt19937) -> ndarray_rnn::Result<()>,
    (name, expected, actual): (&str, &str, f64),
) -> TestResult {
    let (mut values, mut rng) = (arr1(&[A::one()]), manual_seed(0));
    let Err(error) = draw(&mut values, &mut rng) else {
        return Err(format!("no error for {name} {actual}").into());
    };
    assert_eq!(error.to_string(), format!("{name} must be {expected}, got {actual}"));
    let Error::OutOfRange { name: n, expected: e, actual: a } = error else {
        return Err(format!("{error:?} for {name} {actual}").into());
    };
    assert_eq!((n, e), (name, expected));
    assert!(same_bits(a, actual), "{a} is not {actual}");
    assert_eq!((values[0], rng), (A::one(), manual_seed(0)), "{name} {actual} left a mark");
    Ok(())
}

fn uniform_refuses_bad_bounds<A: Real>() -> TestResult {
    const HIGH: &str = "at least low, at a finite distance";
    let check = |low, high, error| expect_refused::<A>(|x, rng| uniform(x, low, high, rng), error);
    for bad in NOT_FINITE {
        check(bad, 1.0, ("low", "finite", bad))?;
        check(0.0, bad, ("high", HIGH, bad))?;
    }
    check(1.0, 0.5, ("high", HIGH, 0.5))?;
    // Either bound is finite, but not their distance; torch refuses it too.
    let most = A::max_value().wide();
    check(-most, most, ("high", HIGH, most))
}

#[test]
fn uniform_refuses_bounds_beyond_its_type() -> TestResult {
    let check = |low, high, error| expect_refused::<f32>(|x, rng| uniform(x, low, high, rng), error);
    check(-1e300, 0.0, ("low", "finite", -1e300))?;
    check(0.0, 1e300, ("high", "at least low, at a finite distance", 1e300))
}

fn normal_refuses_bad_moments<A: Real>() -> TestResult {
    let check = |mean, std, error| expect_refused::<A>(|x, rng| normal(x, mean, std, rng), error);
    for bad in NOT_FINITE {
        check(bad, 1.0, ("mean", "finite", bad))?;
        check(0.0, bad, ("std", "finite and at least 0", bad))?;
    }
    check(0.0, -0.5, ("std", "finite and at least 0", -0.5))
}

#[test]
fn bernoulli_refuses_what_is_no_probability() -> TestResult {
    for bad in NOT_FINITE.into_iter().chain([-0.1, 1.1, -f64::MIN_POSITIVE]) {
        let draw = |_: &mut Array1<f32>, rng: &mut Mt19937| bernoulli(bad, rng).map(drop);
        expect_refused(draw, ("p", "a number in [0, 1]", bad))?;
    }
    Ok(())
}

/// Nothing is drawn for a permutation that no memory holds.
#[test]
fn a_permutation_too_large() {
    let mut rng = manual_seed(0);
    let error = Error::SizeOverflow { name: "permutation".into(), shape: vec![usize::MAX] };
    assert_eq!(randperm(usize::MAX, &mut rng), Err(error));
    assert_eq!(rng, manual_seed(0));
}

/// The ends of every range are allowed.
fn ends_are_allowed<A: Real>() -> TestResult {
    let (mut values, rng) = (Array1::<A>::ones(20), &mut manual_seed(0));
    uniform(&mut values, 0.25, 0.25, rng)?;
    assert_same_bits(&values, &Array1::from_elem(20, A::narrow(0.25)), "low = high");
    normal(&mut values, 0.5, 0.0, rng)?;
    assert_same_bits(&values, &Array1::from_elem(20, A::narrow(0.5)), "std = 0");
    assert!((0..1000).all(|_| bernoulli(0.0, rng) == Ok(false) && bernoulli(1.0, rng) == Ok(true)));
    let before = rng.clone();
    uniform(&mut Array1::<A>::zeros(0), 0.0, 1.0, rng)?;
    normal(&mut Array1::<A>::zeros(0), 0.0, 1.0, rng)?;
    assert_eq!((randperm(0, rng)?, randperm(1, rng)?), (vec![], vec![0]));
    assert_eq!(*rng, before, "nothing to draw, nothing drawn");
    Ok(())
}

// torch's bytes of a generator's state

/// After a seed and some draws the bytes are torch's; from torch's bytes torch's next draws follow.
#[test]
fn torch_state() -> TestResult {
    let golden = Golden::parse(RNG_STATE)?;
    let mut checked = 0;
    for name in golden.names() {
        let Some((case, "state")) = name.rsplit_once('/') else { continue };
        let Some((seed, n)) = case.split_once('/') else { continue };
        let mut rng = manual_seed(seed.parse::<i64>()?);
        uniform(&mut Array1::<f32>::zeros(n.parse::<usize>()?), 0.0, 1.0, &mut rng)?;
        let bytes = golden.bytes(&name)?;
        assert!(rng.to_torch_state() == bytes, "{case}: other bytes than torch's");

        let mut from_torch = Mt19937::from_torch_state(bytes)?;
        assert!(from_torch == rng && from_torch.to_torch_state() == bytes, "{case}");
        let mut values = ArrayD::<f32>::zeros(vec![700]);
        uniform(&mut values, 0.0, 1.0, &mut from_torch)?;
        assert_same_bits(&values, &golden.array(&format!("{case}/uniform"))?, case);
        checked += 1;
    }
    assert_eq!(checked, 7);
    Ok(())
}

/// Bytes that torch does not write are refused by name.
#[test]
fn torch_state_refused() -> TestResult {
    let golden = Golden::parse(RNG_STATE)?;
    let good = golden.bytes("0/1/state")?;
    let refused = |bytes: &[u8], message: &str| {
        let error = Mt19937::from_torch_state(bytes).expect_err(message);
        assert_eq!(error.to_string(), format!("torch generator state: {message}"));
    };
    refused(&[], "length: expected 5056 bytes, got 0 bytes");
    refused(&good[1..], "length: expected 5056 bytes, got 5055 bytes");
    let mut not_finite = golden.bytes("kept/state")?.to_vec();
    not_finite[5030..5032].copy_from_slice(&[0xF0, 0x7F]);
    refused(&not_finite, "normal_y: expected a finite number, got NaN");
    let counts = "next and left: expected 0 and 1, or numbers from 1 to 624 that add to 625, got";
    for (at, byte, message) in [
        (5052, 1, "normal: half a pair of normal values in float32 is not supported"),
        (5040, 2, "normal_is_valid: expected 0 or 1, got 2"),
        (5043, 1, "normal_is_valid: expected 0 or 1, got 16777216"),
        (12, 0, "seeded: expected 1, got 0"),
        (28, 1, "words: expected below 2^32, got 6738218258"),
        (9, 1, &format!("{counts} 1 and 368")),
        (16, 2, &format!("{counts} 2 and 624")),
        (16, 0, &format!("{counts} 0 and 624")),
        (23, 255, &format!("{counts} 18374686479671623681 and 624")),
    ] {
        let mut bad = good.to_vec();
        bad[at] = byte;
        refused(&bad, message);
    }
    let mut single = good.to_vec();
    single[5052] = 1;
    assert!(matches!(
        Mt19937::from_torch_state(&single),
        Err(Error::File(FileError::Unsupported { format: "torch generator state", .. }))
    ));
    Ok(())
}

in_both_types!(
    torch_uniform,
    torch_normal,
    torch_dropout,
    uniform_refuses_bad_bounds,
    normal_refuses_bad_moments,
    ends_are_allowed,
);
