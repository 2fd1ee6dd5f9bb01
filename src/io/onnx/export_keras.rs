//! Writing Keras's layers as ONNX models.

use std::collections::BTreeMap;
use std::path::Path;

use super::builder::{Builder, element_type, int, ints};
use super::export::{NONE, fixed, free, squeeze};
use super::keras_kinds::{KerasDirection, KerasLayer};
use super::layer::{self, DirectionWeights, Form, Inputs};
use super::operator::Kind;
use super::proto::data_type;
use crate::error::Result;
use crate::io::files;
use crate::keras::MergeMode;
use crate::planes::Planes;
use crate::recurrent::Direction;
use crate::scalar::Scalar;

/// Writes a layer of Keras as a model of ONNX's `RNN`, `LSTM` or `GRU` nodes: what its [`call`](crate::keras::Layer::call)
/// returns. The layer is a [`SimpleRnn`](crate::keras::SimpleRnn), [`Lstm`](crate::keras::Lstm) or
/// [`Gru`](crate::keras::Gru), a [`Bidirectional`](crate::keras::Bidirectional) of two, or a
/// [`LayerPair`](crate::keras::LayerPair).
///
/// | | name | shape |
/// |---|---|---|
/// | input | `input` | (N, T, input_dim) |
/// | input, if asked for | `sequence_lens` | (N), `int32`, from 1 to T |
/// | input, if asked for | `initial_state`; `forward_initial_state` and `backward_initial_state` | (N, units) |
/// | output | `output` | (N, units), with `return_sequences` (N, T, units); of a Bidirectional layer merged, of a LayerPair `forward_output` and `backward_output` |
/// | output, if asked for | `state`; `forward_state` and `backward_state` | (N, units) |
///
/// The state of an LSTM is a pair: its names end in `_h` and `_c`, such as `initial_state_h` and `backward_state_c`.
///
/// N and T may have any length. `sequence_lens` stands for a mask that hides the steps after a sequence's end: a hidden
/// step shows the output of the step before it, or zero where the layer does, as with `zero_output_for_mask`; so does
/// the last output. Dropout, which only training has, is not written. ONNX's operators do not have the activations selu,
/// gelu and silu.
///
/// ```
/// use ndarray_rnn::io::onnx::{ExportKeras, Model};
/// use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig, set_random_seed};
///
/// let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut set_random_seed(0))?;
/// let bytes = ExportKeras::new(&layer).return_sequences(true).to_bytes()?;
/// let read: SimpleRnn = Model::from_bytes(&bytes)?.nodes()[0].to_layer()?;
/// assert_eq!(read.parameters(), layer.parameters());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ExportKeras<'a, A: Scalar> {
    layer: &'a dyn KerasLayer<A>,
    sequence_lens: bool,
    initial_state: bool,
    return_sequences: bool,
    return_state: bool,
    metadata: &'a BTreeMap<String, String>,
}

/// One direction of a layer, and the prefix of its values' names.
struct Part<'a, A> {
    layer: KerasDirection<'a, A>,
    prefix: &'static str,
}

/// The names of a plane of the state: as the model's input and output, as the node's input and output.
type Names = [String; 4];

impl<A> Part<'_, A> {
    fn states(&self) -> Planes<Names> {
        let names = |of_layer: &str, plane: &str| {
            let names = [format!("initial_state{of_layer}"), format!("state{of_layer}")];
            let [first, last] = names.map(|name| format!("{}{name}", self.prefix));
            [first, last, format!("{}initial_{plane}", self.prefix), format!("{}Y_{plane}", self.prefix)]
        };
        match self.layer.kind {
            Kind::Lstm => Planes { h: names("_h", "h"), c: Some(names("_c", "c")) },
            Kind::Rnn | Kind::Gru => Planes { h: names("", "h"), c: None },
        }
    }
}

