//! What is checked of a model, each check by a model that has only that fault; and what is not folded.

use ndarray::Array3;
use ndarray_rnn::io::onnx::{self, Model};
use ndarray_rnn::{Error, RnnConfig};

use crate::common::TestResult;
use crate::write::{
    field, float, floats, initializer, input, int, integers, ints, model, node, number, tensor, weights,
    with_state,
};

fn text(bytes: &[u8]) -> String {
    Model::<f32>::from_bytes(bytes).err().map_or("read".into(), |error| error.to_string())
}

fn state_error(graph: &[Vec<u8>]) -> String {
    text(&with_state(graph))
}

/// Why a node does not run without a state that the graph computes.
fn not_folded(graph: &[Vec<u8>]) -> TestResult<String> {
    let model = Model::<f32>::from_bytes(&with_state(graph))?;
    let error = model.nodes()[0].run(&Array3::ones((4, 1, 3))).forward().err();
    Ok(error.map_or("folded".into(), |error| error.to_string()))
}

fn row() -> Vec<u8> {
    initializer(&floats("row", &[1, 1, 2], &[1.0, 2.0]))
}

fn list(name: &str, elements: &[i64]) -> Vec<u8> {
    initializer(&integers(name, elements))
}

/// What would change the state, or may change it, is not passed over.
#[test]
fn operations_that_are_not_folded() -> TestResult {
    let halves = |name: &str| initializer(&tensor(name, &[1, 1, 2], 10, field(9, &[0, 60, 0, 60])));
    let yes = initializer(&tensor("yes", &[], 9, field(9, &[1])));
    let ratio = initializer(&floats("ratio", &[], &[0.5]));
    let other = initializer(&floats("other", &[1, 1, 2], &[3.0, 4.0]));
    let slice = |data: &str, [start, end, axis, step]: [i64; 4]| {
        let lists = [list("s", &[start]), list("e", &[end]), list("a", &[axis]), list("by", &[step])];
        [lists.concat(), node("Slice", &[data, "s", "e", "a", "by"], &["h"], &[])].concat()
    };
    let cast = |from: &str, to: i64, name: &str| node("Cast", &[from], &[name], &[int("to", to)]);
    let unknown = [
        node("Shape", &["x"], &["shape"], &[]),
        list("one", &[1]),
        node("Gather", &["shape", "one"], &["batch"], &[]),
        list("five", &[5]),
        node("Equal", &["batch", "five"], &["c"], &[]),
    ];
    let wide = initializer(&floats("row", &[1, 1, 4], &[1.0; 4]));
    let tall = initializer(&floats("row", &[2, 1, 1, 2], &[1.0; 4]));
    let large = initializer(&floats("row", &[1, 1, 2], &[3e9, 4e9]));
    let odd = list("i", &[(1 << 24) + 1, 1]);
    let cases = [
        ("h (Slice)", vec![wide, slice("row", [0, 4, 2, 2])]),
        ("h (Slice)", vec![slice("x", [1, i64::MAX, 1, 1])]),
        ("h (Squeeze)", vec![tall, node("Squeeze", &["row"], &["h"], &[ints("axes", &[0])])]),
        ("h (Squeeze)", vec![node("Squeeze", &["x"], &["h"], &[])]),
        ("h (Unsqueeze)", vec![row(), node("Unsqueeze", &["row"], &["h"], &[ints("axes", &[0, 0])])]),
        ("h (Add)", vec![halves("a"), halves("b"), node("Add", &["a", "b"], &["h"], &[])]),
        ("h (Dropout)", vec![row(), ratio, yes, node("Dropout", &["row", "ratio", "yes"], &["h"], &[])]),
        (
            "h (Where)",
            vec![unknown.concat(), row(), other, node("Where", &["c", "row", "other"], &["h"], &[])],
        ),
        ("h (Tile)", vec![list("n", &[2, 1, 1]), node("Tile", &["x", "n"], &["h"], &[])]),
        ("h (Expand)", vec![list("n", &[2, 1, 1]), node("Expand", &["x", "n"], &["h"], &[])]),
        ("(Cast)", vec![large, cast("row", 7, "i"), cast("i", 1, "h")]),
        (
            "h (Reshape)",
            vec![odd, cast("i", 1, "f"), node("Reshape", &["f"], &["h"], &[ints("shape", &[1, 1, 2])])],
        ),
    ];
    for (i, (made, graph)) in cases.into_iter().enumerate() {
        let error = not_folded(&graph)?;
        assert!(error.contains("a call without initial_h, that "), "{i}: {error}");
        assert!(error.contains(&format!("{made} computes, is not supported")), "{i}: {error}");
    }
    // The first step of the sequences themselves.
    let first = node("Gather", &["x", "zero"], &["first"], &[]);
    let zero = initializer(&tensor("zero", &[], 7, field(9, &[0; 8])));
    let part = [zero, first, node("Unsqueeze", &["first"], &["h"], &[ints("axes", &[0])])];
    let expected = "a call without initial_h, that is a part of the graph's input x, is not supported";
    assert!(not_folded(&part)?.ends_with(expected), "{}", not_folded(&part)?);
    Ok(())
}

