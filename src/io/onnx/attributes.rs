//! The attributes of a recurrent node.

use super::graph::Operation;
use super::operator::{Kind, Operator};
use super::proto::{AttributeProto, attribute_type};
use super::{FORMAT, unsupported};
use crate::cell::AnyActivation;
use crate::error::Result;
use crate::io::files::malformed;
use crate::kernels::{Activation, Numbered};
use crate::recurrent::Direction;

/// The attributes of a recurrent node; an absent one has its default.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attributes {
    pub(super) directions: &'static [Direction],
    /// For each direction those of the operator: one, those of the gates and the candidate, and with an LSTM that of the
    /// cell state.
    pub(super) activations: Vec<AnyActivation>,
    /// The bound of every sum, if there is one.
    pub(super) clip: Option<f32>,
    /// Whether the forget gate is 1 - i.
    pub(super) input_forget: bool,
    /// Whether the reset gate stands behind the recurrent product.
    pub(super) linear_before_reset: bool,
    pub(super) hidden_size: Option<usize>,
    /// Whether `layout` is 1: arrays have the axis of the sequences first.
    pub(super) batch_first: bool,
}

impl Attributes {
    /// The attributes of a node, which errors call `name`.
    pub(super) fn parse(name: &str, operation: &Operation<'_>, operator: &Operator) -> Result<Self> {
        let list = operation.attributes().collect::<Result<Vec<_>>>()?;
        if let Some(other) = list.iter().find(|attribute| !operator.has_attribute(attribute.name())) {
            return Err(unsupported(name, format!("the attribute {}", other.name())));
        }
        let list = List { node: name, operator, list };
        let directions = list.directions()?;
        Ok(Self {
            directions,
            activations: list.activations(directions.len())?,
            clip: list.clip()?,
            hidden_size: list.hidden_size()?,
            batch_first: list.flag("layout")?,
            input_forget: list.flag("input_forget")?,
            linear_before_reset: list.flag("linear_before_reset")?,
        })
    }
}

/// The attributes of a node.
struct List<'a> {
    node: &'a str,
    operator: &'a Operator,
    list: Vec<AttributeProto>,
}

impl List<'_> {
    /// The attribute `name`. Its type must be `kind`, or 0, which older files have.
    fn get(&self, name: &str, kind: i32) -> Result<Option<&AttributeProto>> {
        let found: Vec<_> = self.list.iter().filter(|attribute| attribute.name() == name).collect();
        match found[..] {
            [] => Ok(None),
            [attribute] if [0, kind].contains(&attribute.r#type()) => Ok(Some(attribute)),
            [attribute] => {
                let expected = format!("AttributeProto.AttributeType {kind}");
                Err(malformed(FORMAT, self.field(name), expected, attribute.r#type()))
            }
            _ => Err(malformed(FORMAT, self.field(name), "one of its name", found.len())),
        }
    }

    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.node)
    }

    fn directions(&self) -> Result<&'static [Direction]> {
        let words = self.get("direction", attribute_type::STRING)?.map(AttributeProto::s);
        match words {
            None | Some(b"forward") => Ok(&[Direction::Forward]),
            Some(b"reverse") => Ok(&[Direction::Reverse]),
            Some(b"bidirectional") => Ok(&[Direction::Forward, Direction::Reverse]),
            Some(other) => {
                let actual = String::from_utf8_lossy(other).into_owned();
                Err(malformed(FORMAT, self.field("direction"), "forward, reverse or bidirectional", actual))
            }
        }
    }

    fn hidden_size(&self) -> Result<Option<usize>> {
        let size = self.get("hidden_size", attribute_type::INT)?.map(AttributeProto::i);
        let error = |i| malformed(FORMAT, self.field("hidden_size"), "a size", i);
        size.map(|i| usize::try_from(i).map_err(|_| error(i))).transpose()
    }

    /// An attribute that is 0, its default, or 1.
    fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name, attribute_type::INT)?.map_or(0, AttributeProto::i) {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(malformed(FORMAT, self.field(name), "0 or 1", other)),
        }
    }

    /// The bound. As in ONNX Runtime a negative one of an RNN is no bound, and those of others are above 0.
    fn clip(&self) -> Result<Option<f32>> {
        let clip = self.get("clip", attribute_type::FLOAT)?.map(AttributeProto::f);
        let rnn = self.operator.kind == Kind::Rnn;
        if let Some(clip) = clip.filter(|&clip| clip.is_nan() || !(rnn || clip > 0.0)) {
            let expected = if rnn { "a number" } else { "a number above 0" };
            return Err(malformed(FORMAT, self.field("clip"), expected, clip));
        }
        Ok(clip.filter(|&clip| clip >= 0.0))
    }

    fn numbers(&self, name: &str) -> Result<&[f32]> {
        Ok(self.get(name, attribute_type::FLOATS)?.map_or(&[], |attribute| &attribute.floats))
    }

    fn activations(&self, directions: usize) -> Result<Vec<AnyActivation>> {
        let names = self.get("activations", attribute_type::STRINGS)?;
        let alphas = self.numbers("activation_alpha")?;
        let betas = self.numbers("activation_beta")?;
        let defaults = self.operator.activations;
        let names: Vec<_> = match names {
            Some(names) => names.strings.iter().map(|name| String::from_utf8_lossy(name)).collect(),
            None => {
                defaults.iter().cycle().take(directions * defaults.len()).map(|&name| name.into()).collect()
            }
        };
        // A node of one direction may name those of two, the operator's default, and takes the first.
        let wanted = directions * defaults.len();
        if ![wanted, 2 * defaults.len()].contains(&names.len()) {
            return Err(malformed(FORMAT, self.field("activations"), format!("{wanted} names"), names.len()));
        }
        // As in ONNX Runtime, each function that needs a number takes the next of the list.
        let (mut alpha, mut beta) = (alphas.iter().copied(), betas.iter().copied());
        let activations = names.iter().take(wanted).map(|name| {
            activation(name, &mut alpha, &mut beta).ok_or_else(|| {
                let feature =
                    format!("{name} with activation_alpha {alphas:?} and activation_beta {betas:?}");
                unsupported(&self.field("activations"), feature)
            })
        });
        activations.collect()
    }
}

