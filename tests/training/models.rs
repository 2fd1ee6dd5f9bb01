//! Models of one's own, made by `parameters!`: trained beside torch's over the fixture of `golden/models.py`; names, order,
//! sums and scaling of nested members over random models; bad input.

use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_rnn::functional::{relu, relu_backward};
use ndarray_rnn::io::StateDict;
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, Sgd, SgdConfig, clip_grad_norm};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{
    Embedding, EmbeddingConfig, GradientOf, Linear, LinearConfig, Lstm, LstmConfig, Parameters, Scalar,
    Trainable, manual_seed, parameters,
};
use proptest::prelude::*;

use crate::common::golden::Golden;
use crate::common::training::{cases, difference, expect_message, flat, uniform_in};
use crate::common::{Real, TestResult};

parameters! {
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Encoder {
        embedding: Embedding,
        rnn: Lstm,
        h_0: Array3<f32>,
        c_0: Array3<f32>,
    }
}

parameters! {
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Net { encoder: Encoder, head: Vec<Linear>, shift: Option<Array1<f32>> }
}

/// The network of an element type.
type NetOf<A> = Net<Encoder<Embedding<A>, Lstm<A>, Array3<A>, Array3<A>>, Vec<Linear<A>>, Option<Array1<A>>>;

/// Indices, 0 behind a sequence's end; lengths; classes.
type Part = (Array2<usize>, Vec<usize>, Array1<usize>);

fn words() -> TestResult<[Part; 2]> {
    let first = Array2::from_shape_vec((3, 4), vec![1, 2, 3, 4, 5, 6, 0, 0, 2, 2, 1, 0])?;
    let second = Array2::from_shape_vec((2, 3), vec![6, 5, 4, 3, 0, 0])?;
    Ok([(first, vec![4, 2, 3], vec![0, 1, 2].into()), (second, vec![3, 1], vec![2, 0].into())])
}

fn net<A: Scalar>(shift: bool, rng: &mut Mt19937) -> TestResult<NetOf<A>> {
    let signs = [-1.0, 1.0];
    let encoder = Encoder {
        embedding: Embedding::new(EmbeddingConfig::new(7, 4).padding_idx(0), rng)?,
        rnn: Lstm::new(LstmConfig::new(4, 5).batch_first(true), rng)?,
        h_0: uniform_in((1, 1, 5), signs, rng)?,
        c_0: uniform_in((1, 1, 5), signs, rng)?,
    };
    let head = vec![Linear::new(LinearConfig::new(5, 6), rng)?, Linear::new(LinearConfig::new(6, 3), rng)?];
    Ok(Net { encoder, head, shift: shift.then(|| uniform_in(3, signs, rng)).transpose()? })
}

/// The loss of a part, and its gradients.
fn gradients<A: Scalar>(
    net: &NetOf<A>,
    (words, lengths, classes): &Part,
) -> TestResult<(A, GradientOf<NetOf<A>>)> {
    let Net { encoder, head, shift } = net;
    let n = words.nrows();
    let spread = |plane: &Array3<A>| Array3::from_shape_fn((1, n, 5), |(_, _, j)| plane[[0, 0, j]]);
    let (h_0, c_0) = (spread(&encoder.h_0), spread(&encoder.c_0));
    let x: Array3<A> = encoder.embedding.forward(words)?;
    let pass = encoder.rnn.run(&x).state((&h_0, &c_0)).lengths(lengths);
    let (last, _, trace) = pass.last_train(&mut manual_seed(0))?;
    let hidden = relu(&head[0].forward(&last)?)?;
    let mut logits = head[1].forward(&hidden)?;
    if let Some(shift) = shift {
        logits += shift;
    }
    let loss = CrossEntropyLoss::new().forward(&logits, classes)?;

    let of_rows = |rows: Array2<A>| rows.outer_iter().fold(Array1::zeros(rows.ncols()), |sum, row| sum + row);
    let of_state =
        |plane: Array3<A>| of_rows(plane.index_axis_move(Axis(0), 0)).into_shape_with_order((1, 1, 5));
    let second = head[1].backward(&hidden, &loss.gradient)?;
    let first = head[0].backward(&last, &relu_backward(&hidden, &second.input)?)?;
    let rnn = encoder.rnn.back(&trace).last(&first.input).gradients()?;
    let (h_0, c_0) = rnn.state;
    let encoder = Encoder {
        embedding: encoder.embedding.backward(words, &rnn.input)?,
        rnn: rnn.parameters,
        h_0: of_state(h_0)?,
        c_0: of_state(c_0)?,
    };
    let shift = shift.as_ref().map(|_| of_rows(loss.gradient));
    Ok((loss.value, Net { encoder, head: vec![first.parameters, second.parameters], shift }))
}