#[test]
fn a_state_is_checked() {
    let twice = [ints("perm", &[0, 1, 2]), ints("perm", &[0, 1, 2])];
    let error = state_error(&[row(), node("Transpose", &["row"], &["h"], &twice)]);
    assert_eq!(error, "ONNX: h.perm: expected one of its name, got 2");
    let long = [ints("perm", &[0; 5000])];
    let error = state_error(&[row(), node("Transpose", &["row"], &["h"], &long)]);
    assert!(error.contains("the number of fields of a AttributeProto"), "{error}");
    let whole = initializer(&tensor("h", &[1, 1, 2], 7, field(9, &[0; 16])));
    assert_eq!(state_error(&[whole]), "Y.initial_h: expected dtype float32, got int64");
    let both = initializer(&floats("h", &[2, 1, 2], &[1.0; 4]));
    assert_eq!(state_error(&[both]), "Y.initial_h: expected shape [1, 1, 2], got [2, 1, 2]");
    let negative = [number(1, -1), number(2, 1), field(8, b"h"), field(9, &[0; 8])].concat();
    assert_eq!(state_error(&[initializer(&negative)]), "ONNX: h: expected sizes of 0 and more, got [-1]");
    let h = initializer(&floats("h", &[1, 1, 2], &[1.0; 2]));
    let error = Model::<f32>::from_bytes(&with_state(&[h.clone(), h])).err();
    assert_eq!(error, Some(Error::DuplicateParameter { name: "h".into() }));
}

#[test]
fn lengths_are_checked() -> TestResult {
    let bytes = |lens: Vec<u8>| {
        let rnn = node("RNN", &["x", "W", "R", "", "l"], &["Y"], &[]);
        model(&[weights(), input("x"), lens, rnn])
    };
    let error = |lens: Vec<u8>| text(&bytes(lens));
    let of_two_axes = initializer(&tensor("l", &[1, 2], 7, field(9, &[1; 16])));
    assert_eq!(error(of_two_axes), "ONNX: Y.sequence_lens: expected 1 axis, got 2 axes");
    assert_eq!(error(list("l", &[-1])), "ONNX: Y.sequence_lens: expected lengths of 0 and more, got -1");
    let of_floats = field(11, &[field(1, b"l"), field(2, &field(1, &number(1, 1)))].concat());
    assert_eq!(error(of_floats), "Y.sequence_lens: expected dtype int32, got float32");
    // What no 32 bits hold is not cast alike everywhere.
    let large = [initializer(&floats("f", &[1], &[3e9])), node("Cast", &["f"], &["l"], &[int("to", 7)])];
    let read = Model::<f32>::from_bytes(&bytes(large.concat()))?;
    let error = read.nodes()[0].run(&Array3::ones((4, 1, 3))).forward().err().ok_or("run")?.to_string();
    assert!(error.contains("sequence_lens, that l (Cast) computes"), "{error}");
    Ok(())
}

#[test]
fn attributes_and_weights_are_checked() -> TestResult {
    let rnn = |attributes: &[Vec<u8>]| model(&[weights(), node("RNN", &["x", "W", "R"], &["Y"], attributes)]);
    let error = text(&rnn(&[float("hidden_size", 2.0)]));
    assert_eq!(error, "ONNX: Y.hidden_size: expected AttributeProto.AttributeType 2, got 1");
    let error = text(&rnn(&[int("hidden_size", 2), int("hidden_size", 2)]));
    assert_eq!(error, "ONNX: Y.hidden_size: expected one of its name, got 2");
    assert_eq!(text(&rnn(&[float("clip", f32::NAN)])), "ONNX: Y.clip: expected a number, got NaN");
    let model_of = Model::<f32>::from_bytes(&rnn(&[float("clip", -1.0)]))?;
    assert_eq!(model_of.nodes()[0].clip(), None);

    let of = |w: [usize; 3], r: [usize; 3]| {
        let zeros = |name: &str, dims: [usize; 3]| floats(name, &dims, &vec![0.0; dims.iter().product()]);
        let weights = [zeros("W", w), zeros("R", r)].map(|weight| initializer(&weight)).concat();
        Model::<f32>::from_bytes(&model(&[weights, node("RNN", &["x", "W", "R"], &["Y"], &[])])).err()
    };
    let shape = |array: &str, expected: [usize; 3], actual: [usize; 3]| {
        Some(Error::Shape { array: array.into(), expected: expected.into(), actual: actual.into() })
    };
    assert_eq!(of([1, 0, 3], [1, 0, 0]), Some(Error::ZeroSize { name: "hidden_size" }));
    assert_eq!(of([1, 2, 0], [1, 2, 2]), Some(Error::ZeroSize { name: "input_size" }));
    assert_eq!(of([1, 3, 3], [1, 2, 2]), shape("Y.W", [1, 2, 3], [1, 3, 3]));
    assert_eq!(of([1, 2, 3], [2, 2, 2]), shape("Y.R", [1, 2, 2], [2, 2, 2]));
    Ok(())
}

