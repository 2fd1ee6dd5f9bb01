//! The same bits on every instruction set and for every number of threads.
//!
//! Each kernel that this machine can run is forced in turn, and must equal the definition of a sum, written out as
//! a triple loop, bit for bit. Then whole passes, forward and back, run on each instruction set, in thread pools
//! of several sizes, and divided in every way.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ndarray::{Array2, Array3};
use ndarray_rnn::kernels::{Arch, Chain, Element, Matrix, Panels, Plan, Product, Start, archs};
use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnConfig, Scalar, manual_seed, random};
use rand::Rng;

use crate::common::{TestResult, in_both_types};

fn uniform<A: Scalar>(shape: (usize, usize), rng: &mut impl Rng) -> Array2<A> {
    let mut array = Array2::zeros(shape);
    random::uniform(&mut array, -1.0, 1.0, rng).unwrap();
    array
}

/// The definition: one chain of fused multiply-adds over k in ascending order from the start value.
fn naive<A: Scalar>(a: &Array2<A>, w: &Array2<A>, start: &Array2<A>) -> Vec<A> {
    let mut c = Vec::new();
    for r in 0..a.nrows() {
        for j in 0..w.nrows() {
            c.push((0..a.ncols()).fold(start[[r, j]], |sum, k| a[[r, k]].mul_add(w[[j, k]], sum)));
        }
    }
    c
}

fn product<A: Element>(arch: Arch, a: Matrix<'_, A>, weights: &Panels<A>, start: Start<'_, A>, c: &mut [A]) {
    arch.dispatch(Product::new(&[Chain { start, a, weights: weights.all() }], c));
}

fn products_equal_the_definition<A: Scalar>() -> TestResult {
    let mut rng = manual_seed(1);
    let sizes = [1, 2, 3, 5, 6, 7, 8, 13, 16, 17, 33, 48, 52, 64, 65];
    for (i, (m, k)) in sizes.iter().flat_map(|&m| sizes.map(|k| (m, k))).enumerate() {
        for n in [sizes[i % sizes.len()], 129] {
            let (a, w) = (uniform::<A>((m, k), &mut rng), uniform::<A>((n, k), &mut rng));
            let start = uniform::<A>((m, n), &mut rng);
            let expected = naive(&a, &w, &start);
            let row = start.row(0).to_vec();
            let from_bias = naive(&a, &w, &Array2::from_shape_fn((m, n), |(_, j)| row[j]));
            let from_zero = naive(&a, &w, &Array2::zeros((m, n)));
            let rows = Matrix::contiguous(a.as_slice().unwrap(), m, k);
            let table: Vec<_> = (0..m).map(|r| r * k).collect();
            let gathered = Matrix::gathered(a.as_slice().unwrap(), &table, k);
            let straight = Panels::straight(&w.t().as_standard_layout().into_owned()).unwrap();
            for (name, arch) in archs() {
                let mut c = start.clone().into_raw_vec_and_offset().0;
                product(arch, rows, &Panels::transposed(&w).unwrap(), Start::Output, &mut c);
                assert_eq!(c, expected, "{name}, {m} x {k} x {n}");
                product(arch, gathered, &straight, Start::Bias(&row), &mut c);
                assert_eq!(c, from_bias, "{name}, {m} x {k} x {n}, gathered rows, from a bias");
                product(arch, rows, &straight, Start::Zero, &mut c);
                assert_eq!(c, from_zero, "{name}, {m} x {k} x {n}, from zero");
            }
        }
    }
    Ok(())
}

/// Chains are made one by one and added in their order, to what the output holds unless it is replaced.
fn products_of_chains_are_sums_of_chains<A: Scalar>() -> TestResult {
    let mut rng = manual_seed(5);
    for (m, n, depths) in [(1, 64, [16, 16, 3]), (5, 2, [4, 2, 1]), (7, 33, [1, 9, 6]), (13, 129, [30, 5, 8])]
    {
        let held = uniform::<A>((m, n), &mut rng);
        let bias = uniform::<A>((1, n), &mut rng).into_raw_vec_and_offset().0;
        let operands = depths.map(|k| (uniform::<A>((m, k), &mut rng), uniform::<A>((n, k), &mut rng)));
        let from_bias = Array2::from_shape_fn((m, n), |(_, j)| bias[j]);
        let starts = [from_bias.clone(), Array2::zeros((m, n)), from_bias];
        let chains = [0, 1, 2].map(|i| naive(&operands[i].0, &operands[i].1, &starts[i]));
        let add = |sum: Vec<A>, term: &Vec<A>| sum.iter().zip(term).map(|(&a, &b)| a + b).collect();
        let replaced = chains[1..].iter().fold(chains[0].clone(), add);
        let added = chains.iter().fold(held.iter().copied().collect(), add);
        let panels = operands.each_ref().map(|(_, w)| Panels::transposed(w).unwrap());
        let chains = [0, 1, 2].map(|i| Chain {
            start: if i == 1 { Start::Zero } else { Start::Bias(&bias) },
            a: Matrix::contiguous(operands[i].0.as_slice().unwrap(), m, depths[i]),
            weights: panels[i].all(),
        });
        for (name, arch) in archs() {
            let mut c = held.clone().into_raw_vec_and_offset().0;
            arch.dispatch(Product::new(&chains, &mut c).added());
            assert_eq!(c, added, "{name}, {m} x {depths:?} x {n}, added");
            arch.dispatch(Product::new(&chains, &mut c));
            assert_eq!(c, replaced, "{name}, {m} x {depths:?} x {n}");
        }
    }
    Ok(())
}

