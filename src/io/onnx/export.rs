//! Writing a network as an ONNX model.

use std::collections::BTreeMap;
use std::path::Path;

use super::builder::{Builder, element_type, int, ints};
use super::head;
use super::kinds::NodeKind;
use super::layer::{self, DirectionWeights, Form, Inputs};
use super::operator::Kind;
use super::proto::{Dim, data_type};
use super::unsupported;
use crate::embedding::Embedding;
use crate::error::{Result, expect_width};
use crate::invariant::Invariant;
use crate::io::files;
use crate::linear::Linear;
use crate::planes::Planes;
use crate::recurrent::{Direction, Recurrent};
use crate::scalar::Scalar;

/// Writes an [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) or [`Gru`](crate::Gru) as a model of ONNX's `RNN`, `LSTM` or `GRU` nodes,
/// for ONNX Runtime and every other engine of that format.
///
/// | | name | shape |
/// |---|---|---|
/// | input | `input` | (L, N, input_size), with `batch_first` (N, L, input_size) |
/// | input, if asked for | `sequence_lens` | (N), `int32`, from 1 to L |
/// | input, if asked for | `h_0`, with an LSTM also `c_0` | (K D, N, hidden_size) |
/// | output | `output` | (L, N, D hidden_size), with `batch_first` (N, L, D hidden_size) |
/// | output | `h_n`, with an LSTM also `c_n` | (K D, N, hidden_size) |
///
/// L and N may have any length in the model (its axes `L` and `N`). With `sequence_lens` the model computes what
/// [`Run::lengths`](crate::Run::lengths) does: zeros after a sequence's end, and in `h_n` each sequence's own last
/// states. Dropout, which only training has, is not written. The model is of opset 14 and of the network's element
/// type; ONNX Runtime 1.32 runs recurrent nodes in `f32` only. A GRU's nodes have `linear_before_reset` 1, as torch has it.
///
/// ```
/// use ndarray_rnn::io::onnx::{Export, Model};
/// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
///
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).bidirectional(true), &mut manual_seed(0))?;
/// let bytes = Export::new(&rnn).sequence_lens(true).to_bytes()?;
/// assert_eq!(Model::from_bytes(&bytes)?.to_network::<RnnConfig>()?, rnn);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Sources: <https://onnx.ai/onnx/operators/onnx__RNN.html>, <https://onnx.ai/onnx/operators/onnx__LSTM.html>,
/// <https://onnx.ai/onnx/operators/onnx__GRU.html>
#[derive(Debug, Clone, Copy)]
pub struct Export<'a, C: NodeKind, A: Scalar> {
    network: &'a Recurrent<C, A>,
    sequence_lens: bool,
    state: bool,
    last: bool,
    embedding: Option<&'a Embedding<A>>,
    linear: Option<&'a Linear<A>>,
    metadata: &'a BTreeMap<String, String>,
}

/// No metadata.
pub(super) static NONE: BTreeMap<String, String> = BTreeMap::new();

impl<'a, C: NodeKind, A: Scalar> Export<'a, C, A> {
    /// The model of a network, with the one input `input`.
    #[must_use]
    pub fn new(network: &'a Recurrent<C, A>) -> Self {
        let (embedding, linear, metadata) = (None, None, &NONE);
        Self { network, sequence_lens: false, state: false, last: false, embedding, linear, metadata }
    }

    /// Whether the model takes each sequence's length. Default false: every sequence has L steps.
    #[must_use]
    pub fn sequence_lens(self, sequence_lens: bool) -> Self {
        Self { sequence_lens, ..self }
    }

    /// Whether the model takes the first state. Default false: it is zero.
    #[must_use]
    pub fn state(self, state: bool) -> Self {
        Self { state, ..self }
    }

    /// Whether `output` is each sequence's last output, (N, D hidden_size), as that of [`Run::last`](crate::Run::last).
    /// Default false: the output of every step.
    #[must_use]
    pub fn last(self, last: bool) -> Self {
        Self { last, ..self }
    }

    /// An embedding before the network: `input` is then (L, N), with `batch_first` (N, L), of `int64` indices. The file
    /// holds it as `embedding.weight`.
    #[must_use]
    pub fn embedding(self, embedding: &'a Embedding<A>) -> Self {
        Self { embedding: Some(embedding), ..self }
    }

