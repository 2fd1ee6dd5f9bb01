//! Forecasts the next number of a series from seven numbers, by an `Rnn` and a `Linear` on its last output.
//!
//! ```text
//! cargo run --release --example timeseries
//! ```
//!
//! The notebooks of this series read prices of a stock and use an LSTM. Here the series is two waves and noise,
//! made on the spot, and the network an RNN. The other settings are the notebook's: windows of 7, 10 units, Adam
//! at 0.01, 500 iterations, the first 70 % to train on.

pub mod common;

use std::f64::consts::TAU;

use common::torch::{Curve, largest_difference};
use common::{Result, chart, progress};
use ndarray::{Array2, Array3};
use ndarray_rnn::loss::MseLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::random::{self, Mt19937};
use ndarray_rnn::{Linear, LinearConfig, Rnn, RnnConfig, manual_seed, parameters};

const WINDOW: usize = 7;
const LENGTH: usize = 500;
/// Where the part that is not trained on begins.
const SPLIT: usize = 350;
const HIDDEN: usize = 10;

parameters! { struct Net { rnn: Rnn, fc: Linear } }

fn main() -> Result<()> {
    let trained = train()?;
    check(&trained)?;
    let torch = Curve::read("timeseries")?;
    chart::losses("timeseries_loss", &[("torch", &torch.losses), ("ndarray-rnn", &trained.losses)])?;
    let lines = [("truth", &trained.truth[..]), ("prediction", &trained.prediction)];
    chart::values("timeseries", ["step, of those not trained on", "value"], &lines)
}

/// The results of training.
#[derive(Debug)]
pub struct Trained {
    /// The loss of each iteration.
    losses: Vec<f64>,
    /// The loss over the part that was not trained on.
    test_loss: f64,
    truth: Vec<f64>,
    prediction: Vec<f64>,
}

/// Trains on the first part, and forecasts the rest.
pub fn train() -> Result<Trained> {
    let mut rng = manual_seed(0);
    let series = series(&mut rng)?;
    let (x, y) = windows(&series[..SPLIT]);
    let (test_x, test_y) = windows(&series[SPLIT - WINDOW..]);

    let rnn = Rnn::new(RnnConfig::new(1, HIDDEN).batch_first(true), &mut rng)?;
    let fc = Linear::new(LinearConfig::new(HIDDEN, 1), &mut rng)?;
    let mut net = Net { rnn, fc };
    let criterion = MseLoss::new();
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    println!("{}\n{}\n\n  i  loss of each iteration", net.rnn, net.fc);

    let mut losses = Vec::new();
    let bar = progress(500)?;
    for i in 0..500 {
        let (last, _, trace) = net.rnn.run(&x).last_train(&mut rng)?;
        let loss = criterion.forward(&net.fc.forward(&last)?, &y)?;
        let fc = net.fc.backward(&last, &loss.gradient)?;
        let rnn = net.rnn.back(&trace).last(&fc.input).parameters()?;
        optimizer.step(&mut net, &Net { rnn, fc: fc.parameters })?;

        losses.push(loss.value.into());
        if (i + 1) % 10 == 0 {
            bar.suspend(|| print_ten(&losses));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();

    let prediction = forecast(&net, &test_x)?;
    let test_loss = criterion.forward(&prediction, &test_y)?.value.into();
    let [truth, prediction] = [test_y, prediction].map(|values| values.iter().map(|&v| v.into()).collect());
    Ok(Trained { losses, test_loss, truth, prediction })
}

/// Prints the last ten losses, after the number of the first of them.
fn print_ten(losses: &[f64]) {
    let first = losses.len() - 10;
    let line: Vec<_> = losses[first..].iter().map(|loss| format!("{loss:.6}")).collect();
    println!("{first:>3}  {}", line.join(" "));
}

/// The next number of each window: (windows, 7, 1) to (windows, 1).
fn forecast(net: &Net, x: &Array3<f32>) -> Result<Array2<f32>> {
    let (last, _) = net.rnn.run(x).last()?;
    Ok(net.fc.forward(&last)?)
}

/// Two waves, and noise in (-0.05, 0.05).
fn series(rng: &mut Mt19937) -> Result<Vec<f32>> {
    let mut noise = ndarray::Array1::<f64>::zeros(LENGTH);
    random::uniform(&mut noise, -1.0, 1.0, rng)?;
    let wave = |t: f64| 0.6 * libm::sin(TAU * t / 25.0) + 0.3 * libm::sin(TAU * t / 60.0);
    Ok(noise.iter().enumerate().map(|(t, noise)| (wave(t as f64) + 0.05 * noise) as f32).collect())
}

/// Every window of seven numbers (windows, 7, 1), and the number after it (windows, 1).
fn windows(series: &[f32]) -> (Array3<f32>, Array2<f32>) {
    let rows = series.len() - WINDOW;
    let x = Array3::from_shape_fn((rows, WINDOW, 1), |(i, t, _)| series[i + t]);
    (x, Array2::from_shape_fn((rows, 1), |(i, _)| series[i + WINDOW]))
}

/// Compares with torch.
pub fn check(trained: &Trained) -> Result<()> {
    let torch = Curve::read("timeseries")?;
    let difference = torch.largest_difference(&trained.losses);
    let test_difference = largest_difference(&[trained.test_loss], &[torch.test_loss.ok_or("no test loss")?]);
    println!("\nLoss over what was not trained on: {:.6}", trained.test_loss);
    println!(
        "From torch's curve at most {difference:.1e}, from its last number {test_difference:.1e}, relatively."
    );
    assert!(difference <= 1e-4 && test_difference <= 1e-4);
    assert!(trained.test_loss < 0.003, "the noise alone is 0.0008");
    Ok(())
}
