//! Numbers in a text format such as JSON: every bit of those it has, and an error that names the others.

use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Parameters, Rnn, RnnConfig, manual_seed};

use crate::common::TestResult;

/// A number that is none, as text: JSON would have `null` there, which nobody reads.
#[test]
fn numbers_that_text_lacks_are_refused_by_name() -> TestResult {
    let mut rnn = Rnn::<f64>::zeros(RnnConfig::new(3, 2))?;
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        rnn.named_parameters_mut()[2].1[[1]] = value;
        let error = serde_json::to_string(&rnn).err().map(|error| error.to_string());
        let text =
            "and a text format such as JSON has only finite numbers: write a binary format or safetensors";
        assert_eq!(error, Some(format!("bias_ih_l0 holds {value}, {text}")));
        let again: Rnn<f64> = postcard::from_bytes(&postcard::to_allocvec(&rnn)?)?;
        assert_eq!(again.named_parameters()[2].1[[1]].to_bits(), value.to_bits());
    }
    Ok(())
}

/// Likewise in what an optimiser keeps.
#[test]
fn buffers_that_text_lacks_are_refused_by_name() -> TestResult {
    let mut rnn = Rnn::<f32>::zeros(RnnConfig::new(3, 2))?;
    let mut gradient = rnn.parameters().clone();
    gradient.named_parameters_mut()[1].1[[1, 0]] = f32::NAN;
    let mut adam = Adam::new(AdamConfig::new(), &rnn)?;
    adam.step(&mut rnn, &gradient)?;
    let error = serde_json::to_string(&adam).err().map(|error| error.to_string());
    let text = "and a text format such as JSON has only finite numbers: write a binary format or safetensors";
    assert_eq!(error, Some(format!("exp_avg of weight_hh_l0 holds NaN, {text}")));
    Ok(())
}

/// Every bit of an `f64` outlives JSON, without a feature of serde_json that users would have to know.
#[test]
fn doubles_keep_their_bits_in_json() -> TestResult {
    let rnn = Rnn::<f64>::new(RnnConfig::new(30, 20), &mut manual_seed(0))?;
    let again: Rnn<f64> = serde_json::from_str(&serde_json::to_string(&rnn)?)?;
    assert_eq!(again, rnn);
    Ok(())
}
