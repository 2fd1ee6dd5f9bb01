//! Models made of a [`StateDict`] alone: every size follows from the names and shapes of the arrays.

use super::{StateDict, Tensor};
use crate::embedding::{Embedding, EmbeddingConfig};
use crate::error::{Error, FileError, Result, expect_shape};
use crate::linear::{Linear, LinearConfig};
use crate::recurrent::{Kind, Nonlinearity, Rnn, RnnCell, RnnCellConfig, RnnConfig};
use crate::scalar::Scalar;

impl<A: Scalar> Rnn<A> {
    /// A network of arrays with torch's names and shapes, which decide its layers, directions, biases and sizes.
    ///
    /// Names and shapes do not say the nonlinearity, which is an argument, nor `batch_first` and the dropout, which are
    /// torch's defaults. For other values change the [`rnn_config`](StateDict::rnn_config), make a network of
    /// [`zeros`](Self::zeros) and [load the dict into it](StateDict::load_into).
    ///
    /// # Errors
    /// [`FileError::NotFound`] without a `weight_ih_l0`, [`FileError::Dtype`] for arrays of another element type;
    /// [`Error::UnexpectedParameter`], [`Error::MissingParameter`], [`Error::Shape`], [`Error::Rank`] or
    /// [`Error::ZeroSize`] unless the arrays together are the parameters of a network.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig, manual_seed};
    ///
    /// let trained = Rnn::<f32>::new(RnnConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("rnn.", &trained)?;
    /// assert_eq!(Rnn::from_state_dict(&dict.under("rnn."), Nonlinearity::Tanh)?, trained);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_state_dict(state_dict: &StateDict, nonlinearity: Nonlinearity) -> Result<Self> {
        let mut rnn = Self::zeros(state_dict.rnn_config(nonlinearity)?)?;
        state_dict.load_into(&mut rnn)?;
        Ok(rnn)
    }
}

impl<A: Scalar> RnnCell<A> {
    /// A cell of arrays with torch's names and shapes, which decide its biases and sizes.
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`].
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Nonlinearity, RnnCell, RnnCellConfig, manual_seed};
    ///
    /// let trained = RnnCell::<f32>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("", &trained)?;
    /// assert_eq!(RnnCell::from_state_dict(&dict, Nonlinearity::Tanh)?, trained);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_state_dict(state_dict: &StateDict, nonlinearity: Nonlinearity) -> Result<Self> {
        let mut cell = Self::zeros(state_dict.rnn_cell_config(nonlinearity)?)?;
        state_dict.load_into(&mut cell)?;
        Ok(cell)
    }
}

impl<A: Scalar> Linear<A> {
    /// A map of arrays with torch's names and shapes, which decide its bias and sizes.
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`].
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::Linear;
    /// use ndarray_rnn::io::{StateDict, Tensor};
    ///
    /// let mut dict = StateDict::new();
    /// dict.insert("weight", Tensor::from_array(&array![[1.0_f32, 2.0]]))?;
    /// assert_eq!(Linear::<f32>::from_state_dict(&dict)?.forward(&array![3.0, 4.0])?, array![11.0]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_state_dict(state_dict: &StateDict) -> Result<Self> {
        let mut linear = Self::zeros(state_dict.linear_config()?)?;
        state_dict.load_into(&mut linear)?;
        Ok(linear)
    }
}