/// The activation of a name and of the numbers that the function takes off the lists; `None` if there is no such
/// activation, or none without those numbers.
fn activation(
    name: &str,
    alphas: &mut impl Iterator<Item = f32>,
    betas: &mut impl Iterator<Item = f32>,
) -> Option<AnyActivation> {
    let mut alpha = || alphas.next();
    let mut beta = || betas.next();
    // A function without a number takes the default of ONNX's operator of the same name. ScaledTanh has none. Those of
    // Affine and ThresholdedRelu, 1, are 0 in ONNX Runtime: a node that relies on either is refused.
    let numbered = match name.to_ascii_lowercase().as_str() {
        "tanh" => return Some(Activation::Tanh.into()),
        "relu" => return Some(Activation::Relu.into()),
        "sigmoid" => return Some(Activation::Sigmoid.into()),
        "softsign" => return Some(Activation::Softsign.into()),
        "softplus" => return Some(Activation::Softplus.into()),
        "elu" => Numbered::Elu { alpha: alpha().unwrap_or(1.0) },
        "leakyrelu" => Numbered::LeakyRelu { alpha: alpha().unwrap_or(0.01) },
        "thresholdedrelu" => Numbered::ThresholdedRelu { alpha: alpha()? },
        "affine" => Numbered::Affine { alpha: alpha()?, beta: beta().unwrap_or(0.0) },
        "scaledtanh" => Numbered::ScaledTanh { alpha: alpha()?, beta: beta()? },
        "hardsigmoid" => Numbered::HardSigmoid { alpha: alpha().unwrap_or(0.2), beta: beta().unwrap_or(0.5) },
        _ => return None,
    };
    Some(standard(numbered).map_or(AnyActivation::Numbered(numbered), AnyActivation::Standard))
}

/// The activation without numbers that an activation is, if it is one.
fn standard(activation: Numbered) -> Option<Activation> {
    match activation {
        Numbered::Elu { alpha: 1.0 } => Some(Activation::Elu),
        Numbered::LeakyRelu { alpha: 0.0 } | Numbered::ThresholdedRelu { alpha: 0.0 } => {
            Some(Activation::Relu)
        }
        Numbered::Affine { alpha: 1.0, beta: 0.0 } => Some(Activation::Linear),
        Numbered::ScaledTanh { alpha: 1.0, beta: 1.0 } => Some(Activation::Tanh),
        Numbered::HardSigmoid { alpha: 0.2, beta: 0.5 } => Some(Activation::HardSigmoid2),
        Numbered::HardSigmoid { alpha, beta: 0.5 } if alpha == 1.0 / 6.0 => Some(Activation::HardSigmoid),
        _ => None,
    }
}