#[test]
fn nodes_and_messages_are_checked() -> TestResult {
    let of_others = [field(2, b"Z"), field(4, b"RNN"), field(7, b"com.other")].concat();
    let of_others = field(1, &of_others);
    let error = text(&model(&[weights(), of_others.clone()]));
    assert!(error.starts_with("no RNN, LSTM or GRU node"), "{error}");
    let branch = [field(1, b"then_branch"), field(6, &of_others), number(20, 5)].concat();
    let rnn = node("RNN", &["x", "W", "R"], &["Y"], &[]);
    assert_eq!(text(&model(&[weights(), node("If", &["c"], &["y"], &[branch]), rnn])), "read");
    let error = text(&model(&[weights(), node("RNN", &["x"; 5000], &["Y"], &[])]));
    assert!(error.contains("the number of fields of a NodeProto"), "{error}");
    let rnn = model(&[weights(), node("RNN", &["x", "W", "R"], &["Y"], &[])]);
    let error = text(&[&*rnn, &[0x0f]].concat());
    assert_eq!(error, "ONNX: ModelProto: expected a field, got 1 bytes that are none");
    let entry = field(14, &[field(1, b"key"), field(2, b"value")].concat());
    let dict = onnx::from_bytes(&[&*rnn, &*entry].concat())?;
    assert_eq!(dict.metadata().get("key").map(String::as_str), Some("value"));
    let error = onnx::from_bytes(&[&*rnn, &*entry, &*entry].concat()).err().ok_or("read")?.to_string();
    assert_eq!(error, "ONNX: metadata_props.key: expected one of its name, got 2");
    Ok(())
}

/// Two nodes, the second of which reads the rows of the first.
fn two(w: [usize; 3], r: [usize; 3], attributes: &[Vec<u8>], more: Vec<u8>) -> Result<Error, &'static str> {
    let array =
        |name: &str, dims: [usize; 3]| initializer(&floats(name, &dims, &vec![0.5; dims.iter().product()]));
    let graph = [
        weights(),
        array("W2", w),
        array("R2", r),
        node("RNN", &["x", "W", "R"], &["Y1"], &[]),
        node("Squeeze", &["Y1"], &["rows"], &[ints("axes", &[1])]),
        node("RNN", &["rows", "W2", "R2"], &["Y"], attributes),
        more,
    ];
    let network = Model::<f32>::from_bytes(&model(&graph)).and_then(|model| model.to_network::<RnnConfig>());
    network.err().ok_or("read")
}

#[test]
fn layers_of_a_network_are_alike() -> TestResult {
    let (w, r) = ([1, 2, 2], [1, 2, 2]);
    let refused = |feature: &str| format!("ONNX: {feature} in a network of class Rnn is not supported");
    let words = |name: &str, tag: u64, kind: i64, words: &str| {
        [field(1, name.as_bytes()), field(tag, words.as_bytes()), number(20, kind)].concat()
    };
    assert_eq!(two(w, r, &[], Vec::new()).err(), Some("read"));
    let error = two(w, r, &[float("clip", 0.5)], Vec::new())?;
    assert_eq!(error.to_string(), refused("Y: clip 0.5"));
    let error = two(w, r, &[words("activations", 9, 8, "Relu")], Vec::new())?;
    assert_eq!(error.to_string(), refused("Y: other activations than Y1"));
    let both = words("direction", 4, 3, "bidirectional");
    let error = two([2, 2, 2], [2, 2, 2], &[both], Vec::new())?;
    assert_eq!(error.to_string(), refused("Y: another direction than Y1"));
    let error = two([1, 3, 2], [1, 3, 3], &[], Vec::new())?;
    assert_eq!(error, Error::Shape { array: "Y.W".into(), expected: vec![2, 2], actual: vec![3, 2] });
    let error = two(w, r, &[], field(12, &field(1, b"Y1")))?;
    let expected =
        "Y1: outputs that the graph's output Y1 reads beside Y, in a stack of layers, is not supported";
    assert_eq!(error.to_string(), format!("ONNX: {expected}"));
    Ok(())
}

/// A graph that takes sequences first and gives steps first is no network that is `batch_first`.
#[test]
fn sequences_that_are_first_on_one_side() -> TestResult {
    let exchange = |from: &str, to: &str| node("Transpose", &[from], &[to], &[ints("perm", &[1, 0, 2])]);
    let graph = |last: Vec<u8>| {
        let rnn = node("RNN", &["t", "W", "R"], &["Y"], &[]);
        let rows = node("Squeeze", &["Y"], &["rows"], &[ints("axes", &[1])]);
        model(&[weights(), input("x"), exchange("x", "t"), rnn, rows, last])
    };
    let output = |name: &str| field(12, &field(1, name.as_bytes()));
    let network = |bytes: &[u8]| Model::<f32>::from_bytes(bytes)?.to_network::<RnnConfig>();
    assert!(!network(&graph(output("rows")))?.config().batch_first);
    let back = [exchange("rows", "out"), output("out")].concat();
    assert!(network(&graph(back))?.config().batch_first);
    Ok(())
}
