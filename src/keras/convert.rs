//! Between Keras's layers and torch's networks.

use ndarray::{Array, Array2, ArrayRef, ArrayView1, Axis, Dimension};

use super::architecture::{Architecture, Options};
use super::bidirectional::Bidirectional;
use super::gru::GruConfig;
use super::layer::Layer;
use super::lstm::LstmConfig;
use super::merge::MergeMode;
use super::parameters::LayerParameters;
use super::simple_rnn::SimpleRnnConfig;
use crate::arrays::{elements, try_standard};
use crate::engine::Order;
use crate::error::{Error, Result};
use crate::invariant::Invariant;
use crate::kernels::Activation;
use crate::parameters::Parameters;
use crate::recurrent::{self, CellParameters, Kind as _, Nonlinearity, Recurrent, RnnConfig, Sizes};
use crate::room::{array, room, zeros};
use crate::scalar::Scalar;

const FROM: &str = "the conversion to Keras";
const TO: &str = "the conversion to torch";

/// A kind of layer that torch has too.
pub trait Counterpart: Architecture {
    /// torch's kind of network.
    type Torch: recurrent::Architecture;

    /// The configuration of one direction of one layer of torch's.
    fn of_torch(config: &Self::Torch) -> Result<Self>;

    /// torch's configuration of these sizes; what every kind has was checked.
    fn to_torch(&self, sizes: &Sizes) -> Result<Self::Torch>;
}

impl Counterpart for SimpleRnnConfig {
    type Torch = RnnConfig;

    fn of_torch(config: &RnnConfig) -> Result<Self> {
        Ok(Self::new(config.input_size, config.hidden_size)
            .activation(config.nonlinearity.activation())
            .use_bias(config.bias))
    }

    fn to_torch(&self, sizes: &Sizes) -> Result<RnnConfig> {
        let nonlinearity = match self.activation {
            Activation::Tanh => Nonlinearity::Tanh,
            Activation::Relu => Nonlinearity::Relu,
            _ => return unsupported(TO, "torch's network has tanh and relu only"),
        };
        Ok(RnnConfig::of_sizes(sizes).nonlinearity(nonlinearity))
    }
}

impl Counterpart for LstmConfig {
    type Torch = recurrent::LstmConfig;

    fn of_torch(config: &recurrent::LstmConfig) -> Result<Self> {
        if config.proj_size > 0 {
            return unsupported(FROM, "Keras's LSTM has no projection");
        }
        Ok(Self::new(config.input_size, config.hidden_size).use_bias(config.bias))
    }

    fn to_torch(&self, sizes: &Sizes) -> Result<recurrent::LstmConfig> {
        expect_gates(self.recurrent_activation, self.activation)?;
        Ok(recurrent::LstmConfig::of_sizes(sizes))
    }
}

impl Counterpart for GruConfig {
    type Torch = recurrent::GruConfig;

    fn of_torch(config: &recurrent::GruConfig) -> Result<Self> {
        Ok(Self::new(config.input_size, config.hidden_size).use_bias(config.bias))
    }

    fn to_torch(&self, sizes: &Sizes) -> Result<recurrent::GruConfig> {
        expect_gates(self.recurrent_activation, self.activation)?;
        if !self.reset_after {
            return unsupported(TO, "torch's GRU has its reset gate behind the recurrent product only");
        }
        Ok(recurrent::GruConfig::of_sizes(sizes))
    }
}

/// Checks that gates and states have torch's functions.
fn expect_gates(recurrent_activation: Activation, activation: Activation) -> Result<()> {
    match (recurrent_activation, activation) {
        (Activation::Sigmoid, Activation::Tanh) => Ok(()),
        _ => unsupported(TO, "torch's gates have sigmoid and tanh only"),
    }
}

