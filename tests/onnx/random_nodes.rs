//! RNN, LSTM and GRU nodes of every option: random ones, as ONNX Runtime has them, and those of onnx's own tests.

use ndarray::{Array, Array3, Array4, ArrayD, ArrayRef3, Dimension};
use ndarray_rnn::io::onnx::{Model, Node, NodeKind, NodeOutput};
use ndarray_rnn::io::{StateDict, Tensor};
use ndarray_rnn::{GruConfig, LstmConfig, Recurrent, RnnConfig};
use serde_json::Value;

use crate::common::golden::Golden;
use crate::common::{Real, TestResult};

const STEPS: usize = 4;
const BATCH: usize = 3;

/// What one node is given, and what ONNX Runtime computes.
struct Case<'a, A> {
    value: &'a Value,
    x: Array3<A>,
    initial_h: Option<Array3<A>>,
    initial_c: Option<Array3<A>>,
    lens: Option<Vec<usize>>,
    expected: NodeOutput<A>,
}

impl<'a, A: Real> Case<'a, A> {
    fn new(golden: &Golden, i: usize, value: &'a Value) -> TestResult<Self> {
        let size = |key: &str| value[key].as_u64().map(|size| size as usize).ok_or("no size");
        let (directions, hidden) = (size("directions")?, size("hidden")?);
        let layout = size("layout")? == 1;
        let exchanged = |[a, b, c]: [usize; 3]| if layout { [b, a, c] } else { [a, b, c] };
        let given: Vec<_> = value["given"].as_array().into_iter().flatten().collect();
        let mut values =
            golden.array::<f32>(&format!("{i}.values"))?.into_iter().map(|x| A::from_f64(x.into()));
        let mut three = |shape: [usize; 3]| take(&mut values, exchanged(shape));
        let state = [directions, BATCH, hidden];
        let x = three([STEPS, BATCH, size("input")?])?;
        let mut first =
            |name: &str| given.iter().any(|other| *other == name).then(|| three(state)).transpose();
        let (initial_h, initial_c) = (first("initial_h")?, first("initial_c")?);
        let y = if layout { [BATCH, STEPS, directions, hidden] } else { [STEPS, directions, BATCH, hidden] };
        let y: Array4<A> = take(&mut values, y)?;
        let mut last = || take(&mut values, exchanged(state));
        let y_h = last()?;
        let y_c = if value["op"] == "LSTM" { Some(last()?) } else { None };
        assert!(values.next().is_none(), "{i}: more numbers than arrays have");
        let lens = value["lens"].as_array();
        let lens = lens.map(|lens| lens.iter().filter_map(Value::as_u64).map(|len| len as usize).collect());
        Ok(Self { value, x, initial_h, initial_c, lens, expected: NodeOutput { y, y_h, y_c } })
    }

    fn run(&self, node: &Node<A>) -> TestResult<NodeOutput<A>> {
        let mut run = node.run(&self.x);
        if let Some(lens) = &self.lens {
            run = run.sequence_lens(lens);
        }
        if let Some(initial_h) = &self.initial_h {
            run = run.initial_h(initial_h);
        }
        if let Some(initial_c) = &self.initial_c {
            run = run.initial_c(initial_c);
        }
        Ok(run.forward()?)
    }

    /// Compares the node's network, which has its outputs side by side, if the node is one.
    fn expect_network<C: NodeKind>(
        &self,
        node: &Node<A>,
        state: impl for<'s> Fn(&'s ArrayRef3<A>, &'s ArrayRef3<A>) -> C::State<&'s ArrayRef3<A>>,
    ) -> TestResult {
        let network = node.to_network::<C>();
        assert_eq!(network.is_ok(), self.value["network"] == true, "{}: {:?}", self.value, network.err());
        let Ok(network) = network else { return Ok(()) };
        let network: Recurrent<C, A> = network;
        let hidden = node.hidden_size();
        let zeros = Array3::zeros((node.directions().len(), BATCH, hidden));
        // A network's states have the sequences in the second axis, whatever the layout.
        let first = |given: &Option<Array3<A>>| match given {
            None => zeros.clone(),
            Some(given) if !node.batch_first() => given.clone(),
            Some(given) => given.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned(),
        };
        let (h, c) = (first(&self.initial_h), first(&self.initial_c));
        let mut run = network.run(&self.x).state(state(&h, &c));
        if let Some(lens) = &self.lens {
            run = run.lengths(lens);
        }
        let (output, _) = run.forward()?;
        let y = &self.expected.y;
        let y = if node.batch_first() { y.view() } else { y.view().permuted_axes([0, 2, 1, 3]) };
        let y = y.as_standard_layout().into_owned().into_shape_with_order(output.dim())?;
        expect(&output, &y, &format!("{}: the network", self.value));
        Ok(())
    }
}

/// The next numbers as an array.
fn take<A: Real, D: Dimension, S: ndarray::IntoDimension<Dim = D>>(
    values: &mut impl Iterator<Item = A>,
    shape: S,
) -> TestResult<Array<A, D>> {
    let shape = shape.into_dimension();
    let elements = values.take(shape.size()).collect();
    Ok(Array::from_shape_vec(shape, elements)?)
}

