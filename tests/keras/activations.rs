//! The activations against mpmath, their derivatives against differences, on every instruction set.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3};
use ndarray_rnn::Parameters;
use ndarray_rnn::keras::{Activation, SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::kernels::archs;

use crate::common::{Real, TestResult, assert_same_bits, in_both_types};

const GOLDEN: &str = include_str!("../golden/activations.txt");

/// A layer of one unit whose output is the activation of its input: all its other parameters are zero or -0.
fn layer<A: Real>(activation: Activation) -> TestResult<SimpleRnn<A>> {
    let mut layer = SimpleRnn::<A>::zeros(SimpleRnnConfig::new(1, 1).activation(activation))?;
    for (name, mut value) in layer.named_parameters_mut() {
        value.fill(if name == "kernel" { A::one() } else { -A::zero() });
    }
    Ok(layer)
}

/// The activation of some numbers, each a sequence of its own, and its derivative.
fn values<A: Real>(activation: Activation, xs: &[A]) -> TestResult<(Vec<A>, Vec<A>)> {
    let input = Array3::from_shape_vec((xs.len(), 1, 1), xs.to_vec())?;
    let mut passes = archs().into_iter().map(|(name, arch)| {
        let layer = layer::<A>(activation)?.on(arch);
        let (output, _, trace) = layer.call(&input).last_train(&mut layer.seed_generator())?;
        let gradients = layer.backward(&trace, &Array2::ones(output.dim()), None)?;
        TestResult::Ok((name, output, gradients.input))
    });
    let (_, output, derivative) = passes.next().ok_or("no instruction set")??;
    for pass in passes {
        let (name, other, other_derivative) = pass?;
        assert_same_bits(&other, &output, name);
        assert_same_bits(&other_derivative, &derivative, name);
    }
    Ok((output.into_iter().collect(), derivative.into_iter().collect()))
}

/// The name, x, and f(x) as a pair.
fn golden() -> TestResult<Vec<(Activation, f64, [f64; 2])>> {
    let parse = |text: &str| TestResult::Ok(f64::from_bits(u64::from_str_radix(text, 16)?));
    let lines = GOLDEN.lines().map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        let [name, x, high, low] = fields[..] else { return Err(line.into()) };
        Ok((name.parse()?, parse(x)?, [parse(high)?, parse(low)?]))
    });
    lines.collect()
}

/// What each activation promises in `f64`.
#[test]
fn within_some_ulp_of_mpmath() -> TestResult {
    let mut worst: BTreeMap<String, f64> = BTreeMap::new();
    for activation in Activation::ALL {
        let golden: Vec<_> = golden()?.into_iter().filter(|(of, ..)| *of == activation).collect();
        let xs: Vec<_> = golden.iter().map(|(_, x, _)| *x).collect();
        let bound = match activation {
            Activation::Elu => 1.5,
            Activation::Sigmoid | Activation::Selu | Activation::Silu => 2.5,
            _ => 4.0,
        };
        let (ys, _) = values(activation, &xs)?;
        for ((_, x, [high, low]), y) in golden.into_iter().zip(ys) {
            // 0.2 x and 0.5 cancel near -2.5: the sum is as exact as its terms.
            let size = if activation == Activation::HardSigmoid2 { high.abs().max(0.5) } else { high.abs() };
            let ulp = (size.next_up() - size).abs();
            let ulps = ((y - high) - low).abs() / ulp;
            assert!(ulps <= bound, "{activation}({x:e}) is not {y:e}: off by {ulps} ULP");
            let worst = worst.entry(activation.to_string()).or_default();
            *worst = worst.max(ulps);
        }
    }
    assert_eq!(worst.len(), 9, "{worst:?}");
    Ok(())
}

