//! Parameters: the numbers torch draws from a seed, the initialisers, names and order, the state dict.
//!
//! torch's default parameters and its Xavier uniform ones must come out bit for bit, for any seed that torch
//! takes, its normal ones as closely as two libraries' logarithms agree. A state dict is taken over entirely or
//! not at all.

use crate::common::golden::{Case, Golden};
use crate::common::kinds::Network;
use crate::common::{
    NOT_FINITE, Real, TestResult, assert_same_bits, expect_error, in_both_types, largest_difference,
};
use ndarray::{Array2, ArrayD, ArrayRefD};
use ndarray_rnn::random::{self, Mt19937};
use ndarray_rnn::{
    Error, Gru, GruCell, GruCellConfig, GruConfig, Lstm, LstmCell, LstmCellConfig, LstmConfig, Parameters,
    Rnn, init, manual_seed,
};

const GATED: &[u8] = include_bytes!("../golden/gated.safetensors");
const PARAMETERS: &[u8] = include_bytes!("../golden/parameters.safetensors");

// What torch draws

/// torch's names of a network's parameters, in torch's order.
fn torch_names(layers: usize, bidirectional: bool, bias: bool) -> Vec<String> {
    let kinds: &[_] =
        if bias { &["weight_ih", "weight_hh", "bias_ih", "bias_hh"] } else { &["weight_ih", "weight_hh"] };
    let suffixes: &[_] = if bidirectional { &["", "_reverse"] } else { &[""] };
    let mut names = Vec::new();
    for layer in 0..layers {
        for suffix in suffixes {
            names.extend(kinds.iter().map(|kind| format!("{kind}_l{layer}{suffix}")));
        }
    }
    names
}

/// A case's parameters, drawn from its seed.
fn drawn<A: Real>(case: &Case) -> TestResult<Vec<(String, ArrayD<A>)>> {
    let seed: i128 = case.parse("seed")?;
    let parameters = Rnn::<A>::new(case.rnn_config()?, &mut manual_seed(seed))?.state_dict();
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.clone()).collect();
    let expected = torch_names(case.size("num_layers")?, case.flag("bidirectional")?, case.flag("bias")?);
    assert_eq!(names, expected, "{case:?}");
    Ok(parameters)
}

fn fnv1a64(bytes: impl Iterator<Item = u8>) -> String {
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325, |state: u64, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    format!("{hash:016x}")
}

/// Small networks from thirteen seeds, among them negative seeds and seeds of more than 63 bits.
fn torch_parameters<A: Real>() -> TestResult {
    let golden = Golden::parse(PARAMETERS)?;
    let mut count = 0;
    for case in
        golden.cases()?.iter().filter(|case| case.is("dtype", A::NAME) && case.value["fnv1a64"].is_null())
    {
        let parameters = drawn::<A>(case)?;
        for (name, actual) in &parameters {
            let expected = golden.array(&format!("{}.{name}", case.index))?;
            assert_same_bits(actual, &expected, &format!("{name} of {case:?}"));
        }
        let stored = golden.names().into_iter().filter(|name| name.starts_with(&format!("{}.", case.index)));
        assert_eq!(stored.count(), parameters.len(), "{case:?}");
        count += 1;
    }
    assert_eq!(count, 13, "cases run");
    Ok(())
}

/// Networks of up to two million parameters, compared by the hash of their bytes.
fn torch_parameters_by_hash<A: Real>() -> TestResult {
    let golden = Golden::parse(PARAMETERS)?;
    let mut count = 0;
    for case in
        golden.cases()?.iter().filter(|case| case.is("dtype", A::NAME) && case.value["fnv1a64"].is_string())
    {
        let parameters = drawn::<A>(case)?;
        let hash = fnv1a64(parameters.iter().flat_map(|(_, array)| array.iter().flat_map(|x| x.write())));
        assert!(case.is("fnv1a64", &hash), "{hash} of {case:?}");
        count += 1;
    }
    assert_eq!(count, 3, "cases run");
    Ok(())
}

/// The names, if the fixture has them, and the hash of what a model draws.
fn compare_gated<M: Parameters<Elem: Real>>(
    new: impl Fn(&mut Mt19937) -> ndarray_rnn::Result<M>,
    seed: i128,
    case: &Case,
) -> TestResult {
    let parameters = new(&mut manual_seed(seed))?.state_dict();
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    if !case.value["names"].is_null() {
        assert_eq!(serde_json::json!(names), case.value["names"], "{case:?}");
    }
    let hash = fnv1a64(parameters.iter().flat_map(|(_, array)| array.iter().flat_map(|x| x.write())));
    assert!(case.is("fnv1a64", &hash), "{hash} of {case:?}");
    Ok(())
}

