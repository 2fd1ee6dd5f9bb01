//! Writing a network as an ONNX model.

use std::path::Path;

use super::builder::{Builder, element_type, int, ints};
use super::layer::{self, DirectionWeights, Inputs};
use super::proto::{Dim, data_type};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::io::files;
use crate::recurrent::{Direction, Rnn};
use crate::scalar::Scalar;

/// Writes an [`Rnn`] as a model of ONNX's `RNN` nodes, for ONNX Runtime and every other engine of that format.
///
/// | | name | shape |
/// |---|---|---|
/// | input | `input` | (L, N, input_size), with `batch_first` (N, L, input_size) |
/// | input, if asked for | `sequence_lens` | (N), `int32`, from 1 to L |
/// | input, if asked for | `h_0` | (K D, N, hidden_size) |
/// | output | `output` | (L, N, D hidden_size), with `batch_first` (N, L, D hidden_size) |
/// | output | `h_n` | (K D, N, hidden_size) |
///
/// L and N may have any length in the model (its axes `L` and `N`). With `sequence_lens` the model computes what
/// [`Run::lengths`](crate::Run::lengths) does: zeros after a sequence's end, and in `h_n` each sequence's own last
/// state. Dropout, which only training has, is not written. The model is of opset 14 and of the network's element
/// type; ONNX Runtime 1.32 runs RNN nodes in `f32` only.
///
/// ```
/// use ndarray_rnn::io::onnx::{Export, Model};
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).bidirectional(true), &mut manual_seed(0))?;
/// let bytes = Export::new(&rnn).sequence_lens(true).to_bytes()?;
/// assert_eq!(Model::from_bytes(&bytes)?.to_rnn()?, rnn);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://onnx.ai/onnx/operators/onnx__RNN.html>
#[derive(Debug, Clone, Copy)]
pub struct Export<'a, A: Scalar> {
    rnn: &'a Rnn<A>,
    sequence_lens: bool,
    h_0: bool,
}

impl<'a, A: Scalar> Export<'a, A> {
    /// The model of a network, with the one input `input`.
    #[must_use]
    pub fn new(rnn: &'a Rnn<A>) -> Self {
        Self { rnn, sequence_lens: false, h_0: false }
    }

    /// Whether the model takes each sequence's length. Default false: every sequence has L steps.
    #[must_use]
    pub fn sequence_lens(self, sequence_lens: bool) -> Self {
        Self { sequence_lens, ..self }
    }

    /// Whether the model takes the first state. Default false: it is zero.
    #[must_use]
    pub fn h_0(self, h_0: bool) -> Self {
        Self { h_0, ..self }
    }

    /// Writes the model into a file: whole or not at all, the same bytes each time.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes); [`FileError::System`](crate::FileError::System) for a file that cannot be
    /// written.
    pub fn write(self, path: impl AsRef<Path>) -> Result<()> {
        files::write(path.as_ref(), &self.to_bytes()?)
    }

