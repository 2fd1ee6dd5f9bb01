//! Random calls of everything around networks: modules, functions, draws, losses, optimisers, sequences.

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, IxDyn};
use ndarray_rnn::distributed::{DistributedSampler, Node, TreeSum, tree_nodes};
use ndarray_rnn::loss::{CrossEntropyLoss, HuberLoss, MseLoss, NllLoss, SmoothL1Loss};
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, Sgd, SgdConfig, clip_grad_norm, clip_grad_value};
use ndarray_rnn::random::{PerSequence, Philox};
use ndarray_rnn::{
    Dropout, Embedding, EmbeddingConfig, Linear, LinearConfig, PackedSequence, Packing, Padding, PaddingSide,
    Parameters, Scalar, functional, init, one_hot, pad_sequence, random, unpad_sequence,
};

use crate::draws::{Counts, Draws};

/// One call, or some that belong together.
pub(crate) fn any<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    match draws.below(9) {
        0 => linear::<A>(draws, counts),
        1 => embedding::<A>(draws, counts),
        2 => functions::<A>(draws, counts),
        3 => initialisers::<A>(draws, counts),
        4 => distributions::<A>(draws, counts),
        5 => losses::<A>(draws, counts),
        6 => sequences::<A>(draws, counts),
        7 => distributed::<A>(draws, counts),
        _ => optimisers::<A>(draws, counts),
    }
}

/// An array of any number of axes.
fn of_any_rank<A: Scalar>(draws: &mut Draws) -> ArrayD<A> {
    let shape: Vec<usize> = (0..draws.below(4)).map(|_| draws.size()).collect();
    draws.array(IxDyn(&shape))
}

fn is_large(sizes: [usize; 2]) -> bool {
    (1 << 16..1 << 48).contains(&sizes[0].saturating_mul(sizes[1]))
}

fn linear<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let [inputs, outputs] = [(); 2].map(|()| draws.size());
    if is_large([inputs, outputs]) {
        return;
    }
    let config = LinearConfig::new(inputs, outputs).bias(draws.one_in(2));
    let Some(linear) = counts.note("Linear::new", Linear::<A>::new(config, &mut draws.rng)) else { return };
    let len = draws.below(4);
    let x: Array3<A> = draws.array((len, 2, inputs));
    let Some(y) = counts.note("Linear::forward", linear.forward(&x)) else { return };
    let d_y = draws.array(y.dim());
    counts.note("Linear::backward", linear.backward(&x, &d_y));
}

fn embedding<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let [rows, columns] = [(); 2].map(|()| draws.size());
    let indices = draws.indices((2, 3), rows);
    let classes = draws.near(rows);
    if !is_large([6, classes]) {
        counts.note("one_hot", one_hot::<A, _>(&indices, classes));
    }
    if is_large([rows, columns]) {
        return;
    }
    let mut config = EmbeddingConfig::new(rows, columns);
    if draws.one_in(2) {
        config = config.padding_idx(draws.index(rows));
    }
    if draws.one_in(3) {
        config = config.max_norm(draws.number()).norm_type(draws.number());
    }
    let made = Embedding::<A>::new(config, &mut draws.rng);
    let Some(mut embedding) = counts.note("Embedding::new", made) else { return };
    counts.note("Embedding::renorm", embedding.renorm(&indices));
    let Some(y) = counts.note("Embedding::forward", embedding.forward(&indices)) else { return };
    let d_y = draws.array(y.dim());
    counts.note("Embedding::backward", embedding.backward(&indices, &d_y));
}

fn functions<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let x: ArrayD<A> = of_any_rank(draws);
    let axis = Axis(draws.index(x.ndim()));
    counts.note("softmax", functional::softmax(&x, axis));
    counts.note("log_softmax", functional::log_softmax(&x, axis));
    counts.note("argmax", functional::argmax(&x, axis));
    let target = draws.indices(IxDyn(&x.shape()[..x.ndim().saturating_sub(1)]), 3);
    counts.note("accuracy", functional::accuracy(&x, &target));
    counts.note("relu", functional::relu(&x));
    let d = draws.array(x.raw_dim());
    counts.note("relu_backward", functional::relu_backward(&x, &d));
    counts.note("sample", functional::sample(&x, draws.number(), &mut draws.rng));
    let Some(dropout) = counts.note("Dropout::new", Dropout::new(draws.number())) else { return };
    let Some((_, mask)) = counts.note("Dropout", dropout.forward_train(&x, &mut draws.rng)) else { return };
    counts.note("Dropout::backward", mask.backward(&d));
}