/// LSTMs, with projections too, GRUs and their cells: by the hash of their bytes, from thirteen seeds and those of all
/// other fixtures.
fn torch_parameters_of_gates<A: Real>() -> TestResult {
    let golden = Golden::parse(GATED)?;
    let mut counts = Vec::new();
    for group in ["parameters", "networks", "cells"] {
        let mut cases = golden.group(group)?;
        cases.retain(|case| case.is("dtype", A::NAME));
        counts.push(cases.len());
        for case in cases {
            let [input, hidden] = [case.size("input_size")?, case.size("hidden_size")?];
            let bias = case.flag("bias")?;
            let seed = if group == "parameters" { case.parse("seed")? } else { case.size("seed")? as i128 };
            let (lstm, is_cell) = (case.is("kind", "lstm"), case.flag("cell")?);
            match (lstm, is_cell) {
                (true, true) => {
                    let config = LstmCellConfig::new(input, hidden).bias(bias);
                    compare_gated(|rng| LstmCell::<A>::new(config.clone(), rng), seed, &case)?;
                }
                (false, true) => {
                    let config = GruCellConfig::new(input, hidden).bias(bias);
                    compare_gated(|rng| GruCell::<A>::new(config.clone(), rng), seed, &case)?;
                }
                (true, false) => {
                    let config = LstmConfig::of(case.shape()?);
                    compare_gated(|rng| Lstm::<A>::new(config.clone(), rng), seed, &case)?;
                }
                (false, false) => {
                    let config = GruConfig::of(case.shape()?);
                    compare_gated(|rng| Gru::<A>::new(config.clone(), rng), seed, &case)?;
                }
            }
        }
    }
    assert_eq!(counts, if A::NAME == "f32" { [16, 176, 16] } else { [15, 200, 16] }, "cases run");
    Ok(())
}

// Initialisers

type Init<A> = fn(&mut ArrayRefD<A>, f64, &mut Mt19937) -> ndarray_rnn::Result<()>;

/// Every initialiser with a gain.
fn initialisers<A: Real>() -> [Init<A>; 4] {
    [|array, gain, _| init::eye(array, gain), init::xavier_uniform, init::xavier_normal, init::orthogonal]
}

const XAVIER: [(usize, usize); 2] = [(5, 7), (3, 3)];

fn xavier_uniform<A: Real>() -> TestResult {
    let golden = Golden::parse(PARAMETERS)?;
    for (rows, columns) in XAVIER {
        let name = format!("xavier_uniform.{}.{rows}x{columns}", A::NAME);
        let mut weight = ArrayD::<A>::zeros(vec![rows, columns]);
        init::xavier_uniform(&mut weight, 1.0, &mut manual_seed(3))?;
        assert_same_bits(&weight, &golden.array(&name)?, &name);
    }
    Ok(())
}

fn xavier_normal<A: Real>() -> TestResult {
    let golden = Golden::parse(PARAMETERS)?;
    let tolerance = if A::NAME == "f32" { 1e-6 } else { 2e-15 };
    for (rows, columns) in XAVIER {
        let name = format!("xavier_normal.{}.{rows}x{columns}", A::NAME);
        let mut weight = ArrayD::<A>::zeros(vec![rows, columns]);
        init::xavier_normal(&mut weight, 1.0, &mut manual_seed(3))?;
        let difference = largest_difference(&weight, &golden.array(&name)?);
        assert!(difference <= tolerance, "{name}: {difference:e} from torch");
    }
    Ok(())
}

/// The gain scales the values. From one seed they are the same otherwise.
fn gain_scales<A: Real>() -> TestResult {
    for (i, init) in initialisers::<A>().into_iter().enumerate() {
        let (mut one, mut two) = (ArrayD::zeros(vec![4, 6]), ArrayD::zeros(vec![4, 6]));
        init(&mut one, 1.0, &mut manual_seed(3))?;
        init(&mut two, 2.0, &mut manual_seed(3))?;
        assert_same_bits(&two, &one.mapv(|x| x + x), &format!("initialiser {i}"));
    }
    Ok(())
}

