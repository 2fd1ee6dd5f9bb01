//! Models under serde: a configuration, and the parameters by name. For any format that serde has; a file is read by
//! [`Deserialize`] into a new model, or not at all. A text format is refused a model with NaN or infinity. In JSON an `f64`
//! keeps its bits, since this crate's feature `serde` turns serde_json's `float_roundtrip` on.
//!
//! Optimisers stand beside their private parts, in `optim`.

mod keras;

use std::fmt::{self, Display};
use std::marker::PhantomData;

use ndarray::{ArrayD, ArrayViewD};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{StateDict, Tensor};
use crate::arrays::expect_text;
use crate::embedding::{Embedding, EmbeddingConfig};
use crate::error::{Error, Result};
use crate::linear::{Linear, LinearConfig};
use crate::parameters::Parameters;
use crate::recurrent::{
    Gru, GruCell, GruCellConfig, GruConfig, Lstm, LstmCell, LstmCellConfig, LstmConfig, Rnn, RnnCell,
    RnnCellConfig, RnnConfig,
};
use crate::scalar::Scalar;

/// A model that is made of a configuration and named arrays.
trait Configured: Parameters + Sized {
    type Config: Clone + Display + PartialEq + Serialize + for<'de> Deserialize<'de>;

    fn config(&self) -> &Self::Config;

    /// A model of zeros.
    fn zeros(config: Self::Config) -> Result<Self>;

    /// What a dict says itself, and what only the configuration can: they must agree before memory is taken.
    fn inferred(dict: &StateDict, config: &Self::Config) -> Result<Self::Config>;
}

/// Makes a type with `config()`, `zeros(config)` and named parameters a [`Configured`] that serde writes and reads. The
/// last argument is [`Configured::inferred`].
macro_rules! configured {
    ($model:ident, $config:ident, $inferred:expr) => {
        impl<A: Scalar> Configured for $model<A> {
            type Config = $config;

            fn config(&self) -> &$config {
                self.config()
            }

            fn zeros(config: $config) -> Result<Self> {
                Self::zeros(config)
            }

            fn inferred(dict: &StateDict, config: &$config) -> Result<$config> {
                let inferred: fn(&StateDict, &$config) -> Result<$config> = $inferred;
                inferred(dict, config)
            }
        }

        impl<A: Scalar + Serialize> Serialize for $model<A> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize(self, serializer)
            }
        }

        impl<'de, A: Scalar + Deserialize<'de>> Deserialize<'de> for $model<A> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize(deserializer)
            }
        }
    };
}

configured!(Rnn, RnnConfig, |dict, config| {
    let inferred = dict.rnn_config(config.nonlinearity)?;
    Ok(inferred.batch_first(config.batch_first).dropout(config.dropout))
});

configured!(RnnCell, RnnCellConfig, |dict, config| dict.rnn_cell_config(config.nonlinearity));

configured!(Lstm, LstmConfig, |dict, config| {
    Ok(dict.lstm_config()?.batch_first(config.batch_first).dropout(config.dropout))
});

configured!(LstmCell, LstmCellConfig, |dict, _| dict.lstm_cell_config());

configured!(Gru, GruConfig, |dict, config| {
    Ok(dict.gru_config()?.batch_first(config.batch_first).dropout(config.dropout))
});

configured!(GruCell, GruCellConfig, |dict, _| dict.gru_cell_config());

configured!(Linear, LinearConfig, |dict, _| dict.linear_config());

configured!(Embedding, EmbeddingConfig, |dict, config| {
    let EmbeddingConfig { max_norm, norm_type, padding_idx, .. } = *config;
    Ok(EmbeddingConfig { max_norm, norm_type, ..dict.embedding_config(padding_idx)? })
});

#[derive(Serialize)]
#[serde(bound = "A: Serialize, C: Serialize")]
struct Written<'a, C, A> {
    config: &'a C,
    parameters: Views<'a, A>,
}

#[derive(Deserialize)]
#[serde(bound = "A: Deserialize<'de>, C: Deserialize<'de>", deny_unknown_fields)]
struct Read<C, A> {
    config: C,
    parameters: Arrays<A>,
}

/// A map of names to arrays.
struct Views<'a, A>(Vec<(String, ArrayViewD<'a, A>)>);

impl<A: Serialize> Serialize for Views<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, array)| map.serialize_entry(name, array))?;
        map.end()
    }
}

/// The same, read; a name may still come twice.
struct Arrays<A>(Vec<(String, ArrayD<A>)>);

impl<'de, A: Deserialize<'de>> Deserialize<'de> for Arrays<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<A>(PhantomData<A>);

        impl<'de, A: Deserialize<'de>> Visitor<'de> for Entries<A> {
            type Value = Arrays<A>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of named arrays")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Arrays<A>, M::Error> {
                let mut arrays = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    arrays.push(entry);
                }
                Ok(Arrays(arrays))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

fn serialize<M, S>(model: &M, serializer: S) -> Result<S::Ok, S::Error>
where
    M: Configured<Elem: Serialize>,
    S: Serializer,
{
    let parameters = Views(model.named_parameters());
    if serializer.is_human_readable() {
        parameters.0.iter().try_for_each(|(name, array)| expect_text(name, array))?;
    }
    Written { config: model.config(), parameters }.serialize(serializer)
}

fn deserialize<'de, M, D>(deserializer: D) -> Result<M, D::Error>
where
    M: Configured<Elem: Deserialize<'de>>,
    D: Deserializer<'de>,
{
    let Read { config, parameters } = Read::<M::Config, M::Elem>::deserialize(deserializer)?;
    checked(config, parameters).map_err(D::Error::custom)
}

fn checked<M: Configured>(config: M::Config, parameters: Arrays<M::Elem>) -> Result<M> {
    let mut dict = StateDict::new();
    for (name, array) in parameters.0 {
        dict.insert(name, Tensor::from_array(&array)?)?;
    }
    let inferred = M::inferred(&dict, &config)?;
    if inferred != config {
        let (expected, actual) = (config.to_string(), inferred.to_string());
        return Err(Error::ForeignParameters { expected, actual });
    }
    let mut model = M::zeros(config)?;
    dict.load_into(&mut model)?;
    Ok(model)
}