fn initialisers<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let (mut array, gain) = (of_any_rank::<A>(draws), draws.number());
    counts.note("eye", init::eye(&mut array, gain));
    counts.note("xavier_uniform", init::xavier_uniform(&mut array, gain, &mut draws.rng));
    counts.note("xavier_normal", init::xavier_normal(&mut array, gain, &mut draws.rng));
    counts.note("orthogonal", init::orthogonal(&mut array, gain, &mut draws.rng));
}

fn distributions<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let mut array = of_any_rank::<A>(draws);
    let [a, b] = [(); 2].map(|()| draws.number());
    counts.note("uniform", random::uniform(&mut array, a, b, &mut draws.rng));
    counts.note("normal", random::normal(&mut array, a, b, &mut draws.rng));
    counts.note("bernoulli", random::bernoulli(a, &mut draws.rng));
    let n = draws.size();
    if !is_large([n, 1]) {
        counts.note("randperm", random::randperm(n, &mut draws.rng));
    }
}

fn losses<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let classes = 1 + draws.below(4);
    let x: Array2<A> = draws.array((3, classes));
    let y: Array2<A> = draws.array((3, classes));
    let target: Array1<usize> = draws.indices(3, classes);
    let cross = CrossEntropyLoss::new().label_smoothing(draws.number()).ignore_index(0);
    counts.note("CrossEntropyLoss", cross.forward(&x, &target));
    if let Some(losses) = counts.note("CrossEntropyLoss::unreduced", cross.unreduced(&x, &target)) {
        let d = draws.array(losses.values.dim());
        counts.note("Losses::backward", losses.backward(&d));
    }
    let probabilities = if draws.one_in(4) { Ok(y.clone()) } else { functional::softmax(&y, Axis(1)) };
    if let Ok(target) = probabilities {
        let smoothed = CrossEntropyLoss::new().label_smoothing(draws.number());
        counts.note("CrossEntropyLoss with probabilities", smoothed.forward_probabilities(&x, &target));
    }
    let weights: Vec<f64> = (0..draws.near(classes)).map(|_| draws.number()).collect();
    counts.note("NllLoss", NllLoss::new().weight(weights).forward(&x, &target));
    counts.note("MseLoss", MseLoss::new().forward(&x, &y));
    counts.note("SmoothL1Loss", SmoothL1Loss::new().beta(draws.number()).forward(&x, &y));
    counts.note("HuberLoss", HuberLoss::new().delta(draws.number()).unreduced(&x, &y));
}

/// A sum whose terms come in any order, some as nodes; the sampler; vectors; dropout by sequence.
fn distributed<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let count = draws.size();
    let Some(mut sum) = counts.note("TreeSum::new", TreeSum::<Array1<A>>::new(count)) else { return };
    for number in 0..count.min(6) {
        let (number, before) = (draws.near(number), sum.clone());
        let added = if draws.one_in(2) {
            counts.note("TreeSum::add", sum.add(number, draws.array(3)))
        } else {
            let node = Node { numbers: number..draws.near(number.saturating_add(1)), sum: draws.array(3) };
            counts.note("TreeSum::add_node", sum.add_node(node))
        };
        assert!(added.is_some() || format!("{sum:?}") == format!("{before:?}")); // not `==`: a NaN is no other
    }
    if let Some(total) = counts.note("TreeSum::take_sum", sum.take_sum()) {
        let (mut total, vector) = (total, draws.array(3).to_vec());
        counts.note("load_vector", total.load_vector(&vector));
    }
    counts.note("tree_nodes", tree_nodes(count, draws.index(count)..draws.near(count)));
    let [len, replicas] = [(); 2].map(|()| draws.size());
    if !is_large([len, replicas]) && !is_large([len, 1]) {
        let sampler =
            DistributedSampler::new(len, replicas).shuffle(draws.one_in(2)).drop_last(draws.one_in(2));
        counts.note("DistributedSampler", sampler.epoch(draws.below(3) as u64));
    }
    let x: Array2<A> = draws.array((3, 2));
    let mut rngs = PerSequence(vec![Philox::new(0); draws.near(x.nrows())]);
    if let Ok(dropout) = Dropout::new(0.5) {
        counts.note("Dropout by sequence", dropout.forward_train(&x, &mut rngs));
    }
}