fn eye_and_zeros<A: Real>() -> TestResult {
    for (rows, columns) in [(3, 5), (5, 3), (4, 4), (1, 1)] {
        let mut weight = Array2::from_elem((rows, columns), A::nan());
        init::eye(&mut weight, 0.5)?;
        let half = A::narrow(0.5);
        let expected = Array2::from_shape_fn((rows, columns), |(i, j)| if i == j { half } else { A::zero() });
        assert_same_bits(&weight, &expected, "eye");
        init::zeros(&mut weight);
        assert_same_bits(&weight, &Array2::zeros((rows, columns)), "zeros");
    }
    Ok(())
}

/// The product `a' b` in `f64`.
fn transposed_product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.ncols(), b.ncols()), |(i, j)| {
        (0..a.nrows()).map(|k| a[[k, i]] * b[[k, j]]).sum()
    })
}

/// Columns or rows, whichever are fewer, are orthonormal, and the matrix is the Q of the seed's normal values N:
/// Q' N is upper triangular with a positive diagonal, which no other orthogonal matrix makes it.
fn orthogonal<A: Real>() -> TestResult {
    let tolerance = if A::NAME == "f32" { 1e-6 } else { 1e-14 };
    for (rows, columns) in [(7, 3), (3, 7), (5, 5), (1, 6), (6, 1), (1, 1), (64, 33), (20, 70)] {
        let mut q = Array2::<A>::zeros((rows, columns));
        init::orthogonal(&mut q, 1.0, &mut manual_seed(5))?;
        let mut normal = Array2::<A>::zeros((rows, columns));
        random::normal(&mut normal, 0.0, 1.0, &mut manual_seed(5))?;
        let [q, normal] = [q, normal].map(|a| a.mapv(A::wide));
        let [q, normal] = [q, normal].map(|a| if rows < columns { a.reversed_axes() } else { a });

        let gram = transposed_product(&q, &q);
        let difference = largest_difference(&gram, &Array2::eye(gram.nrows()));
        assert!(difference <= tolerance, "{rows} x {columns}: Q'Q is {difference:e} from I");
        for ((i, j), &r) in transposed_product(&q, &normal).indexed_iter() {
            let fits = if i == j { r > 0.0 } else { i < j || r.abs() <= 20.0 * tolerance };
            assert!(fits, "{rows} x {columns}: R[{i}, {j}] is {r:e}");
        }
    }
    Ok(())
}

// Initialisers' errors

/// Expects the error from each initialiser, with nothing written and nothing drawn.
fn expect_no_init<A: Real>(shape: &[usize], gain: f64, error: &Error, message: &str) {
    for init in initialisers::<A>() {
        let (mut array, mut rng) = (ArrayD::<A>::ones(shape), manual_seed(0));
        expect_error(init(&mut array, gain, &mut rng), error, message);
        assert_eq!((array, rng), (ArrayD::ones(shape), manual_seed(0)), "{message} left a mark");
    }
}

fn initialisers_want_a_matrix<A: Real>() -> TestResult {
    for shape in [&[][..], &[3], &[2, 3, 4], &[0], &[1, 1, 1, 1]] {
        let actual = shape.len();
        let error = Error::Rank { array: "weight", expected: 2, actual };
        let message = format!("weight should be 2-D, but got {actual}-D");
        expect_no_init::<A>(shape, 1.0, &error, &message);
        expect_no_init::<A>(shape, f64::NAN, &error, &message);
    }
    Ok(())
}

fn initialisers_want_a_finite_gain<A: Real>() -> TestResult {
    for gain in NOT_FINITE {
        let error = Error::OutOfRange { name: "gain", expected: "finite", actual: gain };
        expect_no_init::<A>(&[3, 2], gain, &error, &format!("gain must be finite, got {gain}"));
    }
    Ok(())
}

/// A matrix without elements is filled with nothing.
fn initialisers_of_nothing<A: Real>() -> TestResult {
    for init in initialisers::<A>() {
        for shape in [[0, 0], [0, 3], [3, 0]] {
            init(&mut ArrayD::zeros(&shape[..]), 1.0, &mut manual_seed(0))?;
        }
    }
    Ok(())
}

in_both_types!(
    torch_parameters,
    torch_parameters_by_hash,
    torch_parameters_of_gates,
    xavier_uniform,
    xavier_normal,
    gain_scales,
    eye_and_zeros,
    orthogonal,
    initialisers_want_a_matrix,
    initialisers_want_a_finite_gain,
    initialisers_of_nothing,
);