fn expect<A: Real, D: Dimension>(ours: &Array<A, D>, theirs: &Array<A, D>, what: &str) {
    assert_eq!(ours.shape(), theirs.shape(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let difference = (ours.into_f64() - theirs.into_f64()).abs();
        assert!(difference < 1e-6, "{what}: {ours} for {theirs}");
    }
}

fn compare<A: Real>(golden: &Golden, i: usize, value: &Value, bytes: &[u8]) -> TestResult {
    let case = Case::<A>::new(golden, i, value)?;
    let model = Model::<A>::from_bytes(bytes)?;
    let node = &model.nodes()[0];
    assert_eq!((node.name(), value["op"].as_str()), ("the_node", Some(node.op_type())));
    let NodeOutput { y, y_h, y_c } = case.run(node)?;
    expect(&y, &case.expected.y, &format!("{i}: Y of {value}"));
    expect(&y_h, &case.expected.y_h, &format!("{i}: Y_h of {value}"));
    assert_eq!(y_c.is_some(), case.expected.y_c.is_some());
    if let (Some(y_c), Some(expected)) = (y_c, &case.expected.y_c) {
        expect(&y_c, expected, &format!("{i}: Y_c of {value}"));
    }
    match node.op_type() {
        "RNN" => case.expect_network::<RnnConfig>(node, |h, _| h),
        "LSTM" => case.expect_network::<LstmConfig>(node, |h, c| (h, c)),
        _ => case.expect_network::<GruConfig>(node, |h, _| h),
    }
}

pub(crate) fn golden() -> TestResult<Golden> {
    Golden::parse(include_bytes!("../interop/fixtures/onnx/nodes.safetensors"))
}

#[test]
fn nodes_compute_what_onnx_runtime_computes() -> TestResult {
    let golden = golden()?;
    let cases = golden.metadata["random"].as_array().ok_or("no list of cases")?;
    assert_eq!(cases.len(), 330);
    for (i, value) in cases.iter().enumerate() {
        compare::<f32>(&golden, i, value, golden.bytes(&format!("{i}.model"))?)?;
    }
    Ok(())
}

/// ONNX Runtime has no recurrent nodes of `f64`: the same numbers as in `f32`.
#[test]
fn nodes_of_doubles_compute_the_same() -> TestResult {
    let golden = golden()?;
    let cases = golden.metadata["random"].as_array().ok_or("no list of cases")?;
    for (i, value) in cases.iter().enumerate().step_by(8) {
        compare::<f64>(&golden, i, value, golden.bytes(&format!("{i}.double"))?)?;
    }
    Ok(())
}

/// onnx's own tests of the operators. Their weights are inputs of the graph.
#[test]
fn onnx_s_own_tests_pass() -> TestResult {
    let golden = golden()?;
    let names = golden.names();
    let tests = golden.metadata["onnx"].as_array().ok_or("no list of tests")?;
    assert_eq!(tests.len(), 18);
    for name in tests.iter().filter_map(Value::as_str) {
        let prefix = format!("onnx.{name}.");
        let array = |part: &str| -> TestResult<Option<ArrayD<f32>>> {
            let name = format!("{prefix}{part}");
            names.contains(&name).then(|| golden.array(&name)).transpose()
        };
        let mut weights = StateDict::new();
        for part in ["W", "R", "B", "P"] {
            if let Some(weight) = array(part)? {
                weights.insert(part, Tensor::from_array(&weight)?)?;
            }
        }
        let model = Model::<f32>::from_bytes_with(golden.bytes(&format!("{prefix}model"))?, &weights)?;
        let state = |part: &str| -> TestResult<Option<Array3<f32>>> {
            Ok(array(part)?.map(|array| array.into_dimensionality()).transpose()?)
        };
        let x = state("X")?.ok_or("no X")?;
        let lens =
            array("sequence_lens")?.map(|lens| lens.iter().map(|&len| len as usize).collect::<Vec<_>>());
        let (h, c) = (state("initial_h")?, state("initial_c")?);
        let mut run = model.nodes()[0].run(&x);
        if let Some(lens) = &lens {
            run = run.sequence_lens(lens);
        }
        if let Some(h) = &h {
            run = run.initial_h(h);
        }
        if let Some(c) = &c {
            run = run.initial_c(c);
        }
        let output = run.forward()?;
        let ours = [("Y", Some(output.y.into_dyn())), ("Y_h", Some(output.y_h.into_dyn()))];
        let ours = ours.into_iter().chain([("Y_c", output.y_c.map(Array::into_dyn))]);
        let mut compared = 0;
        for (part, ours) in ours {
            if let Some(expected) = array(part)? {
                expect(&ours.ok_or("no Y_c")?, &expected, &format!("{name}: {part}"));
                compared += 1;
            }
        }
        assert!(compared > 0, "{name}: nothing compared");
    }
    Ok(())
}
