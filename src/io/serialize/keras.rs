//! Keras's layers under serde.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Configured, configured, deserialize, serialize};
use crate::error::{Result, expect_shape};
use crate::io::StateDict;
use crate::io::configs::matrix;
use crate::keras::{Bidirectional, MergeMode, SimpleRnn, SimpleRnnConfig};
use crate::scalar::Scalar;

configured!(SimpleRnn, SimpleRnnConfig, |dict, config| {
    let [input_dim, units] = matrix(dict, "kernel")?;
    expect_shape("recurrent_kernel", &[units, units], &matrix(dict, "recurrent_kernel")?)?;
    let use_bias = dict.get("bias").is_some();
    Ok(SimpleRnnConfig { input_dim, units, use_bias, ..config.clone() })
});

/// Either layer with its configuration.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Bidirectional", deny_unknown_fields)]
struct Both<L> {
    forward: L,
    backward: L,
    merge_mode: MergeMode,
}

impl<A: Scalar + Serialize> Serialize for Bidirectional<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [forward, backward] = [self.forward_layer(), self.backward_layer()];
        Both { forward, backward, merge_mode: self.merge_mode() }.serialize(serializer)
    }
}

impl<'de, A: Scalar + Deserialize<'de>> Deserialize<'de> for Bidirectional<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Both { forward, backward, merge_mode } = Both::deserialize(deserializer)?;
        Self::from_layers(forward, backward, merge_mode).map_err(D::Error::custom)
    }
}