    /// The bytes that [`write`](Self::write) writes.
    ///
    /// # Errors
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for 2 GiB and more, which an ONNX file cannot have.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let config = self.rnn.config();
        let elem = element_type::<A>();
        let mut graph = Builder::default();
        let sequence = |features: usize| {
            let [first, second] = if config.batch_first { ["N", "L"] } else { ["L", "N"] };
            [free(first), free(second), fixed(features)]
        };
        let states = config.num_layers * config.num_directions();
        let state = [fixed(states), free("N"), fixed(config.hidden_size)];
        graph.input("input", elem, &sequence(config.input_size));
        if self.sequence_lens {
            graph.input("sequence_lens", data_type::INT32, &[free("N")]);
        }
        if self.h_0 {
            graph.input("h_0", elem, &state);
        }
        graph.output("output", elem, &sequence(config.output_size()));
        graph.output("h_n", elem, &state);
        self.nodes(&mut graph)?;
        graph.into_bytes("RNN")
    }

    /// Adds the nodes from `input` to `output` and `h_n`.
    fn nodes(&self, graph: &mut Builder) -> Result<()> {
        let config = self.rnn.config();
        let (layers, directions) = (config.num_layers, config.num_directions());
        let single = layers == 1;
        let first_states = self.first_states(graph);
        let last_states: Vec<_> =
            (0..layers).map(|k| if single { "h_n".into() } else { format!("h_n_l{k}") }).collect();
        let mut below = "input".to_owned();
        if config.batch_first {
            graph.node("Transpose", &[&below], &["input_seq_first"], vec![ints("perm", &[1, 0, 2])]);
            below = "input_seq_first".into();
        }
        for (k, last_state) in last_states.iter().enumerate() {
            let above = match k + 1 == layers {
                true if config.batch_first => "output_seq_first".into(),
                true => "output".into(),
                false => format!("output_l{k}"),
            };
            let y = format!("Y_l{k}");
            self.layer(graph, k, [&below, &first_states[k]], [&y, last_state])?;
            side_by_side(graph, &y, directions, config.hidden_size, &above);
            below = above;
        }
        if config.batch_first {
            graph.node("Transpose", &[&below], &["output"], vec![ints("perm", &[1, 0, 2])]);
        }
        if !single {
            let last_states: Vec<_> = last_states.iter().map(String::as_str).collect();
            graph.node("Concat", &last_states, &["h_n"], vec![int("axis", 0)]);
        }
        Ok(())
    }

    /// The name of every layer's first state; empty names if the model takes no first state.
    fn first_states(&self, graph: &mut Builder) -> Vec<String> {
        let config = self.rnn.config();
        let layers = config.num_layers;
        if !self.h_0 {
            return vec![String::new(); layers];
        }
        if layers == 1 {
            return vec!["h_0".into()];
        }
        let names: Vec<_> = (0..layers).map(|k| format!("h_0_l{k}")).collect();
        let sizes = graph.integers("h_0_sizes".into(), &vec![config.num_directions() as i64; layers]);
        let outputs: Vec<_> = names.iter().map(String::as_str).collect();
        graph.node("Split", &["h_0", &sizes], &outputs, vec![int("axis", 0)]);
        names
    }

    /// Adds the RNN node of one layer.
    fn layer(
        &self,
        graph: &mut Builder,
        k: usize,
        [x, initial_h]: [&str; 2],
        outputs: [&str; 2],
    ) -> Result<()> {
        let config = self.rnn.config();
        let directions = &[Direction::Forward, Direction::Reverse][..config.num_directions()];
        const THERE: &str = "a network has the weights of all its layers and directions";
        let cell = |&direction: &Direction| {
            let cell = self.rnn.parameters().cell(k, direction).invariant(THERE);
            DirectionWeights {
                direction,
                activation: config.nonlinearity.activation(),
                weight_ih: cell.weight_ih.view(),
                weight_hh: cell.weight_hh.view(),
                biases: cell
                    .bias_ih
                    .as_ref()
                    .zip(cell.bias_hh.as_ref())
                    .map(|(ih, hh)| [ih.view(), hh.view()]),
            }
        };
        let cells: Vec<_> = directions.iter().map(cell).collect();
        let sequence_lens = if self.sequence_lens { "sequence_lens" } else { "" };
        layer::write(graph, &format!("_l{k}"), &cells, Inputs { x, sequence_lens, initial_h }, outputs)
    }
}

/// Turns an RNN node's Y (L, D, N, hidden_size) into (L, N, D hidden_size): both directions in one row.
fn side_by_side(graph: &mut Builder, y: &str, directions: usize, hidden: usize, output: &str) {
    if directions == 1 {
        squeeze(graph, y, 1, output);
    } else {
        let transposed = format!("{y}_transposed");
        graph.node("Transpose", &[y], &[&transposed], vec![ints("perm", &[0, 2, 1, 3])]);
        // In ONNX's Reshape, 0 keeps the input's dimension.
        let shape = graph.integers(format!("{output}_shape"), &[0, 0, (directions * hidden) as i64]);
        graph.node("Reshape", &[&transposed, &shape], &[output], Vec::new());
    }
}

/// Removes an axis of length 1.
pub(super) fn squeeze(graph: &mut Builder, input: &str, axis: i64, output: &str) {
    let axes = graph.integers(format!("{output}_axes"), &[axis]);
    graph.node("Squeeze", &[input, &axes], &[output], Vec::new());
}

/// An axis that may have any length.
pub(super) fn free(name: &str) -> Dim {
    Dim::Param(name.into())
}

/// An axis of one length.
pub(super) fn fixed(size: usize) -> Dim {
    Dim::Value(size as i64)
}
