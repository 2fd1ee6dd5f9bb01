//! Models made of a [`StateDict`] alone: every size follows from the names and shapes of the arrays.

use super::StateDict;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::linear::Linear;
use crate::recurrent::{Gru, GruCell, Lstm, LstmCell, Nonlinearity, Rnn, RnnCell};
use crate::scalar::Scalar;

/// Makes `from_state_dict` of a model whose configuration a dict says, but for the arguments.
macro_rules! from_state_dict {
    ($(#[$doc:meta])* $model:ident, $config:ident($($argument:ident: $type:ty)?)) => {
        impl<A: Scalar> $model<A> {
            $(#[$doc])*
            pub fn from_state_dict(state_dict: &StateDict $(, $argument: $type)?) -> Result<Self> {
                let mut model = Self::zeros(state_dict.$config($($argument)?)?)?;
                state_dict.load_into(&mut model)?;
                Ok(model)
            }
        }
    };
}

from_state_dict! {
    /// A network of arrays with torch's names and shapes, which decide its layers, directions, biases and sizes.
    ///
    /// Names and shapes do not say the nonlinearity, which is an argument, nor `batch_first` and the dropout, which are
    /// torch's defaults. For other values change the [`rnn_config`](StateDict::rnn_config), make a network of
    /// [`zeros`](Self::zeros) and [load the dict into it](StateDict::load_into).
    ///
    /// # Errors
    /// [`Error::WrongKind`](crate::Error::WrongKind) for the weights of an LSTM or a GRU, known by the rows of
    /// `weight_hh_l0`; [`FileError::MissingWeights`](crate::FileError::MissingWeights) without a `weight_ih_l0`,
    /// [`FileError::Dtype`](crate::FileError::Dtype) for arrays of another element type;
    /// [`Error::UnexpectedParameter`](crate::Error::UnexpectedParameter),
    /// [`Error::MissingParameter`](crate::Error::MissingParameter), [`Error::Shape`](crate::Error::Shape),
    /// [`Error::Rank`](crate::Error::Rank) or [`Error::ZeroSize`](crate::Error::ZeroSize) unless the arrays together are
    /// the parameters of a network.
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
    Rnn, rnn_config(nonlinearity: Nonlinearity)
}

from_state_dict! {
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
    RnnCell, rnn_cell_config(nonlinearity: Nonlinearity)
}

from_state_dict! {
    /// A network of arrays with torch's names and shapes, which decide its layers, directions, biases, projection and
    /// sizes. `batch_first` and the dropout have torch's defaults; for others see
    /// [`lstm_config`](StateDict::lstm_config).
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`]: [`Error::WrongKind`](crate::Error::WrongKind) for the weights of an RNN or a GRU.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Gru, Lstm, LstmConfig, manual_seed};
    ///
    /// let config = LstmConfig::new(3, 4).num_layers(2).bidirectional(true).proj_size(2);
    /// let trained = Lstm::<f32>::new(config, &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("rnn.", &trained)?;
    /// assert_eq!(Lstm::from_state_dict(&dict.under("rnn."))?, trained);
    ///
    /// let error = Gru::<f32>::from_state_dict(&dict.under("rnn.")).unwrap_err();
    /// assert_eq!(error.to_string(), "these are an LSTM's weights (four gates): use `Lstm`, not `Gru`");
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    Lstm, lstm_config()
}

from_state_dict! {
    /// A network of arrays with torch's names and shapes, which decide its layers, directions, biases and sizes.
    /// `batch_first` and the dropout have torch's defaults; for others see [`gru_config`](StateDict::gru_config).
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`]: [`Error::WrongKind`](crate::Error::WrongKind) for the weights of an RNN or an LSTM.
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{Gru, GruConfig, manual_seed};
    ///
    /// let trained = Gru::<f32>::new(GruConfig::new(4, 2).num_layers(2), &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("", &trained)?;
    /// assert_eq!(Gru::from_state_dict(&dict)?, trained);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    Gru, gru_config()
}

from_state_dict! {
    /// A cell of arrays with torch's names and shapes, which decide its biases and sizes.
    ///
    /// # Errors
    /// As [`Lstm::from_state_dict`].
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{LstmCell, LstmCellConfig, manual_seed};
    ///
    /// let trained = LstmCell::<f32>::new(LstmCellConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("", &trained)?;
    /// assert_eq!(LstmCell::from_state_dict(&dict)?, trained);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    LstmCell, lstm_cell_config()
}

from_state_dict! {
    /// A cell of arrays with torch's names and shapes, which decide its biases and sizes.
    ///
    /// # Errors
    /// As [`Gru::from_state_dict`].
    ///
    /// ```
    /// use ndarray_rnn::io::StateDict;
    /// use ndarray_rnn::{GruCell, GruCellConfig, manual_seed};
    ///
    /// let trained = GruCell::<f32>::new(GruCellConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut dict = StateDict::new();
    /// dict.add("", &trained)?;
    /// assert_eq!(GruCell::from_state_dict(&dict)?, trained);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    GruCell, gru_cell_config()
}

from_state_dict! {
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
    /// dict.insert("weight", Tensor::from_array(&array![[1.0_f32, 2.0]])?)?;
    /// assert_eq!(Linear::<f32>::from_state_dict(&dict)?.forward(&array![3.0, 4.0])?, array![11.0]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    Linear, linear_config()
}

from_state_dict! {
    /// A table of an array with torch's name, whose shape decides the sizes.
    ///
    /// The array does not say which vector is padding, so that is an argument: the gradient of that vector is zero, and
    /// training does not change it. For a `max_norm` make a table of [`zeros`](Self::zeros) and
    /// [load the dict into it](StateDict::load_into).
    ///
    /// # Errors
    /// As [`Rnn::from_state_dict`]; [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for a `padding_idx` that
    /// is no row.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::Embedding;
    /// use ndarray_rnn::io::{StateDict, Tensor};
    ///
    /// let mut dict = StateDict::new();
    /// dict.insert("weight", Tensor::from_array(&array![[0.0_f64, 0.0], [3.0, 4.0]])?)?;
    /// let embedding = Embedding::<f64>::from_state_dict(&dict, Some(0))?;
    /// assert_eq!(embedding.forward(&array![1])?, array![[3.0, 4.0]]);
    /// assert_eq!(embedding.backward(&array![0], &array![[1.0, 1.0]])?.weight(), array![[0.0, 0.0], [0.0, 0.0]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    Embedding, embedding_config(padding_idx: Option<usize>)
}
