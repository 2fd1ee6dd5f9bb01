//! Writing a graph node by node.

use std::collections::BTreeMap;

use ndarray::ArrayViewD;
use prost::Message;

use super::FORMAT;
use super::proto::{
    AttributeProto, Dim, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
    attribute_type, data_type,
};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::io::Tensor;
use crate::io::files::expect_at_most;
use crate::room::room;
use crate::scalar::Scalar;

/// The version of the operators: the first whose RNN node has `layout`, so that old engines read the model too.
const OPSET: i64 = 14;

/// The version of the format that came with version 14 of the operators.
const IR_VERSION: i64 = 7;

/// The most bytes of a protobuf message.
const MAX_BYTES: usize = i32::MAX as usize;

/// A graph that is being written.
#[derive(Debug, Default)]
pub(super) struct Builder {
    graph: GraphProto,
}

impl Builder {
    /// Adds an input. An axis is a length, or a name if it may have any length.
    pub(super) fn input(&mut self, name: &str, elem_type: i32, shape: &[Dim]) {
        self.graph.input.push(value(name, elem_type, shape));
    }

    /// Adds an output: the value `name` of a node that is added before or after.
    pub(super) fn output(&mut self, name: &str, elem_type: i32, shape: &[Dim]) {
        self.graph.output.push(value(name, elem_type, shape));
    }

    /// Adds a constant array and returns its name.
    pub(super) fn constant<A: Scalar>(&mut self, name: String, array: &ArrayViewD<'_, A>) -> Result<String> {
        let tensor = Tensor::from_array(array)?;
        Ok(self.tensor(name, element_type::<A>(), array.shape(), tensor.into_bytes()))
    }

    /// Adds a constant list of whole numbers and returns its name.
    pub(super) fn integers(&mut self, name: String, list: &[i64]) -> String {
        let bytes = list.iter().flat_map(|i| i.to_le_bytes()).collect();
        self.tensor(name, data_type::INT64, &[list.len()], bytes)
    }

    /// Adds a constant whole number and returns its name.
    pub(super) fn integer(&mut self, name: String, value: i64) -> String {
        self.tensor(name, data_type::INT64, &[], value.to_le_bytes().into())
    }

    fn tensor(&mut self, name: String, elem_type: i32, shape: &[usize], bytes: Vec<u8>) -> String {
        self.graph.initializer.push(TensorProto {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(elem_type),
            name: Some(name.clone()),
            raw_data: Some(bytes),
            ..TensorProto::default()
        });
        name
    }

    /// Adds a node, named after its first output. An empty name stands for an input or output that the node does
    /// without.
    pub(super) fn node(
        &mut self,
        op_type: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) {
        let names = |names: &[&str]| {
            let count = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
            names[..count].iter().map(|&name| name.into()).collect()
        };
        self.graph.node.push(NodeProto {
            input: names(inputs),
            output: names(outputs),
            name: outputs.first().map(|output| format!("{op_type}_{output}")),
            op_type: Some(op_type.into()),
            attribute,
            domain: None,
        });
    }

    /// The bytes of the model, which holds text beside the graph.
    ///
    /// # Errors
    /// [`FileError::TooLarge`](crate::FileError::TooLarge) for 2 GiB and more, which a protobuf message cannot have.
    pub(super) fn into_bytes(self, name: &str, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let entry = |(key, value): (&String, &String)| StringStringEntryProto {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some(env!("CARGO_PKG_NAME").into()),
            graph: Some(GraphProto { name: Some(name.into()), ..self.graph }),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        let length = model.encoded_len();
        expect_at_most(FORMAT, "model", MAX_BYTES, length)?;
        let mut bytes = room("model", &[length])?;
        model.encode(&mut bytes).invariant("there is room for the model");
        Ok(bytes)
    }
}

/// ONNX's name of an element type.
pub(super) fn element_type<A: Scalar>() -> i32 {
    if A::SINGLE { data_type::FLOAT } else { data_type::DOUBLE }
}

fn value(name: &str, elem_type: i32, shape: &[Dim]) -> ValueInfoProto {
    let dim = shape.iter().map(|dim| DimensionProto { value: Some(dim.clone()) }).collect();
    let tensor = TensorTypeProto { elem_type: Some(elem_type), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// An attribute of whole numbers.
pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.into(), ..attribute(name, attribute_type::INTS) }
}

/// An attribute of numbers.
pub(super) fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.into(), ..attribute(name, attribute_type::FLOATS) }
}

/// An attribute of one whole number.
pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i: Some(i), ..attribute(name, attribute_type::INT) }
}

/// An attribute of one word.
pub(super) fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: Some(s.into()), ..attribute(name, attribute_type::STRING) }
}

/// An attribute of words.
pub(super) fn strings(name: &str, words: &[&str]) -> AttributeProto {
    let strings = words.iter().map(|&word| word.into()).collect();
    AttributeProto { strings, ..attribute(name, attribute_type::STRINGS) }
}

fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}
