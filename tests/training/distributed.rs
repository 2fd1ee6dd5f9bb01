//! Sums in a fixed tree against the tree written as a recursion; the sampler against torch's over the fixture of
//! `golden/sampler.py`; vectors of parameters; a model trained in parts of any kind.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, Axis, arr1};
use ndarray_rnn::distributed::{DistributedSampler, Node, TreeSum, tree_nodes};
use ndarray_rnn::random::{Mt19937, PerSequence, Philox, randperm};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Error, GradientOf, Linear, LinearConfig, Lstm, LstmConfig, Parameters,
    Trainable, loss::MseLoss, manual_seed, parameters,
};
use rand::Rng;

use crate::common::golden::Golden;
use crate::common::training::{size, uniform_in};
use crate::common::{TestResult, assert_same_bits};

type Term = Array1<f32>;

/// Terms whose sum depends on the order.
fn terms(count: usize, rng: &mut Mt19937) -> TestResult<Vec<Term>> {
    (0..count).map(|_| uniform_in(3, [-1.0, 1.0], rng)).collect()
}

/// The tree's definition: halves at the largest power of two below the count.
fn by_recursion(terms: &[Term]) -> Term {
    let mut half = 1;
    while 2 * half < terms.len() {
        half *= 2;
    }
    match terms {
        [term] => term.clone(),
        _ => by_recursion(&terms[..half]) + by_recursion(&terms[half..]),
    }
}

/// The numbers below `count` in parts, each in any order: what ranks have, contiguous or not.
fn parts(count: usize, rng: &mut Mt19937) -> TestResult<Vec<Vec<usize>>> {
    let ranks = 1 + rng.next_u32() as usize % 5;
    let mut parts = vec![Vec::new(); ranks];
    let contiguous = rng.next_u32().is_multiple_of(2);
    for number in randperm(count, rng)? {
        let rank = if contiguous { number * ranks / count } else { rng.next_u32() as usize % ranks };
        parts[rank].push(number);
    }
    Ok(parts)
}

#[test]
fn any_order_and_any_parts_give_the_tree_s_sum() -> TestResult {
    let mut rng = manual_seed(0);
    for count in 1..=33 {
        let terms = terms(count, &mut rng)?;
        for _ in 0..20 {
            let mut nodes = Vec::new();
            for part in parts(count, &mut rng)? {
                let mut sum = TreeSum::new(count)?;
                part.iter().try_for_each(|&number| sum.add(number, terms[number].clone()))?;
                for Node { numbers, sum } in sum.take_nodes() {
                    assert_same_bits(&sum, &by_recursion(&terms[numbers.clone()]), "a node");
                    nodes.push(Node { numbers, sum });
                }
            }
            let mut sum = TreeSum::new(count)?;
            for at in randperm(nodes.len(), &mut rng)? {
                sum.add_node(nodes[at].clone())?;
            }
            assert_same_bits(&sum.take_sum()?, &by_recursion(&terms), "the sum");
            assert!(sum.take_nodes().is_empty());
        }
    }
    Ok(())
}

/// Every node of a tree, by the definition.
fn all_nodes(node: Range<usize>) -> Vec<Range<usize>> {
    let half = (1..).map(|k| 1 << k).find(|&power| power >= node.len()).map_or(1, |power: usize| power / 2);
    let middle = node.start + half;
    let mut nodes = vec![node.clone()];
    if node.len() > 1 {
        nodes.extend(all_nodes(node.start..middle));
        nodes.extend(all_nodes(middle..node.end));
    }
    nodes
}

#[test]
fn tree_nodes_are_the_fewest_and_what_a_range_adds_up_to() -> TestResult {
    for count in 1..=20 {
        let all = all_nodes(0..count);
        for (start, end) in (0..count).flat_map(|start| (start..=count).map(move |end| (start, end))) {
            // Of the nodes within the range those that no other one of them contains.
            let within = |node: &&Range<usize>| start <= node.start && node.end <= end;
            let within: Vec<_> = all.iter().filter(within).collect();
            let is_within =
                |a: &Range<usize>, b: &Range<usize>| a != b && b.start <= a.start && a.end <= b.end;
            let mut largest: Vec<_> = within
                .iter()
                .filter(|a| !within.iter().any(|b| is_within(a, b)))
                .map(|a| (*a).clone())
                .collect();
            largest.sort_by_key(|node| node.start);
            assert_eq!(tree_nodes(count, start..end)?, largest);
            let log2 = (count as f64).log2();
            let most = if start == 0 { log2 + 1.0 } else { 2.0 * log2 };
            assert!(largest.len() as f64 <= most, "{count} {start} {end}");

            let mut sum = TreeSum::new(count)?;
            (start..end).rev().try_for_each(|number| sum.add(number, arr1(&[1.0_f32])))?;
            let nodes: Vec<_> = sum.take_nodes().into_iter().map(|node| node.numbers).collect();
            assert_eq!(nodes, largest);
        }
    }
    assert_eq!(
        tree_nodes(4, 2..5).unwrap_err().to_string(),
        "the last number: index 4 is out of bounds, the number of terms is 4"
    );
    Ok(())
}