fn sequence<A: Scalar>(draws: &mut Draws, features: usize) -> Array2<A> {
    let len = 1 + draws.below(4);
    draws.array((len, features))
}

fn sequences<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let features = 1 + draws.below(3);
    let sequences: Vec<Array2<A>> = (0..draws.below(4)).map(|_| sequence(draws, features)).collect();
    let mut padding = Padding::new(A::from_f64(draws.number())).batch_first(draws.one_in(2));
    if draws.one_in(3) {
        padding = padding.side(PaddingSide::Left);
    }
    if draws.one_in(3) {
        let total_length = draws.below(7);
        padding = padding.total_length(total_length);
    }
    counts.note("from_sequences", PackedSequence::from_sequences(&sequences));
    let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.nrows()).collect();
    let Some(padded) = counts.note("pad_sequence", pad_sequence(&sequences, padding)) else { return };
    let back = counts.note("unpad_sequence", unpad_sequence(&padded, &lengths, padding));
    assert!(padding.total_length.is_some() || back.is_some(), "what was padded cannot be unpadded");
    let wrong: Vec<usize> = lengths.iter().map(|&length| draws.near(length)).collect();
    counts.note("unpad_sequence of other lengths", unpad_sequence(&padded, &wrong, padding));
    let packing = Packing::new().batch_first(padding.batch_first).enforce_sorted(false);
    if let Some(packed) =
        counts.note("from_padded anything", PackedSequence::from_padded(&padded, &wrong, packing))
    {
        let total_length = draws.below(6);
        counts.note("to_padded", packed.to_padded(padding.total_length(total_length)));
        let sizes: Vec<usize> = packed.batch_sizes().iter().map(|&size| draws.near(size)).collect();
        let order = packed.sorted_indices().map(|order| order.iter().map(|&n| draws.near(n)).collect());
        counts.note("from_parts", PackedSequence::from_parts(packed.data().clone(), sizes, order));
    }
}

fn optimisers<A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let config = LinearConfig::new(2, 3).bias(!draws.one_in(8));
    let Some(mut model) = counts.note("Linear::new", Linear::<A>::new(config, &mut draws.rng)) else {
        return;
    };
    let x: Array2<A> = draws.array((3, 2));
    let y: Array2<A> = draws.array((3, 3));
    let Some(mut gradients) = counts.note("Linear::backward", linear_gradients(&model, &x, &y)) else {
        return;
    };
    let Some(other) = counts.note("Linear::new", Linear::<A>::new(LinearConfig::new(2, 3), &mut draws.rng))
    else {
        return;
    };
    let [lr, option, norm] = [(); 3].map(|()| draws.number());
    counts.note("clip_grad_norm", clip_grad_norm(&mut gradients, MaxNorm::new(norm)));
    counts.note("clip_grad_value", clip_grad_value(&mut gradients, norm));
    let before = bits(&model);
    let adam = Adam::new(AdamConfig::new().lr(lr).betas(option, 0.9), &other);
    if let Some(mut adam) = counts.note("Adam::new", adam) {
        if counts.note("Adam::step", adam.step(&mut model, &gradients)).is_none() {
            assert_eq!(bits(&model), before, "a refused step changed the model");
        }
        counts.note("set_lr", adam.set_lr(draws.number()));
    }
    let before = bits(&model);
    let sgd = Sgd::new(SgdConfig::new().lr(lr).momentum(option), &other);
    if let Some(mut sgd) = counts.note("Sgd::new", sgd)
        && counts.note("Sgd::step", sgd.step(&mut model, &gradients)).is_none()
    {
        assert_eq!(bits(&model), before, "a refused step changed the model");
    }
}

fn bits<A: Scalar>(model: &Linear<A>) -> Vec<u64> {
    model.state_dict().iter().flat_map(|(_, array)| array).map(|x| x.into_f64().to_bits()).collect()
}

fn linear_gradients<A: Scalar>(
    model: &Linear<A>,
    x: &Array2<A>,
    y: &Array2<A>,
) -> ndarray_rnn::Result<ndarray_rnn::LinearParameters<A>> {
    Ok(model.backward(x, y)?.parameters)
}
