//! Forecasts a noisy wave, and stops when the loss over what is not trained on falls no more.
//!
//! ```text
//! cargo run --release --example early_stopping
//! ```
//!
//! [early_stopping.py](early_stopping.py) is the same program in torch, and has the same losses.

use std::error::Error;

use ndarray::{Array1, Array2, Array3, ArrayRef3, Axis};
use ndarray_rnn::loss::MseLoss;
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Linear, LinearConfig, Lstm, LstmConfig, manual_seed, parameters, random};

parameters! {
    #[derive(Clone)]
    struct Net { rnn: Lstm, head: Linear }
}

impl Net {
    fn forward(&self, x: &ArrayRef3<f32>) -> ndarray_rnn::Result<Array2<f32>> {
        self.head.forward(&self.rnn.run(x).last()?.0)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = manual_seed(0);
    let rnn = Lstm::new(LstmConfig::new(1, 16).batch_first(true), &mut rng)?;
    let mut net = Net { rnn, head: Linear::new(LinearConfig::new(16, 1), &mut rng)? };
    let mut noise = Array1::<f32>::zeros(400);
    random::uniform(&mut noise, -0.1, 0.1, &mut rng)?;
    let series: Vec<_> =
        noise.iter().enumerate().map(|(t, noise)| libm::sinf(0.3 * t as f32) + noise).collect();
    let x = Array3::from_shape_fn((390, 10, 1), |(i, t, _)| series[i + t]);
    let y = Array2::from_shape_fn((390, 1), |(i, _)| series[i + 10]);
    let (x, held_out_x) = x.view().split_at(Axis(0), 300);
    let (y, held_out_y) = y.view().split_at(Axis(0), 300);

    let mut adam = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    let (mut best, mut lowest, mut waited) = (net.clone(), f32::INFINITY, 0);
    for epoch in 0..500 {
        let (last, _, trace) = net.rnn.run(&x).last_train(&mut rng)?;
        let loss = MseLoss::new().forward(&net.head.forward(&last)?, &y)?;
        let head = net.head.backward(&last, &loss.gradient)?;
        let rnn = net.rnn.back(&trace).last(&head.input).parameters()?;
        adam.step(&mut net, &Net { rnn, head: head.parameters })?;

        let held_out = MseLoss::new().forward(&net.forward(&held_out_x)?, &held_out_y)?.value;
        waited += 1;
        if held_out < lowest {
            (best, lowest, waited) = (net.clone(), held_out, 0);
        } else if waited == 20 {
            println!("epoch {epoch}: loss {:.6}, held out {held_out:.6}", loss.value);
            break;
        }
    }
    let again = MseLoss::new().forward(&best.forward(&held_out_x)?, &held_out_y)?.value;
    println!("the best: held out {again:.6}");
    assert!(again == lowest && lowest < 0.01);
    Ok(())
}
