//! Writing Keras's layers as ONNX models.

use std::path::Path;

use ndarray::Array1;

use super::builder::{Builder, element_type, int, ints};
use super::export::{fixed, free, squeeze};
use super::layer::{self, DirectionWeights, Form, Inputs};
use super::operator::Kind;
use super::proto::data_type;
use crate::error::Result;
use crate::io::files;
use crate::keras::{Bidirectional, MergeMode, SimpleRnn};
use crate::recurrent::Direction;
use crate::scalar::Scalar;

/// A layer of Keras: a [`SimpleRnn`] or a [`Bidirectional`].
#[derive(Debug, Clone, Copy)]
pub enum KerasLayer<'a, A: Scalar> {
    /// In one direction of time.
    SimpleRnn(&'a SimpleRnn<A>),
    /// In both directions of time.
    Bidirectional(&'a Bidirectional<A>),
}

impl<'a, A: Scalar> From<&'a SimpleRnn<A>> for KerasLayer<'a, A> {
    fn from(layer: &'a SimpleRnn<A>) -> Self {
        Self::SimpleRnn(layer)
    }
}

impl<'a, A: Scalar> From<&'a Bidirectional<A>> for KerasLayer<'a, A> {
    fn from(layer: &'a Bidirectional<A>) -> Self {
        Self::Bidirectional(layer)
    }
}

/// Writes a layer of Keras as a model of ONNX's `RNN` nodes: what [`SimpleRnn::call`] or [`Bidirectional::call`]
/// returns.
///
/// | | name | shape |
/// |---|---|---|
/// | input | `input` | (N, T, input_dim) |
/// | input, if asked for | `sequence_lens` | (N), `int32`, from 1 to T |
/// | input, if asked for | `initial_state`; `forward_initial_state` and `backward_initial_state` | (N, units) |
/// | output | `output` | (N, units), with `return_sequences` (N, T, units); of a Bidirectional layer merged |
/// | output, if asked for | `state`; `forward_state` and `backward_state` | (N, units) |
///
/// N and T may have any length. `sequence_lens` stands for a mask that hides the steps after a sequence's end: a hidden
/// step shows the output of the step before it, or zero where the layer does, as with `zero_output_for_mask`; so does
/// the last output. Dropout, which only training has, is not written. ONNX's operator does not have the activations selu,
/// gelu and silu.
///
/// ```
/// use ndarray_rnn::io::onnx::{ExportKeras, Model};
/// use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
///
/// let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut set_random_seed(0))?;
/// let bytes = ExportKeras::new(&layer).return_sequences(true).to_bytes()?;
/// let read = Model::<f32>::from_bytes(&bytes)?.nodes()[0].to_simple_rnn()?;
/// assert_eq!(read.parameters(), layer.parameters());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ExportKeras<'a, A: Scalar> {
    layer: KerasLayer<'a, A>,
    sequence_lens: bool,
    initial_state: bool,
    return_sequences: bool,
    return_state: bool,
}

/// One direction of a layer, and the prefix of its values' names.
struct Part<'a, A: Scalar> {
    layer: &'a SimpleRnn<A>,
    prefix: &'static str,
}

impl<'a, A: Scalar> ExportKeras<'a, A> {
    /// The model with the input `input` and the last output.
    #[must_use]
    pub fn new(layer: impl Into<KerasLayer<'a, A>>) -> Self {
        Self {
            layer: layer.into(),
            sequence_lens: false,
            initial_state: false,
            return_sequences: false,
            return_state: false,
        }
    }

    /// Whether the model takes each sequence's length. Default false: every sequence has T steps.
    #[must_use]
    pub fn sequence_lens(self, sequence_lens: bool) -> Self {
        Self { sequence_lens, ..self }
    }

    /// Whether the model takes the first state. Default false: it is zero.
    #[must_use]
    pub fn initial_state(self, initial_state: bool) -> Self {
        Self { initial_state, ..self }
    }