    /// A linear layer behind the network: `output` then ends in `out_features` numbers. The file holds it as
    /// `linear.weight` and `linear.bias`.
    ///
    /// ```
    /// use ndarray_rnn::io::onnx::{self, Export};
    /// use ndarray_rnn::{Gru, GruConfig, Linear, LinearConfig, manual_seed};
    ///
    /// let rng = &mut manual_seed(0);
    /// let gru = Gru::<f32>::new(GruConfig::new(4, 3), rng)?;
    /// let head = Linear::<f32>::new(LinearConfig::new(3, 2), rng)?;
    /// let bytes = Export::new(&gru).last(true).linear(&head).to_bytes()?;
    /// let read = Linear::<f32>::from_state_dict(&onnx::from_bytes(&bytes)?.under("linear."))?;
    /// assert_eq!(read, head);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn linear(self, linear: &'a Linear<A>) -> Self {
        Self { linear: Some(linear), ..self }
    }

    /// Text that the file holds beside the graph, ONNX's `metadata_props`; [`read`](super::read) gives it with the arrays.
    /// Default none.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use ndarray_rnn::io::onnx::{self, Export};
    /// use ndarray_rnn::{Rnn, RnnConfig, manual_seed};
    ///
    /// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let metadata = BTreeMap::from([("epoch".into(), "17".into())]);
    /// let bytes = Export::new(&rnn).metadata(&metadata).to_bytes()?;
    /// assert_eq!(onnx::from_bytes(&bytes)?.metadata(), &metadata);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[must_use]
    pub fn metadata(self, metadata: &'a BTreeMap<String, String>) -> Self {
        Self { metadata, ..self }
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
    /// [`Error::Width`](crate::Error::Width) for an embedding or a linear layer of another width than the network;
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for an LSTM with `proj_size`: the projected state enters
    /// the next step, and no node of ONNX projects within its steps;
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for 2 GiB and more, which an ONNX file cannot have.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let sizes = self.network.config().sizes();
        if sizes.proj_size > 0 {
            let feature =
                format!("a projection of the state within the steps, proj_size {},", sizes.proj_size);
            return Err(unsupported(C::KIND.op_type(), feature));
        }
        let elem = element_type::<A>();
        let mut graph = Builder::default();
        let axes = if sizes.batch_first { ["N", "L"] } else { ["L", "N"] }.map(free);
        let indices_or_input = match self.embedding {
            None => (elem, vec![fixed(sizes.input_size)]),
            Some(embedding) => {
                let actual = embedding.config().embedding_dim;
                expect_width("embedding.weight", "input_size", sizes.input_size, actual)?;
                (data_type::INT64, Vec::new())
            }
        };
        let width = self.linear.map_or(sizes.output_size(), |linear| linear.config().out_features);
        if let Some(linear) = self.linear {
            let actual = linear.config().in_features;
            expect_width("linear.weight", "the network's output", sizes.output_size(), actual)?;
        }
        let states = sizes.num_layers * sizes.num_directions;
        let state = [fixed(states), free("N"), fixed(sizes.hidden_size)];
        let (of_input, features) = indices_or_input;
        graph.input("input", of_input, &[&axes[..], &features].concat());
        if self.sequence_lens {
            graph.input("sequence_lens", data_type::INT32, &[free("N")]);
        }
        if self.state {
            self.planes().map(|[first, _]| graph.input(first, elem, &state));
        }
        let of_output = if self.last { &[free("N")][..] } else { &axes };
        graph.output("output", elem, &[of_output, &[fixed(width)]].concat());
        self.planes().map(|[_, last]| graph.output(last, elem, &state));
        self.nodes(&mut graph)?;
        graph.into_bytes(C::KIND.op_type(), self.metadata)
    }

    /// The names of the first and the last state.
    fn planes(&self) -> Planes<[&'static str; 2]> {
        let c = (C::KIND == Kind::Lstm).then_some(["c_0", "c_n"]);
        Planes { h: ["h_0", "h_n"], c }
    }

    /// Adds the nodes from `input` to `output` and the last states.
    fn nodes(&self, graph: &mut Builder) -> Result<()> {
        let sizes = self.network.config().sizes();
        let layers = sizes.num_layers;
        let first_states = self.planes().map(|[first, _]| self.first_states(graph, first));
        let last_states = self.planes().map(|[_, last]| {
            (0..layers)
                .map(|k| if layers == 1 { last.into() } else { format!("{last}_l{k}") })
                .collect::<Vec<_>>()
        });
        let mut below = "input".to_owned();
        if let Some(embedding) = self.embedding {
            head::embedding(graph, embedding, &below, "embedded")?;
            below = "embedded".into();
        }
        let rows = if self.linear.is_some() { "rows" } else { "output" };
        if sizes.batch_first {
            graph.node("Transpose", &[&below], &["input_seq_first"], vec![ints("perm", &[1, 0, 2])]);
            below = "input_seq_first".into();
        }
        for k in 0..layers {
            let above = match k + 1 == layers {
                true if sizes.batch_first && !self.last => "output_seq_first".into(),
                true => rows.into(),
                false => format!("output_l{k}"),
            };
            let y = format!("Y_l{k}");
            let [first, last] =
                [&first_states, &last_states].map(|states| states.as_ref().map(|all| &*all[k]));
            self.layer(graph, k, (&below, first), (&y, last))?;
            let (states, perm, zeros): (_, &[i64], &[i64]) = match self.last && k + 1 == layers {
                true => (last.h, &[1, 0, 2], &[0]),
                false => (&*y, &[0, 2, 1, 3], &[0, 0]),
            };
            side_by_side(graph, states, (perm, zeros), [sizes.num_directions, sizes.hidden_size], &above);
            below = above;
        }
        if sizes.batch_first && !self.last {
            graph.node("Transpose", &[&below], &[rows], vec![ints("perm", &[1, 0, 2])]);
        }
        if let Some(linear) = self.linear {
            head::linear(graph, linear, rows, "output")?;
        }
        if layers > 1 {
            self.planes().zip(last_states).map(|([_, last], states)| {
                let states: Vec<_> = states.iter().map(String::as_str).collect();
                graph.node("Concat", &states, &[last], vec![int("axis", 0)]);
            });
        }
        Ok(())
    }

    /// The name of every layer's part of a plane of the first state; empty names if the model takes no first state.
    fn first_states(&self, graph: &mut Builder, plane: &str) -> Vec<String> {
        let sizes = self.network.config().sizes();
        let layers = sizes.num_layers;
        if !self.state {
            return vec![String::new(); layers];
        }
        if layers == 1 {
            return vec![plane.into()];
        }
        let names: Vec<_> = (0..layers).map(|k| format!("{plane}_l{k}")).collect();
        let parts = graph.integers(format!("{plane}_sizes"), &vec![sizes.num_directions as i64; layers]);
        let outputs: Vec<_> = names.iter().map(String::as_str).collect();
        graph.node("Split", &[plane, &parts], &outputs, vec![int("axis", 0)]);
        names
    }

    /// Adds the node of one layer.
    fn layer(
        &self,
        graph: &mut Builder,
        k: usize,
        (x, first): (&str, Planes<&str>),
        (y, last): (&str, Planes<&str>),
    ) -> Result<()> {
        let directions =
            &[Direction::Forward, Direction::Reverse][..self.network.config().sizes().num_directions];
        const THERE: &str = "a network has the weights of all its layers and directions";
        let cell = |&direction: &Direction| {
            let cell = self.network.parameters().cell(k, direction).invariant(THERE);
            DirectionWeights {
                direction,
                activations: self.network.config().activation().into_iter().collect(),
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
        let blocks: Vec<_> = (0..C::BLOCKS.len())
            .map(|own| C::BLOCKS.iter().position(|&block| block == own).unwrap_or(own))
            .collect();
        let (suffix, kind) = (format!("_l{k}"), C::KIND);
        let form = Form { kind, linear_before_reset: true, blocks: &blocks, suffix: &suffix };
        let inputs = Inputs { x, sequence_lens, initial_h: first.h, initial_c: first.c.unwrap_or_default() };
        let outputs = [y, last.h, last.c.unwrap_or_default()];
        layer::write(graph, form, &cells, inputs, &outputs)
    }
}

/// Turns a node's Y (L, D, N, hidden_size) or Y_h (D, N, hidden_size) into (L, N, D hidden_size) or (N, D hidden_size):
/// both directions in one row. `perm` moves the axis of the directions behind that of the sequences; the axes before the
/// two are as many as `kept`, which are zeros: in ONNX's Reshape, 0 keeps the input's dimension.
fn side_by_side(
    graph: &mut Builder,
    states: &str,
    (perm, kept): (&[i64], &[i64]),
    [directions, hidden]: [usize; 2],
    output: &str,
) {
    if directions == 1 {
        squeeze(graph, states, kept.len() as i64 - 1, output);
    } else {
        let transposed = format!("{states}_transposed");
        graph.node("Transpose", &[states], &[&transposed], vec![ints("perm", perm)]);
        let shape = [kept, &[(directions * hidden) as i64]].concat();
        let shape = graph.integers(format!("{output}_shape"), &shape);
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
