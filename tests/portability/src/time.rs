//! What an instruction set costs: `portability time`, on one thread.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use ndarray::Axis;
use ndarray_rnn::kernels::archs;
use ndarray_rnn::{Nonlinearity, Result, Rnn, RnnConfig, Scalar, manual_seed};

use crate::draws::uniform;
use crate::report::dtype;

/// The fastest of many forward passes (50, 32, 64, 128), for each instruction set.
pub fn forward<A: Scalar>() -> Result<()> {
    let input = uniform::<A>([50, 32, 64], 40)?;
    for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
        let config = RnnConfig::new(64, 128).nonlinearity(nonlinearity);
        let rnn = Rnn::<A>::new(config, &mut manual_seed(41))?;
        for (set, arch) in archs() {
            let rnn = rnn.clone().on(arch);
            let time = fastest(1, || rnn.forward(&input, None).map(drop))?;
            let line = format!("{} {nonlinearity:?} {set}: {:.2} ms", dtype::<A>(), 1e3 * time);
            let _ = writeln!(stdout(), "{line}");
        }
    }
    Ok(())
}

/// A step of one sequence through as many units as inputs, for each instruction set.
pub fn steps<A: Scalar>() -> Result<()> {
    for units in [16, 64, 256] {
        let input = uniform::<A>([1, 1, units], 40)?;
        let rnn = Rnn::<A>::new(RnnConfig::new(units, units), &mut manual_seed(41))?;
        for (set, arch) in archs() {
            let rnn = rnn.clone().on(arch);
            let mut session = rnn.session(1)?;
            let time = fastest(100, || session.step(&input.index_axis(Axis(0), 0)).map(drop))?;
            let line = format!("{} step of {units} units {set}: {:.0} ns", dtype::<A>(), 1e9 * time);
            let _ = writeln!(stdout(), "{line}");
        }
    }
    Ok(())
}

/// The seconds that something takes, the least of some seconds, `times` of it measured together.
fn fastest(times: u32, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let (mut fastest, start) = (Duration::MAX, Instant::now());
    while start.elapsed() < Duration::from_secs(2) {
        let several = Instant::now();
        for _ in 0..times {
            run()?;
        }
        fastest = fastest.min(several.elapsed());
    }
    Ok(fastest.as_secs_f64() / f64::from(times))
}
