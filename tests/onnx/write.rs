//! ONNX models written byte by byte: such as no library writes.

/// A whole number of a protobuf field.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A protobuf field of bytes.
pub(crate) fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A protobuf field of a whole number.
pub(crate) fn number(tag: u64, number: i64) -> Vec<u8> {
    [varint(tag << 3), varint(number as u64)].concat()
}

/// A graph's node.
pub(crate) fn node(op_type: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let names = |tag: u64, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(tag, name.as_bytes())).collect()
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(|attribute| field(5, attribute)).collect();
    field(1, &[names(1, inputs), names(2, outputs), field(4, op_type.as_bytes()), attributes].concat())
}

/// An attribute of whole numbers.
pub(crate) fn ints(name: &str, ints: &[i64]) -> Vec<u8> {
    [field(1, name.as_bytes()), ints.iter().flat_map(|&i| number(8, i)).collect(), number(20, 7)].concat()
}

/// An attribute of one whole number.
pub(crate) fn int(name: &str, i: i64) -> Vec<u8> {
    [field(1, name.as_bytes()), number(3, i), number(20, 2)].concat()
}

/// An attribute of one number.
pub(crate) fn float(name: &str, f: f32) -> Vec<u8> {
    let number_of_32_bits = [varint(2 << 3 | 5), f.to_le_bytes().to_vec()].concat();
    [field(1, name.as_bytes()), number_of_32_bits, number(20, 1)].concat()
}

/// A constant array of `f32` elements, as a message.
pub(crate) fn floats(name: &str, dims: &[usize], elements: &[f32]) -> Vec<u8> {
    tensor(name, dims, 1, field(9, &elements.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>()))
}

/// A constant list of whole numbers, as a message.
pub(crate) fn integers(name: &str, elements: &[i64]) -> Vec<u8> {
    let bytes: Vec<_> = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
    tensor(name, &[elements.len()], 7, field(9, &bytes))
}

/// A constant array of which `data` are the other fields, as a message.
pub(crate) fn tensor(name: &str, dims: &[usize], data_type: i64, data: Vec<u8>) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| number(1, dim as i64)).collect();
    [dims, number(2, data_type), field(8, name.as_bytes()), data].concat()
}

/// An initializer.
pub(crate) fn initializer(tensor: &[u8]) -> Vec<u8> {
    field(5, tensor)
}

/// An input of a graph.
pub(crate) fn input(name: &str) -> Vec<u8> {
    field(11, &field(1, name.as_bytes()))
}

/// W (1, 2, 3) and R (1, 2, 2).
pub(crate) fn weights() -> Vec<u8> {
    let [w, r] = [floats("W", &[1, 2, 3], &[0.25; 6]), floats("R", &[1, 2, 2], &[0.5; 4])];
    [initializer(&w), initializer(&r)].concat()
}

/// A model of the given parts of a graph.
pub(crate) fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    field(7, &graph.concat())
}

/// A model of a node with `initial_h` as `h`, and of the given parts of a graph.
pub(crate) fn with_state(graph: &[Vec<u8>]) -> Vec<u8> {
    let rnn = node("RNN", &["x", "W", "R", "", "", "h"], &["Y"], &[]);
    model(&[weights(), input("x"), graph.concat(), rnn])
}
