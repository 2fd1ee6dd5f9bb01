//! What an instruction set costs: `portability time`, on one thread.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

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
            let (mut fastest, start) = (Duration::MAX, Instant::now());
            while start.elapsed() < Duration::from_secs(4) {
                let pass = Instant::now();
                rnn.forward(&input, None)?;
                fastest = fastest.min(pass.elapsed());
            }
            let line =
                format!("{} {nonlinearity:?} {set}: {:.2} ms", dtype::<A>(), 1e3 * fastest.as_secs_f64());
            let _ = writeln!(stdout(), "{line}");
        }
    }
    Ok(())
}