impl<A: Scalar> Embedding<A> {
    /// A table of an array with torch's name, whose shape decides the sizes.
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`].
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::Embedding;
    /// use ndarray_rnn::io::{StateDict, Tensor};
    ///
    /// let mut dict = StateDict::new();
    /// dict.insert("weight", Tensor::from_array(&array![[1.0_f64, 2.0], [3.0, 4.0]]))?;
    /// assert_eq!(Embedding::<f64>::from_state_dict(&dict)?.forward(&array![1])?, array![[3.0, 4.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    pub fn from_state_dict(state_dict: &StateDict) -> Result<Self> {
        let mut embedding = Self::zeros(state_dict.embedding_config()?)?;
        state_dict.load_into(&mut embedding)?;
        Ok(embedding)
    }
}

impl StateDict {
    /// The configuration of a network of these names and shapes. What they do not say has its default.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Nonlinearity, Rnn, RnnConfig};
    ///
    /// let config = RnnConfig::new(4, 2).num_layers(3).bidirectional(true).bias(false).batch_first(true);
    /// let mut dict = StateDict::new();
    /// dict.add("", &Rnn::<f32>::zeros(config.clone())?)?;
    /// assert_eq!(dict.rnn_config(Nonlinearity::Tanh)?.batch_first(true), config);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`].
    pub fn rnn_config(&self, nonlinearity: Nonlinearity) -> Result<RnnConfig> {
        let [hidden_size, input_size] = recurrent_sizes(self, "weight_ih_l0", "weight_hh_l0")?;
        let present = |k: usize| self.get(&format!("weight_ih_l{k}")).is_some();
        let config = RnnConfig::new(input_size, hidden_size)
            .num_layers((1..).take_while(|&k| present(k)).count() + 1)
            .nonlinearity(nonlinearity)
            .bias(self.get("bias_ih_l0").is_some())
            .bidirectional(self.get("weight_ih_l0_reverse").is_some());
        expect_weights(self, &config)?;
        Ok(config)
    }

    pub(super) fn rnn_cell_config(&self, nonlinearity: Nonlinearity) -> Result<RnnCellConfig> {
        let [hidden_size, input_size] = recurrent_sizes(self, "weight_ih", "weight_hh")?;
        let bias = self.get("bias_ih").is_some();
        Ok(RnnCellConfig::new(input_size, hidden_size).bias(bias).nonlinearity(nonlinearity))
    }

    pub(super) fn linear_config(&self) -> Result<LinearConfig> {
        let [out_features, in_features] = matrix(self, "weight")?;
        Ok(LinearConfig::new(in_features, out_features).bias(self.get("bias").is_some()))
    }

    pub(super) fn embedding_config(&self) -> Result<EmbeddingConfig> {
        let [num_embeddings, embedding_dim] = matrix(self, "weight")?;
        Ok(EmbeddingConfig::new(num_embeddings, embedding_dim))
    }
}

/// Checks every weight against the configuration before a network takes memory. A network that passes is no larger
/// than the dict, so no small file makes a large network.
fn expect_weights(state_dict: &StateDict, config: &RnnConfig) -> Result<()> {
    let hidden = config.hidden_size;
    for k in 0..config.num_layers {
        let suffixes = ["", "_reverse"].into_iter().take(config.num_directions());
        for suffix in suffixes.map(|reverse| format!("l{k}{reverse}")) {
            expect_weight(
                state_dict,
                format!("weight_ih_{suffix}"),
                [hidden, config.sizes().layer_input_size(k)],
            )?;
            expect_weight(state_dict, format!("weight_hh_{suffix}"), [hidden, hidden])?;
        }
    }
    Ok(())
}

fn expect_weight(state_dict: &StateDict, name: String, expected: [usize; 2]) -> Result<()> {
    match state_dict.get(&name) {
        Some(tensor) => expect_shape(&name, &expected, tensor.shape()),
        None => Err(Error::MissingParameter { name, expected: expected.into() }),
    }
}

/// `hidden_size` and `input_size` of the weights of one direction of one layer.
fn recurrent_sizes(state_dict: &StateDict, ih: &'static str, hh: &'static str) -> Result<[usize; 2]> {
    let [_, input_size] = matrix(state_dict, ih)?;
    let [_, hidden_size] = matrix(state_dict, hh)?;
    expect_weight(state_dict, ih.into(), [hidden_size, input_size])?;
    expect_weight(state_dict, hh.into(), [hidden_size, hidden_size])?;
    Ok([hidden_size, input_size])
}

/// The shape of a matrix.
pub(super) fn matrix(state_dict: &StateDict, name: &'static str) -> Result<[usize; 2]> {
    let not_found = || {
        let present = state_dict.names().take(20).map(str::to_owned).collect();
        FileError::NotFound { name, present }
    };
    let shape = state_dict.get(name).map(Tensor::shape).ok_or_else(not_found)?;
    shape.try_into().map_err(|_| Error::Rank { array: name, expected: 2, actual: shape.len() })
}
