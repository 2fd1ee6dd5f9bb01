//! burn's layers, with the parameters that this crate's worker wrote.

use burn::module::Param;
use burn::nn::{
    BiGru, BiGruConfig, BiLstm, BiLstmConfig, BiRnn, BiRnnConfig, GateController, Gru, GruConfig, Linear,
    Lstm, LstmConfig, LstmState, Rnn, RnnConfig, RnnState,
};
use burn::tensor::Tensor;

use crate::Place;
use crate::arrays::Arrays;
use crate::protocol::{Case, Result};

/// A layer of either kind, batch first.
pub enum Layer {
    Rnn(Rnn),
    BiRnn(BiRnn),
    Lstm(Lstm),
    BiLstm(BiLstm),
    Gru(Gru),
    BiGru(BiGru),
}

/// What a step takes from the step before.
pub struct State {
    pub hidden: Tensor<2>,
    cell: Option<Tensor<2>>,
}

/// One direction's parameters.
struct Source<'a> {
    place: &'a Place,
    file: &'a Arrays,
    suffix: String,
    /// The blocks of torch's parameters.
    blocks: usize,
}

impl Layer {
    pub fn new(case: &Case, k: usize, place: &Place, file: &Arrays) -> Result<Self> {
        let directions = 1 + usize::from(case.bidirectional);
        let width = if k == 0 { case.input } else { directions * case.hidden };
        let blocks = match case.kind.as_str() {
            "lstm" => 4,
            "gru" => 3,
            _ => 1,
        };
        let source = |direction: &str| Source { place, file, suffix: format!("l{k}{direction}"), blocks };
        let (one, other, device) = (source(""), source("_reverse"), &place.device);
        let (hidden, bias) = (case.hidden, true);
        Ok(match (case.kind.as_str(), case.bidirectional) {
            ("lstm", false) => {
                let mut layer = LstmConfig::new(width, hidden, bias).init(device);
                one.fill_lstm(&mut layer)?;
                Self::Lstm(layer)
            }
            ("lstm", true) => {
                let mut layer = BiLstmConfig::new(width, hidden, bias).init(device);
                one.fill_lstm(&mut layer.forward)?;
                other.fill_lstm(&mut layer.reverse)?;
                Self::BiLstm(layer)
            }
            ("gru", false) => {
                let mut layer = GruConfig::new(width, hidden, bias).init(device);
                one.fill_gru(&mut layer)?;
                Self::Gru(layer)
            }
            ("gru", true) => {
                let mut layer = BiGruConfig::new(width, hidden, bias).init(device);
                one.fill_gru(&mut layer.forward)?;
                other.fill_gru(&mut layer.reverse)?;
                Self::BiGru(layer)
            }
            (_, false) => {
                let mut layer = RnnConfig::new(width, hidden, bias).init(device);
                one.fill(&mut layer.gate, 0)?;
                Self::Rnn(layer)
            }
            (_, true) => {
                let mut layer = BiRnnConfig::new(width, hidden, bias).init(device);
                one.fill(&mut layer.forward.gate, 0)?;
                other.fill(&mut layer.reverse.gate, 0)?;
                Self::BiRnn(layer)
            }
        })
    }

    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Rnn(layer) => layer.forward(input, None).0,
            Self::BiRnn(layer) => layer.forward(input, None).0,
            Self::Lstm(layer) => layer.forward(input, None).0,
            Self::BiLstm(layer) => layer.forward(input, None).0,
            Self::Gru(layer) => layer.forward(input, None),
            Self::BiGru(layer) => layer.forward(input, None).0,
        }
    }

    /// One step of a layer of one direction.
    pub fn step(&self, input: Tensor<3>, state: Option<State>) -> State {
        match self {
            Self::Rnn(layer) => {
                let next = layer.forward(input, state.map(|state| RnnState::new(state.hidden))).1;
                State { hidden: next.hidden, cell: None }
            }
            Self::Lstm(layer) => {
                let state = state.and_then(|state| Some(LstmState::new(state.cell?, state.hidden)));
                let next = layer.forward(input, state).1;
                State { hidden: next.hidden, cell: Some(next.cell) }
            }
            Self::Gru(layer) => {
                let output = layer.forward(input, state.map(|state| state.hidden));
                State { hidden: output.squeeze_dim(1), cell: None }
            }
            _ => unreachable!("steps have one direction"),
        }
    }
}

impl Source<'_> {
    /// torch has i, f, g, o.
    fn fill_lstm(&self, layer: &mut Lstm) -> Result<()> {
        self.fill(&mut layer.input_gate, 0)?;
        self.fill(layer.forget_gate.as_mut().ok_or("an LSTM without a forget gate")?, 1)?;
        self.fill(&mut layer.cell_gate, 2)?;
        self.fill(&mut layer.output_gate, 3)
    }

    /// torch has r, z, n.
    fn fill_gru(&self, layer: &mut Gru) -> Result<()> {
        self.fill(&mut layer.reset_gate, 0)?;
        self.fill(&mut layer.update_gate, 1)?;
        self.fill(&mut layer.new_gate, 2)
    }

    /// Takes block `k`.
    fn fill(&self, gate: &mut GateController, k: usize) -> Result<()> {
        self.linear(&mut gate.input_transform, "ih", k)?;
        self.linear(&mut gate.hidden_transform, "hh", k)
    }

    fn linear(&self, linear: &mut Linear, part: &str, k: usize) -> Result<()> {
        let block = |name: &str| self.file.block(&format!("{name}_{part}_{}", self.suffix), k, self.blocks);
        // As burn lays out what it initialises itself: (inputs, outputs), row by row.
        let (shape, rows) = block("weight")?;
        let (outputs, inputs) = (shape[0], shape[1]);
        let columns = (0..inputs).flat_map(|j| (0..outputs).map(move |i| (i, j)));
        let turned = columns.map(|(i, j)| rows[i * inputs + j]).collect();
        linear.weight = Param::from_tensor(self.place.tensor((vec![inputs, outputs], turned)));
        linear.bias = Some(Param::from_tensor(self.place.tensor(block("bias")?)));
        Ok(())
    }
}