impl<'a, A: Scalar> ExportKeras<'a, A> {
    /// The model with the input `input` and the last output.
    #[must_use]
    pub fn new(layer: &'a impl KerasLayer<A>) -> Self {
        Self {
            layer,
            sequence_lens: false,
            initial_state: false,
            return_sequences: false,
            return_state: false,
            metadata: &NONE,
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

    /// As [`Export::metadata`](super::Export::metadata). Default none.
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
    /// [`FileError::Unsupported`](crate::FileError::Unsupported) for selu, gelu and silu,
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for 2 GiB and more.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let mut graph = Builder::default();
        let directions = self.layer.directions();
        let prefixes = if directions.len() == 1 { [""; 2] } else { ["forward_", "backward_"] };
        let parts: Vec<_> =
            directions.into_iter().zip(prefixes).map(|(layer, prefix)| Part { layer, prefix }).collect();
        self.declare(&mut graph, &parts);
        graph.node("Transpose", &["input"], &["input_time_major"], vec![ints("perm", &[1, 0, 2])]);
        let outputs = parts.iter().map(|part| self.part(&mut graph, part)).collect::<Result<Vec<_>>>()?;
        if let (Some(mode), [forward, backward]) = (self.layer.merge_mode(), &*outputs) {
            let (op_type, attributes) = match mode {
                MergeMode::Concat => ("Concat", vec![int("axis", -1)]),
                MergeMode::Sum => ("Add", Vec::new()),
                MergeMode::Mul => ("Mul", Vec::new()),
                MergeMode::Ave => ("Mean", Vec::new()),
            };
            graph.node(op_type, &[forward, backward], &["output"], attributes);
        }
        graph.into_bytes(parts[0].layer.class, self.metadata)
    }

    /// The inputs and outputs.
    fn declare(&self, graph: &mut Builder, parts: &[Part<'_, A>]) {
        let elem = element_type::<A>();
        graph.input("input", elem, &[free("N"), free("T"), fixed(parts[0].layer.input_dim)]);
        if self.sequence_lens {
            graph.input("sequence_lens", data_type::INT32, &[free("N")]);
        }
        let units = |part: &Part<'_, A>| part.layer.units;
        let outputs = match self.layer.merge_mode() {
            Some(MergeMode::Concat) => vec![("output".into(), parts.iter().map(units).sum())],
            Some(_) => vec![("output".into(), units(&parts[0]))],
            None => parts.iter().map(|part| (format!("{}output", part.prefix), units(part))).collect(),
        };
        let steps = if self.return_sequences { &[free("N"), free("T")][..] } else { &[free("N")] };
        for (output, width) in outputs {
            graph.output(&output, elem, &[steps, &[fixed(width)]].concat());
        }
        for part in parts {
            let state = [free("N"), fixed(units(part))];
            part.states().map(|[first, last, ..]| {
                if self.initial_state {
                    graph.input(&first, elem, &state);
                }
                if self.return_state {
                    graph.output(&last, elem, &state);
                }
            });
        }
    }

    /// Adds the nodes of one direction and returns the name of its output.
    fn part(&self, graph: &mut Builder, part: &Part<'_, A>) -> Result<String> {
        let (layer, prefix) = (&part.layer, part.prefix);
        let states = part.states();
        let initial = states.as_ref().map(|[first, _, inner, _]| {
            if !self.initial_state {
                return "";
            }
            let axes = graph.integers(format!("{inner}_axes"), &[0]);
            graph.node("Unsqueeze", &[first, &axes], &[inner], Vec::new());
            inner
        });
        let y = format!("{prefix}Y");
        let inputs = Inputs {
            x: "input_time_major",
            sequence_lens: if self.sequence_lens { "sequence_lens" } else { "" },
            initial_h: initial.h,
            initial_c: initial.c.unwrap_or_default(),
        };
        let cell = DirectionWeights {
            direction: if layer.go_backwards { Direction::Reverse } else { Direction::Forward },
            activations: layer.activations.clone(),
            weight_ih: layer.kernel.t(),
            weight_hh: layer.recurrent_kernel.t(),
            biases: layer.biases.as_ref().map(|biases| biases.each_ref().map(|bias| bias.view())),
        };
        let suffix = prefix.strip_suffix('_').map_or(String::new(), |direction| format!("_{direction}"));
        let (kind, linear_before_reset) = (layer.kind, layer.linear_before_reset);
        let form = Form { kind, linear_before_reset, blocks: &layer.blocks, suffix: &suffix };
        let last = states.as_ref().map(|[.., last]| &**last);
        layer::write(graph, form, &[cell], inputs, &[&y, last.h, last.c.unwrap_or_default()])?;
        Ok(self.outputs(graph, part, &y))
    }

    /// Adds the nodes that turn Y and Y_h into what the layer returns, and returns the name of its output.
    fn outputs(&self, graph: &mut Builder, part: &Part<'_, A>, y: &str) -> String {
        let prefix = part.prefix;
        let output = format!("{prefix}output");
        let states = part.states();
        if self.return_state {
            states.as_ref().map(|[_, last, _, inner]| squeeze(graph, inner, 0, last));
        }
        let [_, state, _, y_h] = &states.h;
        let mut rows = format!("{prefix}rows");
        // A Bidirectional layer shows zeros for hidden steps among all steps, and nowhere else.
        let zero = match prefix {
            "" => part.layer.zero_output_for_mask,
            _ => self.return_sequences,
        };
        // Only a layer that goes forwards comes to hidden steps after others.
        let hides = self.sequence_lens && !part.layer.go_backwards;
        if !self.return_sequences {
            match (hides && zero, self.return_state) {
                (true, _) => {
                    squeeze(graph, y, 1, &rows);
                    let last = graph.integers(format!("{rows}_last"), &[-1]);
                    let step = format!("{rows}_step");
                    graph.node("Gather", &[&rows, &last], &[&step], vec![int("axis", 0)]);
                    squeeze(graph, &step, 0, &output);
                }
                (false, true) => graph.node("Identity", &[state], &[&output], Vec::new()),
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
        if part.layer.go_backwards && prefix.is_empty() {
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
