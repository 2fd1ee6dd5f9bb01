//! Graphs that no exporter writes: chains and circles, data beside the model, nodes in subgraphs, no node at all.

use std::fs;

use ndarray::Array3;
use ndarray_rnn::io::onnx::{self, Model};
use ndarray_rnn::{Error, FileError, RnnConfig};

use crate::common::TestResult;
use crate::write::{
    field, floats, initializer, input, int, integers, ints, model, node, number, tensor, weights, with_state,
};

fn text(bytes: &[u8]) -> String {
    match Model::<f32>::from_bytes(bytes) {
        Ok(_) => "read".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_long_chain_is_no_circle() -> TestResult {
    let chain: Vec<u8> = (0..100_000)
        .flat_map(|i| node("Identity", &[&format!("h{i}")], &[&format!("h{}", i + 1)], &[]))
        .collect();
    let end = node("Identity", &["h100000"], &["h"], &[]);
    let first = initializer(&floats("h0", &[1, 1, 2], &[1.0, 2.0]));
    let read = Model::<f32>::from_bytes(&with_state(&[first, chain.clone(), end.clone()]))?;
    assert_eq!(read.nodes()[0].initial_h(), Some(&ndarray::array![[[1.0, 2.0]]]));
    let back = node("Identity", &["h100000"], &["h0"], &[]);
    let circle = with_state(&[back, chain, end]);
    assert!(text(&circle).contains("expected an operation's result, got operations in a circle"));
    let shapes = [node("Shape", &["h"], &["s"], &[]), node("ConstantOfShape", &["s"], &["h"], &[])];
    assert!(text(&with_state(&shapes)).contains("got operations in a circle"));
    Ok(())
}

/// Lists of numbers may be inputs, attributes or `value_ints` of a Constant.
#[test]
fn a_state_is_folded_whatever_holds_its_axes() -> TestResult {
    let row = initializer(&floats("row", &[2], &[1.0, 2.0]));
    let list = [field(1, b"value_ints"), number(8, 0), number(8, 1), number(20, 7)].concat();
    let graphs = [
        vec![row.clone(), node("Unsqueeze", &["row"], &["h"], &[ints("axes", &[0, 1])])],
        vec![
            row.clone(),
            initializer(&integers("axes", &[0, -2])),
            node("Unsqueeze", &["row", "axes"], &["h"], &[]),
        ],
        vec![
            row.clone(),
            node("Constant", &[], &["axes"], &[list]),
            node("Unsqueeze", &["row", "axes"], &["h"], &[]),
        ],
        vec![row.clone(), node("Reshape", &["row"], &["h"], &[ints("shape", &[1, 1, -1])])],
        vec![
            initializer(&floats("rows", &[2, 3], &[0.0, 1.0, 5.0, 0.0, 2.0, 6.0])),
            node("Transpose", &["rows"], &["columns"], &[]),
            node(
                "Slice",
                &["columns"],
                &["column"],
                &[ints("starts", &[1]), ints("ends", &[-1]), ints("axes", &[0])],
            ),
            node("Unsqueeze", &["column"], &["h"], &[ints("axes", &[0])]),
        ],
        vec![
            row,
            node("Split", &["row"], &["a", "b"], &[]),
            node("Concat", &["a", "b"], &["ab"], &[int("axis", 0)]),
            initializer(&integers("target", &[1, 1, 1])),
            node("Expand", &["ab", "target"], &["h"], &[]),
        ],
    ];
    for (i, graph) in graphs.iter().enumerate() {
        let read = Model::<f32>::from_bytes(&with_state(graph))?;
        assert_eq!(read.nodes()[0].initial_h(), Some(&ndarray::array![[[1.0, 2.0]]]), "graph {i}");
    }
    Ok(())
}

#[test]
fn inputs_and_attributes_that_the_operator_has_not() {
    let rnn = |inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]| {
        text(&model(&[weights(), node("RNN", inputs, outputs, attributes)]))
    };
    let inputs = ["x", "W", "R", "", "", "", "P"];
    let extra = "ONNX: Y: an input or output that the operator does not have is not supported";
    assert_eq!(rnn(&inputs, &["Y"], &[]), extra);
    assert_eq!(rnn(&inputs[..3], &["Y", "", "Y_c"], &[]), extra);
    let error = rnn(&inputs[..3], &["Y"], &[int("input_forget", 0)]);
    assert_eq!(error, "ONNX: Y: the attribute input_forget is not supported");
    assert_eq!(rnn(&inputs[..3], &["Y"], &[int("output_sequence", 1)]), "read");
}

/// The weights W and R of a model in a file beside it.
fn beside(location: &str, offset: usize, length: usize) -> Vec<u8> {
    let entry =
        |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
    let data = [
        entry("location", location),
        entry("offset", &offset.to_string()),
        entry("length", &length.to_string()),
        number(14, 1),
    ];
    let w = initializer(&tensor("W", &[1, 2, 3], 1, data.concat()));
    let r = initializer(&floats("R", &[1, 2, 2], &[0.5; 4]));
    model(&[w, r, node("RNN", &["x", "W", "R"], &["Y"], &[])])
}

#[test]
fn data_lies_beside_the_model_and_nowhere_else() -> TestResult {
    let outer = tempfile::tempdir()?;
    let folder = outer.path().join("folder");
    fs::create_dir_all(folder.join("below"))?;
    let bytes: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
    for path in ["data.bin", "below/data.bin", "../data.bin"] {
        fs::write(folder.join(path), &bytes)?;
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("../data.bin", folder.join("link.bin"))?;
    let path = folder.join("model.onnx");
    let read = |bytes: &[u8]| -> TestResult<Result<Model<f32>, Error>> {
        fs::write(&path, bytes)?;
        Ok(Model::read(&path))
    };
    for location in ["data.bin", "below/data.bin"] {
        let model = read(&beside(location, 8, 24))??;
        assert_eq!(
            model.nodes()[0].cells()[0].weight_ih(),
            ndarray::array![[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]
        );
        let dict = onnx::read(&path)?;
        assert_eq!(dict.get("W").map(|w| w.bytes()), Some(&bytes[8..]));
    }
    let absolute = outer.path().join("data.bin").display().to_string();
    let mut outside = vec!["../data.bin", "below/../../data.bin", &absolute, "."];
    if cfg!(unix) {
        outside.push("link.bin");
    }
    for location in outside {
        let error = read(&beside(location, 8, 24))?.err().ok_or(location)?.to_string();
        let expected =
            format!("ONNX: W: data in {location}, outside the folder of the model, is not supported");
        assert_eq!(error, expected);
    }
    let malformed = |location: &str, offset, length| -> TestResult<String> {
        Ok(read(&beside(location, offset, length))?.err().ok_or("read")?.to_string())
    };
    assert_eq!(
        malformed("data.bin", 12, 24)?,
        "ONNX: W in data.bin: expected a file of at least 36 bytes, got 32"
    );
    assert_eq!(malformed("data.bin", 0, 20)?, "ONNX: W: expected 24 bytes, got 20 bytes of another file");
    let below = "ONNX: W in below: expected a file of at least 24 bytes";
    assert!(malformed("below", 0, 24)?.starts_with(below));
    assert_eq!(malformed("", 0, 24)?, "ONNX: W: expected the location of its data, got none");
    let missing = read(&beside("none.bin", 0, 24))?.err();
    assert!(matches!(missing, Some(Error::File(FileError::System { .. }))), "{missing:?}");
    let alone = "ONNX: W: data in another file, for a model that is not read by its path, is not supported";
    assert_eq!(text(&beside("data.bin", 8, 24)), alone);
    Ok(())
}

#[test]
fn nodes_within_nodes_are_refused_by_name() {
    let inner = [weights(), node("RNN", &["x", "W", "R"], &["inner"], &[])].concat();
    let branch = |graph: &[u8]| [field(1, b"then_branch"), field(6, graph), number(20, 5)].concat();
    let once = node("If", &["c"], &["y"], &[branch(&inner)]);
    let expected = "ONNX: inner: a node of RNN in a subgraph is not supported";
    assert_eq!(text(&model(std::slice::from_ref(&once))), expected);
    assert_eq!(text(&model(&[node("Loop", &["c"], &["z"], &[branch(&once)])])), expected);
    let outer = [weights(), node("RNN", &["x", "W", "R"], &["Y"], &[])].concat();
    assert_eq!(text(&model(&[outer.clone(), once])), expected);
    let harmless = node("If", &["c"], &["y"], &[branch(&node("Relu", &["x"], &["r"], &[]))]);
    assert_eq!(text(&model(&[outer.clone(), harmless])), "read");
    // A node of a function: FunctionProto has its nodes in field 7, the model its functions in field 25.
    let function = field(25, &field(7, &node("RNN", &["x", "W", "R"], &["inner"], &[])[2..]));
    let error = text(&[model(&[outer]), function].concat());
    assert_eq!(error, "ONNX: inner: a node of RNN in a function is not supported");
}

#[test]
fn a_graph_without_nodes_says_what_it_has() {
    let conv = [node("Transpose", &["x"], &["a"], &[]), node("Conv", &["a", "W"], &["y"], &[])];
    let again = node("Transpose", &["y"], &["b"], &[]);
    let error = text(&model(&[conv.concat(), again]));
    assert_eq!(error, r#"no RNN, LSTM or GRU node among the names ["Transpose", "Conv"]"#);
    for product in ["MatMul", "Gemm"] {
        let step = [
            node(product, &["x", "W"], &["a"], &[]),
            node("Add", &["a", "h"], &["b"], &[]),
            node("Tanh", &["b"], &["c"], &[]),
        ];
        let error = text(&model(&step));
        assert!(error.contains("with dynamo=False it keeps the recurrent node"), "{error}");
    }
}

/// A state of zeros is none, however many sequences it is for; another state is for as many as it has.
#[test]
fn a_state_of_zeros_is_none() -> TestResult {
    let shape = initializer(&integers("shape", &[1, 1 << 40, 2]));
    let zeros =
        Model::<f32>::from_bytes(&with_state(&[shape, node("ConstantOfShape", &["shape"], &["h"], &[])]))?;
    assert_eq!(zeros.nodes()[0].initial_h(), None);
    assert!(zeros.to_network::<RnnConfig>().is_ok());
    let wrong = initializer(&integers("shape", &[1, 4, 3]));
    let wrong = with_state(&[wrong, node("ConstantOfShape", &["shape"], &["h"], &[])]);
    assert_eq!(text(&wrong), "Y.initial_h: expected shape [1, 4, 2], got [1, 4, 3]");
    let fixed = Model::<f32>::from_bytes(&with_state(&[initializer(&floats("h", &[1, 2, 2], &[1.0; 4]))]))?;
    let error = fixed.nodes()[0].run(&Array3::zeros((4, 3, 3))).forward().err();
    let (expected, actual) = (vec![1, 3, 2], vec![1, 2, 2]);
    assert_eq!(error, Some(Error::Shape { array: "initial_h".into(), expected, actual }));
    let input = Model::<f32>::from_bytes(&with_state(&[input("h")]))?;
    assert!(input.to_network::<RnnConfig>().is_ok());
    Ok(())
}