/// Blocks of one group of tiles, of two and of all; columns from either end.
fn products_are_the_same_however_cut_up<A: Scalar>() -> TestResult {
    let mut rng = manual_seed(4);
    for (m, k, n) in [(1, 40, 300), (20, 7, 1), (43, 33, 129)] {
        let (a, w) = (uniform::<A>((m, k), &mut rng), uniform::<A>((n, k), &mut rng));
        let start = uniform::<A>((m, n), &mut rng);
        let expected = naive(&a, &w, &start);
        let weights = Panels::transposed(&w).unwrap();
        let a = Matrix::contiguous(a.as_slice().unwrap(), m, k);
        let chains = [Chain { start: Start::Output, a, weights: weights.all() }];
        for (name, arch) in archs() {
            for (block, last_first) in [(0, true), (6, false), (12, true), (usize::MAX, true)] {
                let mut c = start.clone().into_raw_vec_and_offset().0;
                let mut product = Product::new(&chains, &mut c);
                (product.block, product.last_first) = (block, last_first);
                arch.dispatch(product);
                assert_eq!(c, expected, "{name}, {m} x {k} x {n}, block {block}, last first: {last_first}");
            }
        }
    }
    Ok(())
}

/// All numbers that a training pass makes, as exact text: output, state, every gradient.
fn training_pass<A: Scalar>(rnn: &Rnn<A>, (len, batch): (usize, usize)) -> Vec<A> {
    let mut rng = manual_seed(2);
    let config = rnn.config();
    let mut input = Array3::zeros((len, batch, config.input_size));
    random::uniform(&mut input, -1.0, 1.0, &mut rng).unwrap();
    let lengths: Vec<_> = (0..batch).map(|n| len - (n * 7) % len).collect();
    let (output, h_n, trace) = rnn.run(&input).lengths(&lengths).forward_train(&mut rng).unwrap();
    let gradients = rnn.backward(&trace, &output, Some(&h_n)).unwrap();
    let parameters = gradients.parameters.state_dict().into_iter().flat_map(|(_, value)| value);
    let arrays = output.into_iter().chain(h_n).chain(gradients.input).chain(gradients.state);
    arrays.chain(parameters).collect()
}

fn network<A: Scalar>(sizes: (usize, usize), nonlinearity: Nonlinearity) -> Rnn<A> {
    let config = RnnConfig::new(sizes.0, sizes.1).num_layers(2).bidirectional(true).dropout(0.25);
    Rnn::new(config.nonlinearity(nonlinearity), &mut manual_seed(3)).unwrap()
}

fn passes_are_the_same_on_every_instruction_set<A: Scalar>() -> TestResult {
    for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
        for (sizes, shape) in [((5, 3), (7, 4)), ((17, 33), (9, 13)), ((64, 48), (5, 1))] {
            let rnn = network::<A>(sizes, nonlinearity);
            let mut passes =
                archs().into_iter().map(|(name, arch)| (name, training_pass(&rnn.clone().on(arch), shape)));
            let (_, scalar) = passes.next().unwrap();
            passes.for_each(|(name, pass)| assert_eq!(pass, scalar, "{name}, {rnn}, (L, N) = {shape:?}"));
        }
    }
    Ok(())
}

in_both_types!(
    products_equal_the_definition,
    products_of_chains_are_sums_of_chains,
    products_are_the_same_however_cut_up,
    passes_are_the_same_on_every_instruction_set,
);

