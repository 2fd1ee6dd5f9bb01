//! Between Keras's layers and torch's network.

use ndarray::Array1;

use super::bidirectional::Bidirectional;
use super::merge::MergeMode;
use super::simple_rnn::{SimpleRnn, SimpleRnnConfig, SimpleRnnParameters};
use crate::arrays::standard;
use crate::error::{Error, Result};
use crate::kernels::Activation;
use crate::parameters::Parameters;
use crate::recurrent::{CellParameters, Nonlinearity, Rnn, RnnConfig};
use crate::scalar::Scalar;

/// A network of one layer in one direction: `kernel` is `weight_ih_l0` transposed, `recurrent_kernel` is `weight_hh_l0`
/// transposed, `bias` is `bias_ih_l0 + bias_hh_l0`. Outputs have the same bits where `bias_hh_l0` is zero; elsewhere the
/// biases enter the sums in another order, which moves the last bits. Training moves the two apart: each of torch's two
/// biases takes the step that Keras's one bias takes.
///
/// Fails with [`Error::Unsupported`] for more layers or two directions.
impl<A: Scalar> TryFrom<&Rnn<A>> for SimpleRnn<A> {
    type Error = Error;

    fn try_from(rnn: &Rnn<A>) -> Result<Self> {
        if rnn.config().num_layers != 1 || rnn.config().bidirectional {
            return unsupported("SimpleRnn::try_from", "the network is not one layer in one direction");
        }
        Self::of_cell(config_of(rnn.config()), &rnn.parameters().cells[0])
    }
}

/// A network of one layer in two directions, whose outputs stand side by side; each direction as for [`SimpleRnn`].
///
/// Fails with [`Error::Unsupported`] for more layers or one direction.
impl<A: Scalar> TryFrom<&Rnn<A>> for Bidirectional<A> {
    type Error = Error;

    fn try_from(rnn: &Rnn<A>) -> Result<Self> {
        if rnn.config().num_layers != 1 || !rnn.config().bidirectional {
            return unsupported("Bidirectional::try_from", "the network is not one layer in two directions");
        }
        let config = config_of(rnn.config());
        let [forward, backward] = [0, 1].map(|direction| &rnn.parameters().cells[direction]);
        let forward = SimpleRnn::of_cell(config.clone(), forward)?;
        let backward = SimpleRnn::of_cell(config.go_backwards(true), backward)?;
        Self::from_layers(forward, backward, MergeMode::Concat)
    }
}

/// The network, batch first, whose outputs have the same bits: the conversion from a network reversed, with a `bias_hh`
/// of zeros.
///
/// Fails with [`Error::Unsupported`] for what torch's network lacks: activations other than tanh and relu, dropout of
/// inputs and states, one layer that goes backwards.
impl<A: Scalar> TryFrom<&SimpleRnn<A>> for Rnn<A> {
    type Error = Error;

    fn try_from(layer: &SimpleRnn<A>) -> Result<Self> {
        if layer.config().go_backwards {
            return unsupported("Rnn::try_from", "the layer goes backwards");
        }
        loaded(rnn_config_of(layer.config())?, &[("l0", layer.parameters())])
    }
}

/// The bidirectional network, batch first, whose outputs have the same bits.
///
/// Fails with [`Error::Unsupported`] for what torch's network lacks: outputs that are not concatenated, layers that
/// differ in units, activation or bias, and what [`SimpleRnn`] fails for.
impl<A: Scalar> TryFrom<&Bidirectional<A>> for Rnn<A> {
    type Error = Error;

    fn try_from(layer: &Bidirectional<A>) -> Result<Self> {
        let [forward, backward] = [layer.forward_layer(), layer.backward_layer()];
        let config = rnn_config_of(forward.config())?;
        if layer.merge_mode() != MergeMode::Concat || rnn_config_of(backward.config())? != config {
            return unsupported(
                "Rnn::try_from",
                "the layers' outputs are not concatenated, or the layers differ",
            );
        }
        let layers = [("l0", forward.parameters()), ("l0_reverse", backward.parameters())];
        loaded(config.bidirectional(true), &layers)
    }
}

fn config_of(config: &RnnConfig) -> SimpleRnnConfig {
    SimpleRnnConfig::new(config.input_size, config.hidden_size)
        .activation(config.nonlinearity.activation())
        .use_bias(config.bias)
}

fn rnn_config_of(config: &SimpleRnnConfig) -> Result<RnnConfig> {
    let nonlinearity = match config.activation {
        Activation::Tanh => Nonlinearity::Tanh,
        Activation::Relu => Nonlinearity::Relu,
        _ => return unsupported("Rnn::try_from", "torch's network has tanh and relu only"),
    };
    if config.dropout > 0.0 || config.recurrent_dropout > 0.0 {
        return unsupported("Rnn::try_from", "torch's network has no dropout of inputs and states");
    }
    let rnn = RnnConfig::new(config.input_dim, config.units);
    Ok(rnn.nonlinearity(nonlinearity).bias(config.use_bias).batch_first(true))
}

impl<A: Scalar> SimpleRnn<A> {
    /// A layer of one direction's weights in torch's layout.
    pub(crate) fn of_cell(config: SimpleRnnConfig, cell: &CellParameters<A>) -> Result<Self> {
        let kernel = standard(&cell.weight_ih.t());
        let recurrent_kernel = standard(&cell.weight_hh.t());
        let biases = cell.bias_ih.as_ref().zip(cell.bias_hh.as_ref());
        let bias = biases.map(|(bias_ih, bias_hh)| bias_ih + bias_hh);
        Self::of(config, SimpleRnnParameters { kernel, recurrent_kernel, bias })
    }
}

/// A network of given layers.
fn loaded<A: Scalar>(config: RnnConfig, layers: &[(&str, &SimpleRnnParameters<A>)]) -> Result<Rnn<A>> {
    let mut state_dict = Vec::new();
    for (name, SimpleRnnParameters { kernel, recurrent_kernel, bias }) in layers {
        state_dict.push((format!("weight_ih_{name}"), standard(&kernel.t()).into_dyn()));
        state_dict.push((format!("weight_hh_{name}"), standard(&recurrent_kernel.t()).into_dyn()));
        if let Some(bias) = bias {
            state_dict.push((format!("bias_ih_{name}"), bias.clone().into_dyn()));
            state_dict.push((format!("bias_hh_{name}"), Array1::zeros(bias.len()).into_dyn()));
        }
    }
    let mut rnn = Rnn::zeros(config)?;
    rnn.load_state_dict(state_dict)?;
    Ok(rnn)
}

fn unsupported<T>(operation: &'static str, reason: &'static str) -> Result<T> {
    Err(Error::Unsupported { operation, reason })
}