#[test]
fn huge_counts_have_trees_too() -> TestResult {
    let count = usize::MAX;
    let nodes = tree_nodes(count, 1..count - 1)?;
    assert!(nodes.len() <= 2 * 64 && nodes[0] == (1..2), "{nodes:?}");
    let mut sum = TreeSum::new(count)?;
    for number in [count - 1, 0, 1, count - 2] {
        sum.add(number, arr1(&[1.0_f32]))?;
    }
    assert_eq!(sum.take_sum().unwrap_err(), Error::MissingTerms { numbers: 2..count - 2, count });
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() -> TestResult {
    assert_eq!(TreeSum::<Term>::new(0).unwrap_err(), Error::ZeroSize { name: "the number of terms" });
    let mut sum = TreeSum::new(6)?;
    let missing = |numbers| Error::MissingTerms { numbers, count: 6 };
    assert_eq!(sum.take_sum().unwrap_err(), missing(0..6));
    for number in [2, 3, 5] {
        sum.add(number, arr1(&[1.0_f32, 2.0]))?;
    }
    let before = sum.clone();
    let term = || arr1(&[1.0_f32, 2.0]);
    let mut node = |numbers: Range<usize>| sum.add_node(Node { numbers, sum: term() }).unwrap_err();
    let foreign = |numbers| Error::ForeignNode { numbers, count: 6 };
    for numbers in [1..3, 0..3, 4..4, 5..7, 0..7, 6..7, Range { start: 3, end: 1 }] {
        assert_eq!(node(numbers.clone()), foreign(numbers));
    }
    let repeated = |numbers, present| Error::RepeatedTerms { numbers, present };
    assert_eq!(node(3..4), repeated(3..4, 2..4));
    assert_eq!(node(0..4), repeated(0..4, 2..4));
    assert_eq!(node(0..6), repeated(0..6, 5..6));
    assert_eq!(node(4..6).to_string(), "the terms 4..6 came again: the sum has 5..6");
    let error = sum.add(6, term()).unwrap_err().to_string();
    assert_eq!(error, "number: index 6 is out of bounds, the number of terms is 6");
    let error = sum.add(0, arr1(&[1.0])).unwrap_err().to_string();
    assert_eq!(error, "term : expected shape [2], got [1]");
    assert_eq!(sum.take_sum().unwrap_err(), missing(0..2));
    assert_eq!(sum, before);

    sum.add(0, term())?;
    assert_eq!(sum.take_sum().unwrap_err(), missing(1..2));
    sum.add(1, term())?;
    assert_eq!(sum.take_sum().unwrap_err().to_string(), "the sum lacks the terms 4..5 of 6");
    sum.add(4, term())?;
    assert_eq!(sum.take_sum()?, arr1(&[6.0, 12.0]));
    Ok(())
}

// The sampler

#[test]
fn the_sampler_is_torchs() -> TestResult {
    let golden = Golden::parse(include_bytes!("../golden/sampler.safetensors"))?;
    let cases = golden.cases()?;
    assert_eq!(cases.len(), 50);
    for case in cases {
        let number = |key| case.value[key].as_u64().ok_or("no number");
        let sampler = DistributedSampler::new(size(&case.value["len"])?, size(&case.value["num_replicas"])?)
            .shuffle(case.flag("shuffle")?)
            .seed(number("seed")?)
            .drop_last(case.flag("drop_last")?);
        let samples = sampler.epoch(number("epoch")?)?;
        assert_eq!(samples.ncols(), sampler.num_replicas);
        let by_replica: Vec<_> = samples.t().iter().map(|&sample| sample as i64).collect();
        assert_eq!(by_replica, golden.integers(&case.index.to_string())?, "{case:?}");
    }
    Ok(())
}

#[test]
fn the_sampler_refuses_what_it_cannot_deal() {
    let error = |len, replicas| DistributedSampler::new(len, replicas).shuffle(false).epoch(0).unwrap_err();
    assert_eq!(error(5, 0), Error::ZeroSize { name: "num_replicas" });
    let too_large = |shape: [usize; 2]| Error::SizeOverflow { name: "samples".into(), shape: shape.into() };
    assert_eq!(error(1, usize::MAX), too_large([1, usize::MAX]));
    assert_eq!(error(0, usize::MAX), too_large([0, usize::MAX]));
    assert_eq!(error(usize::MAX, 2), too_large([usize::MAX / 2 + 1, 2]));
}

// Vectors

parameters! { #[derive(Debug, Clone, PartialEq)] struct Net { embedding: Embedding, rnn: Lstm, head: Linear, scale: Array1<f32> } }

fn net() -> TestResult<Net> {
    let mut rng = manual_seed(3);
    Ok(Net {
        embedding: Embedding::new(EmbeddingConfig::new(5, 3), &mut rng)?,
        rnn: Lstm::new(LstmConfig::new(3, 4).num_layers(2).dropout(0.5).batch_first(true), &mut rng)?,
        head: Linear::new(LinearConfig::new(4, 2), &mut rng)?,
        scale: uniform_in(2, [0.5, 1.0], &mut rng)?,
    })
}

/// As torch's `parameters_to_vector`: one array after another, in row-major order.
#[test]
fn a_vector_has_every_element_in_order() -> TestResult {
    let (mut net, mut expected) = (net()?, Vec::new());
    for (_, array) in net.state_dict() {
        expected.extend(array.iter().copied());
    }
    assert_eq!(net.to_vector(), expected);
    assert_eq!(net.to_vector()[..2], net.scale.to_vec()); // the struct's own array comes first

    let before = net.clone();
    let error = net.load_vector(&expected[1..]).unwrap_err().to_string();
    assert_eq!(error, format!("vector: expected shape [{}], got [{}]", expected.len(), expected.len() - 1));
    assert_eq!(net, before);
    let numbered: Vec<_> = (0..expected.len()).map(|i| i as f32).collect();
    net.load_vector(&numbered)?;
    assert_eq!(net.to_vector(), numbered);
    assert_eq!(net.rnn.named_parameters()[0].1[[1, 0]], 2.0 + 15.0 + 3.0);

    // Of arrays in any memory layout.
    let mut array = Array2::from_shape_fn((2, 3), |(i, j)| (3 * i + j) as f32).reversed_axes();
    assert_eq!(array.to_vector(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    array.load_vector(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
    assert_eq!(array, ndarray::array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    Ok(())
}

// A model

/// The gradient and the loss of some sequences, each under its number.
fn gradient(
    net: &Net,
    data: &Array2<usize>,
    numbers: &[usize],
) -> TestResult<(GradientOf<Net>, Array1<f32>)> {
    let words = data.select(Axis(0), numbers);
    let mut rngs = PerSequence(numbers.iter().map(|&n| Philox::new(1).stream(2, n as u64)).collect());
    let x = net.embedding.forward(&words)?;
    let (last, _, trace) = net.rnn.run(&x).last_train(&mut rngs)?;
    let y = net.head.forward(&last)?;
    let loss = MseLoss::new().forward(&y, &Array2::zeros(y.dim()))?;
    let head = net.head.backward(&last, &loss.gradient)?;
    let rnn = net.rnn.back(&trace).last(&head.input).gradients()?;
    let embedding = net.embedding.backward(&words, &rnn.input)?;
    let scale = Array1::from_elem(2, loss.value);
    Ok((Net { embedding, rnn: rnn.parameters, head: head.parameters, scale }, arr1(&[loss.value])))
}

/// A gradient beside its loss, over any ranks' ranges, as vectors and back.
#[test]
fn a_model_s_gradient_does_not_depend_on_who_computes_it() -> TestResult {
    let (net, data) = (net()?, Array2::from_shape_fn((14, 6), |(n, t)| (n * n + 3 * t) % 5));
    let numbers = |m: usize| [2 * m, 2 * m + 1];
    let flat = |m: usize| {
        Ok::<_, Box<dyn std::error::Error>>(arr1(&gradient(&net, &data, &numbers(m))?.to_vector()))
    };
    let expected = by_recursion(&(0..7).map(flat).collect::<Result<Vec<_>, _>>()?);
    for ranks in [1, 2, 3, 7, 9] {
        let mut total = TreeSum::new(7)?;
        for rank in (0..ranks).rev() {
            let own = rank * 7 / ranks..(rank + 1) * 7 / ranks;
            let mut sum = TreeSum::new(7)?;
            own.clone().try_for_each(|m| TestResult::Ok(sum.add(m, gradient(&net, &data, &numbers(m))?)?))?;
            for (node, expected) in sum.take_nodes().into_iter().zip(tree_nodes(7, own)?) {
                assert_eq!(node.numbers, expected);
                let mut received = (net.zeros_like(), Array1::zeros(1));
                received.load_vector(&node.sum.to_vector())?;
                total.add_node(Node { numbers: expected, sum: received })?;
            }
        }
        assert_same_bits(&arr1(&total.take_sum()?.to_vector()), &expected, "the sum");
    }
    Ok(())
}

/// The trace's dropout is that of the forward pass, so a sequence's own gradient is the same in any micro-batch too.
#[test]
fn the_input_s_gradient_of_a_sequence_does_not_depend_on_the_batch() -> TestResult {
    let net = net()?;
    let x: Array3<f32> = uniform_in((8, 6, 3), [-1.0, 1.0], &mut manual_seed(9))?;
    let run = |numbers: &[usize]| -> TestResult<_> {
        let mut rngs = PerSequence(numbers.iter().map(|&n| Philox::new(1).stream(2, n as u64)).collect());
        let (last, _, trace) = net.rnn.run(&x.select(Axis(0), numbers)).last_train(&mut rngs)?;
        Ok((last.clone(), net.rnn.back(&trace).last(&last).gradients()?.input))
    };
    let (last, d_x) = run(&[7, 2, 5, 0])?;
    for (b, n) in [7, 2, 5, 0].into_iter().enumerate() {
        let (alone, d_alone) = run(&[n])?;
        assert_same_bits(&alone.row(0), &last.row(b), "last");
        assert_same_bits(&d_alone.index_axis(Axis(0), 0), &d_x.index_axis(Axis(0), b), "d_input");
    }
    Ok(())
}