fn names(model: &impl Parameters) -> Vec<String> {
    model.named_parameters().into_iter().map(|(name, _)| name).collect()
}

fn trains_as_in_torch<A: Real>(tolerance: f64) -> TestResult {
    let golden = Golden::parse(include_bytes!("../golden/models.safetensors"))?;
    for (name, case) in cases::<A>(&golden, "model")? {
        let mut rng = manual_seed(case["seed"].as_u64().ok_or("no seed")?);
        let mut net = net::<A>(case["shift"] == true, &mut rng)?;
        assert_eq!(serde_json::json!(names(&net)), case["names"], "{name}");

        let options = AdamConfig::new().lr(0.05);
        let mut adam = Adam::new(options.clone(), &net)?;
        adam = adam.group(options.lr(0.01), |name| name.starts_with("head."))?;
        let mut losses = Vec::new();
        for _ in 0..6 {
            let mut sum = net.zeros_like();
            for part in &words()? {
                let (loss, gradients) = gradients(&net, part)?;
                losses.push(loss);
                sum.accumulate(&gradients)?;
            }
            sum.scale(A::narrow(0.5));
            clip_grad_norm(&mut sum, MaxNorm::new(0.5))?;
            adam.step(&mut net, &sum)?;
        }
        let results = [("losses", Array1::from(losses).into_dyn()), ("parameters", flat(&net))];
        for (what, actual) in results {
            let what = format!("{name}.{what}");
            let here = difference(&actual, &golden.array(&what)?, &what);
            assert!(here <= tolerance, "{here:e} in {what}");
        }
    }
    Ok(())
}

#[test]
fn a_model_of_ones_own_trains_as_in_torch() -> TestResult {
    trains_as_in_torch::<f32>(1e-6)?;
    trains_as_in_torch::<f64>(2e-15)
}

parameters! {
    #[derive(Debug, Clone, PartialEq)]
    struct Inner { vector: Option<Array1<f64>>, matrix: Array2<f64> }
}

parameters! {
    #[derive(Debug, Clone, PartialEq)]
    struct Outer { layers: Vec<Inner>, pair: (Option<Inner>, Array1<f64>), linear: Linear<f64>, own: Array1<f64> }
}

/// What an `Outer` is made of: the sizes of its parts, and whether they are there.
#[derive(Debug, Clone)]
struct Plan {
    /// The rows of each layer's matrix, and whether the layer has a vector.
    layers: Vec<(usize, bool)>,
    of_pair: Option<bool>,
    bias: bool,
    seed: u64,
}

fn plans() -> impl Strategy<Value = Plan> {
    let layers = prop::collection::vec((1..4_usize, any::<bool>()), 0..4);
    (layers, any::<Option<bool>>(), any::<bool>(), any::<u64>())
        .prop_map(|(layers, of_pair, bias, seed)| Plan { layers, of_pair, bias, seed })
}

impl Plan {
    fn inner(rows: usize, vector: bool, rng: &mut Mt19937) -> TestResult<Inner> {
        let vector = vector.then(|| uniform_in(2, [-1.0, 1.0], rng)).transpose()?;
        Ok(Inner { vector, matrix: uniform_in((rows, 3), [-1.0, 1.0], rng)? })
    }

    /// Three models of the plan.
    fn models(&self) -> TestResult<[Outer; 3]> {
        let mut rng = manual_seed(self.seed);
        let mut model = || {
            let layers = self.layers.iter().map(|&(rows, vector)| Self::inner(rows, vector, &mut rng));
            let layers = layers.collect::<TestResult<_>>()?;
            let of_pair = self.of_pair.map(|vector| Self::inner(1, vector, &mut rng)).transpose()?;
            let pair = (of_pair, uniform_in(4, [-1.0, 1.0], &mut rng)?);
            let linear = Linear::new(LinearConfig::new(2, 3).bias(self.bias), &mut rng)?;
            TestResult::Ok(Outer { layers, pair, linear, own: uniform_in(1, [-1.0, 1.0], &mut rng)? })
        };
        Ok([model()?, model()?, model()?])
    }

    /// The names, arrays before what holds arrays.
    fn names(&self) -> Vec<String> {
        let inner = |prefix: String, vector: bool| {
            let vector = vector.then(|| format!("{prefix}.vector"));
            vector.into_iter().chain([format!("{prefix}.matrix")])
        };
        let mut names = vec!["own".to_owned()];
        for (i, &(_, vector)) in self.layers.iter().enumerate() {
            names.extend(inner(format!("layers.{i}"), vector));
        }
        names.push("pair.1".into());
        names.extend(self.of_pair.into_iter().flat_map(|vector| inner("pair.0".into(), vector)));
        names.push("linear.weight".into());
        names.extend(self.bias.then(|| "linear.bias".into()));
        names
    }
}