    /// Whether the model gives the output of every step. Default false: the last step's.
    #[must_use]
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        Self { return_sequences, ..self }
    }

    /// Whether the model gives the final state. Default false.
    #[must_use]
    pub fn return_state(self, return_state: bool) -> Self {
        Self { return_state, ..self }
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
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for selu, gelu and silu,
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for 2 GiB and more.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let mut graph = Builder::default();
        let parts = match self.layer {
            KerasLayer::SimpleRnn(layer) => vec![Part { layer, prefix: "" }],
            KerasLayer::Bidirectional(layer) => vec![
                Part { layer: layer.forward_layer(), prefix: "forward_" },
                Part { layer: layer.backward_layer(), prefix: "backward_" },
            ],
        };
        self.declare(&mut graph, &parts);
        graph.node("Transpose", &["input"], &["input_time_major"], vec![ints("perm", &[1, 0, 2])]);
        let outputs = parts.iter().map(|part| self.part(&mut graph, part)).collect::<Result<Vec<_>>>()?;
        if let (KerasLayer::Bidirectional(layer), [forward, backward]) = (self.layer, &*outputs) {
            let (op_type, attributes) = match layer.merge_mode() {
                MergeMode::Concat => ("Concat", vec![int("axis", -1)]),
                MergeMode::Sum => ("Add", Vec::new()),
                MergeMode::Mul => ("Mul", Vec::new()),
                MergeMode::Ave => ("Mean", Vec::new()),
            };
            graph.node(op_type, &[forward, backward], &["output"], attributes);
        }
        graph.into_bytes("SimpleRNN")
    }

    /// The inputs and outputs.
    fn declare(&self, graph: &mut Builder, parts: &[Part<'_, A>]) {
        let elem = element_type::<A>();
        let input_dim = parts[0].layer.config().input_dim;
        graph.input("input", elem, &[free("N"), free("T"), fixed(input_dim)]);
        if self.sequence_lens {
            graph.input("sequence_lens", data_type::INT32, &[free("N")]);
        }
        let units = |part: &Part<'_, A>| part.layer.config().units;
        let width = match self.layer {
            KerasLayer::Bidirectional(layer) if layer.merge_mode() == MergeMode::Concat => {
                parts.iter().map(units).sum()
            }
            _ => units(&parts[0]),
        };
        match self.return_sequences {
            true => graph.output("output", elem, &[free("N"), free("T"), fixed(width)]),
            false => graph.output("output", elem, &[free("N"), fixed(width)]),
        }
        for part in parts {
            let state = [free("N"), fixed(units(part))];
            if self.initial_state {
                graph.input(&format!("{}initial_state", part.prefix), elem, &state);
            }
            if self.return_state {
                graph.output(&format!("{}state", part.prefix), elem, &state);
            }
        }
    }

    /// Adds the nodes of one direction and returns the name of its output.
    fn part(&self, graph: &mut Builder, part: &Part<'_, A>) -> Result<String> {
        let (layer, prefix) = (part.layer, part.prefix);
        let mut initial_h = String::new();
        if self.initial_state {
            initial_h = format!("{prefix}initial_h");
            let axes = graph.integers(format!("{prefix}initial_h_axes"), &[0]);
            let state = format!("{prefix}initial_state");
            graph.node("Unsqueeze", &[&state, &axes], &[&initial_h], Vec::new());
        }
        let (y, y_h) = (format!("{prefix}Y"), format!("{prefix}Y_h"));
        let inputs = Inputs {
            x: "input_time_major",
            sequence_lens: if self.sequence_lens { "sequence_lens" } else { "" },
            initial_h: &initial_h,
            initial_c: "",
        };
        let zeros = Array1::zeros(layer.config().units);
        let cell = DirectionWeights {
            direction: if layer.config().go_backwards { Direction::Reverse } else { Direction::Forward },
            activation: Some(layer.config().activation),
            weight_ih: layer.parameters().kernel().t(),
            weight_hh: layer.parameters().recurrent_kernel().t(),
            biases: layer.parameters().bias().map(|bias| [bias.view(), zeros.view()]),
        };
        let suffix = prefix.strip_suffix('_').map_or(String::new(), |direction| format!("_{direction}"));
        let form = Form { kind: Kind::Rnn, blocks: &[0], suffix: &suffix };
        layer::write(graph, form, &[cell], inputs, &[&y, &y_h])?;
        Ok(self.outputs(graph, part, &y, &y_h))
    }

    /// Adds the nodes that turn Y and Y_h into what the layer returns, and returns the name of its output.
    fn outputs(&self, graph: &mut Builder, part: &Part<'_, A>, y: &str, y_h: &str) -> String {
        let prefix = part.prefix;
        let output = format!("{prefix}output");
        let state = format!("{prefix}state");
        if self.return_state {
            squeeze(graph, y_h, 0, &state);
        }
        let mut rows = format!("{prefix}rows");
        // A Bidirectional layer shows zeros for hidden steps among all steps, and nowhere else.
        let zero = match prefix {
            "" => part.layer.config().zero_output_for_mask,
            _ => self.return_sequences,
        };
        // Only a layer that goes forwards comes to hidden steps after others.
        let hides = self.sequence_lens && !part.layer.config().go_backwards;
        if !self.return_sequences {
            match (hides && zero, self.return_state) {
                (true, _) => {
                    squeeze(graph, y, 1, &rows);
                    let last = graph.integers(format!("{rows}_last"), &[-1]);
                    let step = format!("{rows}_step");
                    graph.node("Gather", &[&rows, &last], &[&step], vec![int("axis", 0)]);
                    squeeze(graph, &step, 0, &output);
                }
                (false, true) => graph.node("Identity", &[&state], &[&output], Vec::new()),
                (false, false) => squeeze(graph, y_h, 0, &output),
            }
            return output;
        }
        squeeze(graph, y, 1, &rows);
        if hides && !zero {
            rows = repeated(graph, &rows, y_h);
        }
        // A single layer with `go_backwards` returns its outputs in the order in which it made them: the last step
        // first.
        if part.layer.config().go_backwards && prefix.is_empty() {
            let name = |word: &str| format!("{rows}_{word}");
            let starts = graph.integers(name("starts"), &[-1]);
            let ends = graph.integers(name("ends"), &[i64::MIN]);
            let axes = graph.integers(name("axes_of_time"), &[0]);
            let steps = graph.integers(name("steps"), &[-1]);
            let flipped = name("flipped");
            graph.node("Slice", &[&rows, &starts, &ends, &axes, &steps], &[&flipped], Vec::new());
            rows = flipped;
        }
        graph.node("Transpose", &[&rows], &[&output], vec![ints("perm", &[1, 0, 2])]);
        output
    }
}