/// The conversions of a kind of layer, each a concrete implementation, from which the compiler infers the kind.
macro_rules! conversions {
    ($config:ty, $torch:ty) => {
        /// A network of one layer in one direction: `kernel` is `weight_ih_l0` transposed, `recurrent_kernel` is
        /// `weight_hh_l0` transposed, the gates in Keras's order. A GRU's bias is torch's two. A SimpleRNN and an LSTM have
        /// one bias for torch's two, `bias_ih_l0 + bias_hh_l0`: outputs have the same bits where `bias_hh_l0` is zero;
        /// elsewhere the biases enter the sums in another order, which moves the last bits. Training moves the two apart:
        /// each of torch's two biases takes the step that Keras's one bias takes.
        ///
        /// Fails with [`Error::Unsupported`] for more layers, two directions, or a projection.
        impl<A: Scalar> TryFrom<&Recurrent<$torch, A>> for Layer<$config, A> {
            type Error = Error;

            fn try_from(network: &Recurrent<$torch, A>) -> Result<Self> {
                layer_of(network)
            }
        }

        /// A network of one layer in two directions, whose outputs stand side by side; each direction as for a [`Layer`].
        ///
        /// Fails with [`Error::Unsupported`] for more layers, one direction, or a projection.
        impl<A: Scalar> TryFrom<&Recurrent<$torch, A>> for Bidirectional<A, $config> {
            type Error = Error;

            fn try_from(network: &Recurrent<$torch, A>) -> Result<Self> {
                both_of(network)
            }
        }

        /// The network, batch first, whose outputs have the same bits: the conversion from a network reversed, with a
        /// `bias_hh` of zeros where Keras's layer has one bias.
        ///
        /// Fails with [`Error::Unsupported`] for what torch's network lacks: other activations than tanh and relu, in
        /// gates sigmoid and tanh; a GRU without `reset_after`; dropout of inputs and states; one layer that goes
        /// backwards.
        impl<A: Scalar> TryFrom<&Layer<$config, A>> for Recurrent<$torch, A> {
            type Error = Error;

            fn try_from(layer: &Layer<$config, A>) -> Result<Self> {
                network_of(layer)
            }
        }

        /// The bidirectional network, batch first, whose outputs have the same bits.
        ///
        /// Fails with [`Error::Unsupported`] for what torch's network lacks: outputs that are not concatenated, layers that
        /// differ in units, activation or bias, and what a [`Layer`] fails for.
        impl<A: Scalar> TryFrom<&Bidirectional<A, $config>> for Recurrent<$torch, A> {
            type Error = Error;

            fn try_from(layer: &Bidirectional<A, $config>) -> Result<Self> {
                network_of_both(layer)
            }
        }
    };
}

conversions!(SimpleRnnConfig, RnnConfig);
conversions!(LstmConfig, recurrent::LstmConfig);
conversions!(GruConfig, recurrent::GruConfig);

fn layer_of<C: Counterpart, A: Scalar>(network: &Recurrent<C::Torch, A>) -> Result<Layer<C, A>> {
    let [cell] = &network.parameters().cells[..] else {
        return unsupported(FROM, "the network is not one layer in one direction");
    };
    Layer::of_cell(C::of_torch(network.config())?, cell, C::Torch::ORDER)
}

fn both_of<C: Counterpart, A: Scalar>(network: &Recurrent<C::Torch, A>) -> Result<Bidirectional<A, C>> {
    let (cells, directions) = (&network.parameters().cells[..], network.config().sizes().num_directions);
    let ([forward, backward], 2) = (cells, directions) else {
        return unsupported(FROM, "the network is not one layer in two directions");
    };
    let [forwards, backwards] = C::of_torch(network.config())?.both_ways();
    let of_cell = |config, cell| Layer::of_cell(config, cell, C::Torch::ORDER);
    Bidirectional::from_layers(of_cell(forwards, forward)?, of_cell(backwards, backward)?, MergeMode::Concat)
}

fn network_of<C: Counterpart, A: Scalar>(layer: &Layer<C, A>) -> Result<Recurrent<C::Torch, A>> {
    if layer.config().options().go_backwards {
        return unsupported(TO, "the layer goes backwards");
    }
    loaded(torch_config(layer.config(), 1)?, &[("l0", layer)])
}

fn network_of_both<C: Counterpart, A: Scalar>(layer: &Bidirectional<A, C>) -> Result<Recurrent<C::Torch, A>> {
    let [forward, backward] = [layer.forward_layer(), layer.backward_layer()];
    let config = torch_config(forward.config(), 2)?;
    if layer.merge_mode() != MergeMode::Concat || torch_config(backward.config(), 2)? != config {
        return unsupported(TO, "the layers' outputs are not concatenated, or the layers differ");
    }
    loaded(config, &[("l0", forward), ("l0_reverse", backward)])
}