fn shapes(model: &impl Parameters<Elem = f64>) -> Vec<(String, Vec<usize>)> {
    model.named_parameters().into_iter().map(|(name, value)| (name, value.shape().to_vec())).collect()
}

fn expect_a_model(plan: &Plan) -> TestResult {
    let [first, second, mut third] = plan.models()?;
    assert_eq!(names(&first), plan.names());
    let mutable = third.named_parameters_mut().into_iter().map(|(name, _)| name);
    assert_eq!(mutable.collect::<Vec<_>>(), plan.names());

    let mut sum: GradientOf<Outer> = first.zeros_like();
    assert_eq!(shapes(&sum), shapes(&first));
    assert!(flat(&sum).iter().all(|&x| x == 0.0));
    sum.accumulate(&first)?;
    assert_eq!(flat(&sum), flat(&first));
    sum.accumulate(&second)?;
    sum.scale(-3.0);
    let expected =
        flat(&first).iter().zip(&flat(&second)).map(|(a, b)| (a + b) * -3.0).collect::<Array1<_>>();
    assert_eq!(flat(&sum), expected.into_dyn());

    let before = flat(&third);
    Sgd::new(SgdConfig::new().lr(1.0), &third)?.step(&mut third, &sum)?;
    let expected = before.iter().zip(&flat(&sum)).map(|(x, d)| x - d).collect::<Array1<_>>();
    assert_eq!(flat(&third), expected.into_dyn());

    let mut dict = StateDict::new();
    dict.add("model.", &third)?;
    dict.under("model.").load_into(&mut sum)?;
    assert_eq!(flat(&sum), flat(&third));
    third.load_state_dict(first.state_dict().into_iter().rev())?;
    assert_eq!(third, first);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_made_of_models_is_a_model(plan in plans()) {
        expect_a_model(&plan).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// An array alone has no name, and a member's name is the whole of its.
#[test]
fn an_array_goes_by_the_name_of_the_member_that_it_is() -> TestResult {
    let mut dict = StateDict::new();
    dict.add("h_0", &Array1::<f32>::zeros(3))?;
    dict.add("pair.", &(Array1::<f32>::zeros(3), Some(Array1::<f32>::zeros(2))))?;
    assert_eq!(dict.names().collect::<Vec<_>>(), ["h_0", "pair.0", "pair.1"]);
    let six = (0..6).map(Array1::<f32>::zeros).collect::<Vec<_>>();
    let [a, b, c, d, e, f] = six.clone().try_into().map_err(|_| "six")?;
    assert_eq!(shapes_of((a, b, c, d, e, f)), shapes_of(six));
    Ok(())
}

fn shapes_of(model: impl Parameters<Elem = f32>) -> Vec<(String, usize)> {
    model.named_parameters().into_iter().map(|(name, value)| (name, value.len())).collect()
}

#[test]
fn only_gradients_of_one_model_are_added() -> TestResult {
    let model = |bias| Linear::<f32>::new(LinearConfig::new(2, 3).bias(bias), &mut manual_seed(0));
    let mut sum = vec![model(true)?];
    let before = sum.clone();
    let missing = sum.accumulate(&vec![model(false)?]);
    expect_message(missing, "missing parameter 0.bias: expected shape [3]");
    let unexpected = vec![model(false)?].accumulate(&sum);
    expect_message(unexpected, "unexpected parameter 0.bias of shape [3]: the model has [\"0.weight\"]");
    let shape = sum.accumulate(&vec![Linear::<f32>::zeros(LinearConfig::new(3, 3))?]);
    expect_message(shape, "0.weight: expected shape [3, 2], got [3, 3]");
    assert_eq!(sum, before);
    Ok(())
}

/// A training program counts no more than 1.3 times the lines of the same program in torch, but blank lines and comments.
#[test]
fn programs_are_not_much_longer_than_torchs() {
    let lines = |program: &str, comment: &str| {
        let lines = program.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with(comment)).count()
    };
    for (here, torchs) in [
        (include_str!("../../examples/train.rs"), include_str!("../../examples/train.py")),
        (include_str!("../../examples/early_stopping.rs"), include_str!("../../examples/early_stopping.py")),
    ] {
        let (here, torchs) = (lines(here, "//"), lines(torchs, "\"\"\""));
        assert!(10 * here <= 13 * torchs, "{here} lines, torch's {torchs}");
    }
}