#[test]
fn passes_are_the_same_however_cut_up() {
    for bidirectional in [true, false] {
        let config = RnnConfig::new(17, 33).num_layers(3).bidirectional(bidirectional);
        let rnn = Rnn::<f32>::new(config, &mut manual_seed(3)).unwrap();
        let whole = training_pass(&rnn, (9, 13));
        let same = |plan: Plan| {
            assert_eq!(training_pass(&rnn.clone().on(plan), (9, 13)), whole, "{plan:?}, {rnn}");
        };
        for chunk in [0, 1, 13, 40, usize::MAX] {
            for terms in [0, 14, 100, usize::MAX] {
                same(Plan { chunk, terms, ..Plan::default() });
            }
            // Plans in which all steps take their input's terms with the state's, in which steps of some rows do,
            // and in which none do.
            for (ahead, near) in [(0, usize::MAX), (7, usize::MAX), (usize::MAX, usize::MAX), (0, 0)] {
                same(Plan { chunk, ahead, near, ..Plan::default() });
            }
        }
    }
}

fn same_for_every_number_of_threads<A: Scalar>(sizes: (usize, usize), shape: (usize, usize)) {
    // However late the other threads come, the pass waits for them.
    let plan = Plan { patience: 1e6, ..Plan::default() };
    same_on_threads(&network::<A>(sizes, Nonlinearity::Tanh).on(plan), shape);
}

fn same_on_threads<A: Scalar>(rnn: &Rnn<A>, shape: (usize, usize)) {
    let pass = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| training_pass(rnn, shape))
    };
    let one = pass(1);
    for threads in [2, 3, 4, 16] {
        assert!(pass(threads) == one, "{threads} threads, (L, N) = {shape:?}, {rnn}");
    }
}

/// Some 40 Mflop: enough for its sequences to be split.
#[test]
fn batches_are_the_same_for_every_number_of_threads() {
    same_for_every_number_of_threads::<f32>((64, 96), (24, 13));
    same_for_every_number_of_threads::<f64>((64, 96), (24, 13));
}

/// Three layers, so that one of them is neither first nor last.
#[test]
fn deep_networks_are_the_same_for_every_number_of_threads() {
    for layers in [1, 3, 4] {
        let config = RnnConfig::new(64, 96).num_layers(layers);
        let rnn = Rnn::<f32>::new(config, &mut manual_seed(3)).unwrap();
        same_on_threads(&rnn, (24, 13));
    }
}

/// Large enough for its units to be split, with a last panel that is not full.
#[test]
fn one_sequence_is_the_same_for_every_number_of_threads() {
    same_for_every_number_of_threads::<f32>((64, 299), (40, 1));
    same_for_every_number_of_threads::<f64>((64, 201), (40, 1));
}

/// A pool may have one thread, and may be busy with the caller's own parallel loop.
#[test]
fn passes_run_inside_parallel_loops() {
    use rayon::prelude::*;
    for (sizes, shape) in [((64, 96), (24, 13)), ((64, 299), (40, 1))] {
        let rnn = network::<f32>(sizes, Nonlinearity::Tanh);
        let one = training_pass(&rnn, shape);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let all: Vec<_> =
                pool.install(|| (0..6).into_par_iter().map(|_| training_pass(&rnn, shape)).collect());
            assert!(all.iter().all(|pass| *pass == one), "{threads} threads, (L, N) = {shape:?}");
        }
    }
}

/// The pool's other thread waits for the pass to end, so it cannot help.
#[test]
fn a_sequence_is_not_shared_with_busy_threads() {
    use std::sync::mpsc::channel;
    let rnn = network::<f32>((64, 299), Nonlinearity::Tanh);
    let one = training_pass(&rnn, (40, 1));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let (started, is_started) = channel();
    let (ended, is_ended) = channel();
    let pass = pool.scope(move |scope| {
        scope.spawn(move |_| {
            started.send(()).unwrap();
            is_ended.recv().unwrap();
        });
        is_started.recv().unwrap();
        let pass = training_pass(&rnn, (40, 1));
        ended.send(()).unwrap();
        pass
    });
    assert!(pass == one);
}

/// More threads than cores begin a pass, and all ask the same pool for help.
#[test]
fn threads_that_all_lead_share_a_pool() {
    let rnn = network::<f32>((64, 299), Nonlinearity::Tanh);
    let one = training_pass(&rnn, (40, 1));
    std::thread::scope(|scope| {
        let leaders: Vec<_> = (0..8).map(|_| scope.spawn(|| training_pass(&rnn, (40, 1)))).collect();
        assert!(leaders.into_iter().all(|leader| leader.join().unwrap() == one));
    });
}