/// Adds the nodes that show the last output y_h in place of the zeros that the operator gives for hidden steps, and returns
/// the name of the rows.
fn repeated(graph: &mut Builder, rows: &str, y_h: &str) -> String {
    let name = |word: &str| format!("{rows}_{word}");
    let [start, step] = [("start", 0), ("one", 1)].map(|(word, value)| graph.integer(name(word), value));
    let axes = graph.integers(name("axis_of_units"), &[-1]);
    let node = |graph: &mut Builder, op_type: &str, inputs: &[&str], word: &str| {
        graph.node(op_type, inputs, &[&name(word)], Vec::new());
        name(word)
    };
    let shape = node(graph, "Shape", &[rows], "shape");
    let len = node(graph, "Gather", &[&shape, &start], "len");
    let steps = node(graph, "Range", &[&start, &len, &step], "steps");
    let steps = node(graph, "Unsqueeze", &[&steps, &axes], "column");
    let lens = name("lens");
    graph.node("Cast", &["sequence_lens"], &[&lens], vec![int("to", data_type::INT64.into())]);
    let counts = node(graph, "Less", &[&steps, &lens], "counts");
    let counts = node(graph, "Unsqueeze", &[&counts, &axes], "mask");
    node(graph, "Where", &[&counts, rows, y_h], "repeated")
}