/// What each activation promises in `f32`, held against the result in `f64`, whose error is too small to matter.
#[test]
fn single_precision_as_documented() -> TestResult {
    for activation in Activation::ALL {
        let bound = match activation {
            Activation::Softplus | Activation::Gelu => 0.51,
            Activation::Relu | Activation::Linear => 0.0,
            Activation::Elu => 1.0,
            Activation::Tanh => 1.6,
            Activation::Selu => 2.0,
            Activation::Sigmoid | Activation::Silu => 2.5,
            // These are as exact as their formulas.
            Activation::Softsign | Activation::HardSigmoid | Activation::HardSigmoid2 => continue,
            _ => return Err(format!("{activation} has no bound").into()),
        };
        let xs: Vec<f32> = (0..4000).map(|i| (i - 2000) as f32 / 117.0).collect();
        let wide: Vec<_> = xs.iter().map(|&x| f64::from(x)).collect();
        let (ys, _) = values(activation, &xs)?;
        let (exact, _) = values(activation, &wide)?;
        for ((x, y), exact) in xs.iter().zip(ys).zip(exact) {
            let nearest = (exact as f32).abs();
            let ulps = (f64::from(y) - exact).abs() / f64::from(nearest.next_up() - nearest);
            assert!(ulps <= bound, "{activation}({x:e}) is not {y:e}: off by {ulps} ULP");
        }
    }
    Ok(())
}

/// Central differences in `f64`, away from corners.
#[test]
fn derivatives_are_the_slopes() -> TestResult {
    let step = 2_f64.powi(-17);
    for activation in Activation::ALL {
        let xs: Vec<_> = (0..399).map(|i| f64::from(i - 199) / 31.0 + 0.003).collect();
        let (_, derivatives) = values(activation, &xs)?;
        let (above, _) = values(activation, &xs.iter().map(|x| x + step).collect::<Vec<_>>())?;
        let (below, _) = values(activation, &xs.iter().map(|x| x - step).collect::<Vec<_>>())?;
        for (i, x) in xs.iter().enumerate() {
            let slope = (above[i] - below[i]) / (2.0 * step);
            let difference = (derivatives[i] - slope).abs();
            assert!(difference < 1e-9, "{activation}'({x}) is not {}: the slope is {slope}", derivatives[i]);
        }
    }
    Ok(())
}

/// Far out, at zero, and of no number.
fn specials<A: Real>() -> TestResult {
    let (huge, nan) = (A::narrow(1e30), A::narrow(f64::NAN));
    for activation in Activation::ALL {
        let (ys, slopes) = values(activation, &[huge, -huge, A::zero(), nan])?;
        assert!(ys[3].is_nan(), "{activation} of NaN is {}", ys[3]);
        assert!(
            ys[..3].iter().chain(&slopes[..3]).all(|y| y.is_finite()),
            "{activation}: {ys:?}, {slopes:?}"
        );
        let ends = [ys[0], ys[1], slopes[0], slopes[1]].map(Real::wide);
        let expected = match activation {
            Activation::Tanh => [1.0, -1.0, 0.0, 0.0],
            Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSigmoid2 => [1.0, 0.0, 0.0, 0.0],
            Activation::Linear => [huge.wide(), -huge.wide(), 1.0, 1.0],
            Activation::Elu => [huge.wide(), -1.0, 1.0, 0.0],
            Activation::Relu | Activation::Softplus | Activation::Gelu | Activation::Silu => {
                [huge.wide(), 0.0, 1.0, 0.0]
            }
            Activation::Softsign | Activation::Selu => continue,
            _ => return Err(format!("{activation} is not among the specials").into()),
        };
        assert_eq!(ends, expected, "{activation}");
    }
    Ok(())
}

#[test]
fn names() -> TestResult {
    for activation in Activation::ALL {
        assert_eq!(activation.to_string().parse::<Activation>()?, activation);
    }
    assert_eq!("swish".parse::<Activation>()?, Activation::Silu);
    let error = "Tanh".parse::<Activation>().err().ok_or("Keras's names are lower case")?;
    assert!(error.to_string().starts_with("unknown activation \"Tanh\": known are [\"tanh\", \"relu\""));
    Ok(())
}

in_both_types!(specials);
