//! Keras's layers under serde.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Configured, deserialize, serialize};
use crate::error::{Result, expect_shape};
use crate::io::StateDict;
use crate::io::configs::matrix;
use crate::keras::{Architecture, Bidirectional, Layer, MergeMode};
use crate::scalar::Scalar;

impl<C, A: Scalar> Configured for Layer<C, A>
where
    C: Architecture + Serialize + for<'de> Deserialize<'de>,
{
    type Config = C;

    fn config(&self) -> &C {
        self.config()
    }

    fn zeros(config: C) -> Result<Self> {
        Self::zeros(config)
    }

    fn inferred(dict: &StateDict, config: &C) -> Result<C> {
        let ([input_dim, width], [units, recurrent_width]) =
            (matrix(dict, "kernel")?, matrix(dict, "recurrent_kernel")?);
        let columns = units.saturating_mul(C::GATES);
        expect_shape("kernel", &[input_dim, columns], &[input_dim, width])?;
        expect_shape("recurrent_kernel", &[units, columns], &[units, recurrent_width])?;
        Ok(config.clone().sized([input_dim, units], dict.get("bias").is_some()))
    }
}

impl<C, A: Scalar + Serialize> Serialize for Layer<C, A>
where
    C: Architecture + Serialize + for<'de> Deserialize<'de>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

impl<'de, C, A: Scalar + Deserialize<'de>> Deserialize<'de> for Layer<C, A>
where
    C: Architecture + Serialize + for<'a> Deserialize<'a>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// Either layer with its configuration.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Bidirectional", deny_unknown_fields)]
struct Both<L> {
    forward: L,
    backward: L,
    merge_mode: MergeMode,
}

impl<A: Scalar, C: Architecture> Serialize for Bidirectional<A, C>
where
    Layer<C, A>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [forward, backward] = [self.forward_layer(), self.backward_layer()];
        Both { forward, backward, merge_mode: self.merge_mode() }.serialize(serializer)
    }
}

impl<'de, A: Scalar, C: Architecture> Deserialize<'de> for Bidirectional<A, C>
where
    Layer<C, A>: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Both { forward, backward, merge_mode } = Both::deserialize(deserializer)?;
        Self::from_layers(forward, backward, merge_mode).map_err(D::Error::custom)
    }
}
