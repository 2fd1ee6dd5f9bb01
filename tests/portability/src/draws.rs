//! Arrays to compute with, and the cases of the generator and the initialisers.

use ndarray::{Array1, Array2, Array3, ArrayRef, Dimension, Ix3};
use ndarray_rnn::random;
use ndarray_rnn::{Result, Rnn, RnnConfig, Scalar, init, manual_seed};
use rand::Rng;

use crate::report::{case, dtype, integers};

/// Uniform values in [-1, 1).
pub fn uniform<A: Scalar>(shape: [usize; 3], seed: u32) -> Result<ndarray::Array<A, Ix3>> {
    let mut array = Array3::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed))?;
    Ok(array)
}

/// Uniform values in [-1, 1).
pub fn matrix<A: Scalar>(shape: [usize; 2], seed: u32) -> Result<Array2<A>> {
    let mut array = Array2::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, &mut manual_seed(seed))?;
    Ok(array)
}

/// Any bits: every exponent, infinities, NaN, subnormal numbers.
pub fn any_bits<A: Scalar>(array: &mut ArrayRef<A, impl Dimension>, rng: &mut impl Rng) {
    array.iter_mut().for_each(|x| {
        *x = if A::SINGLE {
            A::from_f64(f32::from_bits(rng.next_u32()).into())
        } else {
            A::from_f64(f64::from_bits(rng.next_u64()))
        };
    });
}

pub fn generator() -> Result<()> {
    let mut rng = manual_seed(-5);
    integers("seed/words", (0..2000).map(|_| rng.next_u32().into()));
    integers("seed/double-words", (0..700).map(|_| rng.next_u64()));
    let mut bytes = [0; 1003];
    rng.fill_bytes(&mut bytes);
    integers("seed/bytes", bytes.map(u64::from));
    for n in [0, 1, 2, 17, 1000] {
        let order = random::randperm(n, &mut rng)?;
        integers(&format!("randperm/{n}"), order.into_iter().map(|i| i as u64));
    }
    for p in [0.0, 0.3, 0.5, 1.0] {
        let events: Result<Vec<_>> = (0..500).map(|_| random::bernoulli(p, &mut rng)).collect();
        integers(&format!("bernoulli/{p}"), events?.into_iter().map(u64::from));
    }
    Ok(())
}

pub fn distributions<A: Scalar>() -> Result<()> {
    let mut rng = manual_seed(1);
    for (low, high) in [(0.0, 1.0), (-0.3, 0.7), (-1e-30, 1e30), (1e-40, 3e-39)] {
        let mut x = Array1::<A>::zeros(1001);
        random::uniform(&mut x, low, high, &mut rng)?;
        case(&format!("uniform/{}/{low:e}..{high:e}", dtype::<A>()), "", x);
    }
    // Fewer than 16 values are drawn in pairs, one of which is kept; 16 and more in blocks, of which the last is
    // drawn again.
    for n in [1, 2, 3, 15, 16, 17, 40, 1000] {
        let mut x = Array1::<A>::zeros(n);
        random::normal(&mut x, 0.25, 1.5, &mut rng)?;
        case(&format!("normal/{}/{n}", dtype::<A>()), "", x);
    }
    let pairs: Result<Vec<_>> = (0..500)
        .map(|_| {
            let mut x = Array1::<A>::zeros(3);
            random::normal(&mut x, 0.0, 1.0, &mut rng)?;
            Ok(x)
        })
        .collect();
    case(&format!("normal/{}/pairs", dtype::<A>()), "", pairs?.into_iter().flatten());
    Ok(())
}

pub fn initialisers<A: Scalar>() -> Result<()> {
    let mut rng = manual_seed(2);
    for shape in [(1, 1), (3, 5), (5, 3), (16, 16), (17, 40), (70, 33)] {
        let name = |what| format!("init/{}/{what}/{}x{}", dtype::<A>(), shape.0, shape.1);
        let mut x = Array2::<A>::zeros(shape);
        init::xavier_uniform(&mut x, 1.5, &mut rng)?;
        case(&name("xavier_uniform"), "", x.iter().copied());
        init::xavier_normal(&mut x, 1.5, &mut rng)?;
        case(&name("xavier_normal"), "", x.iter().copied());
        init::orthogonal(&mut x, 1.5, &mut rng)?;
        case(&name("orthogonal"), "", x.iter().copied());
        init::eye(&mut x, 1.5)?;
        case(&name("eye"), "", x.iter().copied());
        let rnn = Rnn::<A>::new(RnnConfig::new(shape.0, shape.1), &mut rng)?;
        case(&name("rnn"), "", crate::network::numbers(&rnn));
    }
    Ok(())
}
