//! The arrays that this crate's worker wrote, for the workers of other crates.

use std::collections::HashMap;
use std::fs;

use serde_json::{Value, json};

use crate::protocol::{Case, Result};

/// Arrays by name.
pub struct Arrays {
    bytes: Vec<u8>,
    single: bool,
    /// An array's shape, and its place in the file.
    places: HashMap<String, (Vec<usize>, usize)>,
}

impl Arrays {
    pub fn read(case: &Case, request: &Value) -> Result<Self> {
        let width = if case.single { size_of::<f32>() } else { size_of::<f64>() };
        let mut places = HashMap::new();
        let mut start = 0;
        for entry in request["arrays"].as_array().ok_or("no arrays")? {
            let shape: Vec<usize> = serde_json::from_value(entry[1].clone())?;
            let length = width * shape.iter().product::<usize>();
            places.insert(entry[0].as_str().unwrap_or_default().into(), (shape, start));
            start += length;
        }
        let bytes = fs::read(request["path"].as_str().ok_or("no path")?)?;
        Ok(Self { bytes, single: case.single, places })
    }

    /// An array's shape and its numbers.
    pub fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        let (shape, start) = self.places.get(name).ok_or("no such array")?;
        let (bytes, count) = (&self.bytes[*start..], shape.iter().product());
        let numbers = if self.single {
            bytes.as_chunks().0.iter().take(count).map(|&bytes| f32::from_le_bytes(bytes).into()).collect()
        } else {
            bytes.as_chunks().0.iter().take(count).map(|&bytes| f64::from_le_bytes(bytes)).collect()
        };
        Ok((shape.clone(), numbers))
    }

    /// Block `k` of the `count` that a parameter consists of.
    #[allow(dead_code, reason = "burn alone has a matrix for each block")]
    pub fn block(&self, name: &str, k: usize, count: usize) -> Result<(Vec<usize>, Vec<f64>)> {
        let (mut shape, numbers) = self.get(name)?;
        shape[0] /= count;
        let size = numbers.len() / count;
        Ok((shape, numbers[k * size..][..size].to_vec()))
    }

    /// The reply to a check: the largest difference of some numbers from the output that this crate's worker wrote.
    pub fn compare(&self, output: &[f64]) -> Result<Value> {
        let (_, expected) = self.get("output")?;
        if output.len() != expected.len() {
            return Err("the output has another size".into());
        }
        let difference = output.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        // A NaN must count as a difference.
        let difference = difference.fold(0.0, |a: f64, b| if a.is_nan() || b <= a { a } else { b });
        Ok(json!({ "difference": difference }))
    }
}