/// torch's configuration, batch first, of one layer in one direction or in both.
fn torch_config<C: Counterpart>(config: &C, num_directions: usize) -> Result<C::Torch> {
    let Options { input_dim, units, use_bias, dropout, recurrent_dropout, .. } = config.options();
    if dropout > 0.0 || recurrent_dropout > 0.0 {
        return unsupported(TO, "torch's network has no dropout of inputs and states");
    }
    config.to_torch(&Sizes {
        num_directions,
        batch_first: true,
        ..Sizes::of_cell(input_dim, units, use_bias)
    })
}

impl<A: Scalar, C: Architecture> Layer<C, A> {
    /// A layer of one direction's weights in torch's layout; `theirs` is the order of its gates.
    pub(crate) fn of_cell(config: C, cell: &CellParameters<A>, theirs: Order) -> Result<Self> {
        let ours = C::ORDER;
        let turned = |name, weight: Array2<A>| try_standard(name, &weight.t());
        let kernel = turned("kernel", reordered(&cell.weight_ih, theirs.input, ours.input)?)?;
        let recurrent_kernel =
            turned("recurrent_kernel", reordered(&cell.weight_hh, theirs.hidden, ours.hidden)?)?;
        let dim = config.bias_dim();
        let biases = cell.bias_ih.as_ref().zip(cell.bias_hh.as_ref());
        let bias = biases.map(|(bias_ih, bias_hh)| -> Result<_> {
            let bias_ih = reordered(bias_ih, theirs.input, ours.input)?;
            let bias_hh = reordered(bias_hh, theirs.hidden, ours.hidden)?;
            let numbers = if dim.size() == bias_ih.len() {
                bias_ih + bias_hh
            } else {
                let mut both = room("bias", &[2, bias_ih.len()])?;
                both.extend(bias_ih.iter().chain(&bias_hh));
                array(2 * bias_ih.len(), both)
            };
            Ok(numbers.into_shape_with_order(dim).invariant("a bias has a number for each column, or two"))
        });
        Self::of(config, LayerParameters { kernel, recurrent_kernel, bias: bias.transpose()? })
    }
}

/// Copies blocks of rows: what is block `from[k]` becomes block `to[k]`.
///
/// # Errors
/// [`Error::SizeOverflow`] if no memory holds them.
fn reordered<A: Scalar, D: Dimension>(
    rows: &ArrayRef<A, D>,
    from: &[usize],
    to: &[usize],
) -> Result<Array<A, D>> {
    let mut reordered = zeros("weights", rows.raw_dim())?;
    let units = rows.len_of(Axis(0)) / from.len();
    for (&from, &to) in from.iter().zip(to) {
        let targets = reordered.axis_chunks_iter_mut(Axis(0), units).nth(to);
        let block = rows.axis_chunks_iter(Axis(0), units).nth(from);
        let (mut target, block) = targets.zip(block).invariant("an order lists blocks that there are");
        target.assign(&block);
    }
    Ok(reordered)
}

/// A network of given layers.
fn loaded<C: Counterpart, A: Scalar>(
    config: C::Torch,
    layers: &[(&str, &Layer<C, A>)],
) -> Result<Recurrent<C::Torch, A>> {
    let (theirs, ours) = (C::Torch::ORDER, C::ORDER);
    let mut state_dict = Vec::new();
    for (name, layer) in layers {
        let LayerParameters { kernel, recurrent_kernel, bias } = layer.parameters();
        let weight_ih = reordered(&kernel.t(), ours.input, theirs.input)?;
        let weight_hh = reordered(&recurrent_kernel.t(), ours.hidden, theirs.hidden)?;
        state_dict.push((format!("weight_ih_{name}"), weight_ih.into_dyn()));
        state_dict.push((format!("weight_hh_{name}"), weight_hh.into_dyn()));
        if let Some(bias) = bias {
            let columns = kernel.ncols();
            let mut rows = elements(bias).chunks_exact(columns).map(ArrayView1::from);
            let mut row = |order, theirs| match rows.next() {
                Some(row) => reordered(&row, order, theirs),
                None => zeros("bias", columns),
            };
            state_dict.push((format!("bias_ih_{name}"), row(ours.input, theirs.input)?.into_dyn()));
            state_dict.push((format!("bias_hh_{name}"), row(ours.hidden, theirs.hidden)?.into_dyn()));
        }
    }
    let mut network = Recurrent::zeros(config)?;
    network.load_state_dict(state_dict)?;
    Ok(network)
}

fn unsupported<T>(operation: &'static str, reason: &'static str) -> Result<T> {
    Err(Error::Unsupported { operation, reason })
}
