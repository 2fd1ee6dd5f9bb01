//! Prints a line `name hash` for each case: the same lines on every machine. With `time` as its argument it prints
//! instead what each instruction set costs on this one.
//!
//! `run.py` beside this crate builds it for several targets, runs each under emulation and compares.

#![forbid(unsafe_code)]

mod draws;
mod keras;
mod kinds;
mod network;
mod report;
mod time;
mod training;

use kinds::Net;
use ndarray_rnn::{GruConfig, LstmConfig, Result, RnnConfig, Scalar};

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("time") {
        time::forward::<f32>()?;
        time::steps::<f32>()?;
        time::forward::<f64>()?;
        return time::steps::<f64>();
    }
    draws::generator()?;
    training::schedules()?;
    cases::<f32>()?;
    cases::<f64>()
}

fn cases<A: Scalar>() -> Result<()> {
    draws::distributions::<A>()?;
    draws::initialisers::<A>()?;
    training::tanh::<A>()?;
    training::linear::<A>()?;
    network::cell::<A>()?;
    network::gated_cells::<A>()?;
    networks::<RnnConfig, A>()?;
    networks::<LstmConfig, A>()?;
    networks::<GruConfig, A>()?;
    training::losses::<A>()?;
    training::optimisers::<A>()?;
    training::embedding::<A>()?;
    training::functions::<A>()?;
    training::training::<A>()?;
    keras::activations::<A>()?;
    keras::seeds::<A>()?;
    keras::passes::<A>()
}

fn networks<C: Net, A: Scalar>() -> Result<()> {
    network::forward::<C, A>()?;
    network::chunks::<C, A>()?;
    network::backward::<C, A>()?;
    network::extremes::<C, A>()?;
    #[cfg(feature = "rayon")]
    network::threads::<C, A>()?;
    Ok(())
}
