//! The attributes of a recurrent node.

use super::graph::Operation;
use super::operator::Operator;
use super::proto::{AttributeProto, attribute_type};
use super::{FORMAT, unsupported};
use crate::error::Result;
use crate::io::files::malformed;
use crate::kernels::Activation;
use crate::recurrent::Direction;

/// The attributes of a recurrent node; an absent one has its default.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attributes {
    pub(super) directions: &'static [Direction],
    /// One for each direction.
    pub(super) activations: Vec<Activation>,
    /// The bound of every sum, if there is one.
    pub(super) clip: Option<f32>,
    pub(super) hidden_size: Option<usize>,
    /// Whether `layout` is 1: arrays have the axis of the sequences first.
    pub(super) batch_first: bool,
}

impl Attributes {
    /// The attributes of a node, which errors call `name`.
    pub(super) fn parse(name: &str, operation: &Operation<'_>, operator: &Operator) -> Result<Self> {
        let list = operation.attributes().collect::<Result<Vec<_>>>()?;
        if let Some(other) = list.iter().find(|attribute| !operator.attributes.contains(&attribute.name())) {
            return Err(unsupported(name, format!("the attribute {}", other.name())));
        }
        let list = List { node: name, operator, list };
        let directions = list.directions()?;
        // `output_sequence` of the first version says whether Y is wanted; naming the output says the same.
        Ok(Self {
            directions,
            activations: list.activations(directions.len())?,
            clip: list.clip()?,
            hidden_size: list.hidden_size()?,
            batch_first: list.layout()?,
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

    fn layout(&self) -> Result<bool> {
        match self.get("layout", attribute_type::INT)?.map_or(0, AttributeProto::i) {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(malformed(FORMAT, self.field("layout"), "0 or 1", other)),
        }
    }

    /// The bound; a negative one is no bound, as in ONNX Runtime.
    fn clip(&self) -> Result<Option<f32>> {
        let clip = self.get("clip", attribute_type::FLOAT)?.map(AttributeProto::f);
        if clip.is_some_and(f32::is_nan) {
            return Err(malformed(FORMAT, self.field("clip"), "a number", "NaN"));
        }
        Ok(clip.filter(|&clip| clip >= 0.0))
    }

    fn numbers(&self, name: &str) -> Result<&[f32]> {
        Ok(self.get(name, attribute_type::FLOATS)?.map_or(&[], |attribute| &attribute.floats))
    }

    fn activations(&self, directions: usize) -> Result<Vec<Activation>> {
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
/// activation here.
fn activation(
    name: &str,
    alphas: &mut impl Iterator<Item = f32>,
    betas: &mut impl Iterator<Item = f32>,
) -> Option<Activation> {
    // A function without a number takes the default of ONNX's operator of the same name.
    let mut alpha = |default| alphas.next().unwrap_or(default);
    let mut beta = |default| betas.next().unwrap_or(default);
    match name.to_ascii_lowercase().as_str() {
        "tanh" => Some(Activation::Tanh),
        "relu" => Some(Activation::Relu),
        "sigmoid" => Some(Activation::Sigmoid),
        "softsign" => Some(Activation::Softsign),
        "softplus" => Some(Activation::Softplus),
        "elu" => (alpha(1.0) == 1.0).then_some(Activation::Elu),
        "leakyrelu" => (alpha(0.01) == 0.0).then_some(Activation::Relu),
        "thresholdedrelu" => (alpha(1.0) == 0.0).then_some(Activation::Relu),
        "affine" => ((alpha(0.0), beta(0.0)) == (1.0, 0.0)).then_some(Activation::Linear),
        "scaledtanh" => ((alpha(0.0), beta(0.0)) == (1.0, 1.0)).then_some(Activation::Tanh),
        "hardsigmoid" => match (alpha(0.2), beta(0.5)) {
            (0.2, 0.5) => Some(Activation::HardSigmoid2),
            (alpha, 0.5) if alpha == 1.0 / 6.0 => Some(Activation::HardSigmoid),
            _ => None,
        },
        _ => None,
    }
}
