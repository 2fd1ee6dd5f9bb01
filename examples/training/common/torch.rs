//! torch's own curves, from tests/golden/curves.json.

use serde_json::Value;

use super::Result;

/// What torch 2.15 computed from the same seed with the same settings.
#[derive(Debug)]
pub struct Curve {
    /// The loss before each step.
    pub losses: Vec<f64>,
    /// The letters predicted before the last step; none if the example has no letters.
    pub text: Option<String>,
    /// The loss after the last step over data that was not trained on; none if the example has no such data.
    pub test_loss: Option<f64>,
}

impl Curve {
    /// The curve of an example.
    pub fn read(name: &str) -> Result<Self> {
        let curves: Value = serde_json::from_str(include_str!("../../../tests/golden/curves.json"))?;
        let curve = curves.get(name).ok_or("no such curve")?;
        let losses = curve["losses"].as_array().ok_or("no losses")?;
        Ok(Self {
            losses: losses.iter().filter_map(Value::as_f64).collect(),
            text: curve["text"].as_str().map(Into::into),
            test_loss: curve["test_loss"].as_f64(),
        })
    }

    /// The largest relative difference from torch's losses.
    ///
    /// # Panics
    /// If there are not as many losses as torch's.
    pub fn largest_difference(&self, losses: &[f64]) -> f64 {
        assert_eq!(losses.len(), self.losses.len(), "as many iterations as torch's");
        largest_difference(losses, &self.losses)
    }
}

/// The largest relative difference; infinite if there is a NaN.
pub fn largest_difference(ours: &[f64], torchs: &[f64]) -> f64 {
    let differences = ours.iter().zip(torchs).map(|(a, b)| (a / b - 1.0).abs());
    differences.fold(0.0, |max, d| {
        if d <= max {
            max
        } else if d.is_nan() {
            f64::INFINITY
        } else {
            d
        }
    })
}
