//! Random calls of networks and cells of every kind.

use ndarray::{Array, Array2, Array3, Dimension};
use ndarray_rnn::{PackedSequence, Packing, Recurrent, RecurrentCell, Scalar, Session};

use crate::common::kinds::{Cell, Network, Shape};
use crate::draws::{Counts, Draws};

fn shape(draws: &mut Draws) -> Shape {
    let mut shape = Shape::new(draws.size(), draws.size());
    shape.proj_size = if draws.one_in(4) { draws.size() } else { 0 };
    shape.num_layers = if draws.one_in(3) { draws.size() } else { 1 };
    [shape.bias, shape.batch_first, shape.bidirectional] = [4, 3, 3].map(|n| !draws.one_in(n));
    shape.dropout = if draws.one_in(3) { draws.number() } else { 0.0 };
    shape
}

/// Makes a network and calls it some times.
pub(crate) fn network<C: Network, A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let shape = shape(draws);
    // What a machine may have memory for need not be made here.
    let weights = shape.hidden_size.saturating_mul(shape.input_size.saturating_add(shape.hidden_size));
    let fits = weights.saturating_mul(shape.num_layers) < 1 << 16;
    let config = C::of(shape);
    if !fits && weights < 1 << 48 {
        return;
    }
    let Some(network) = counts.note("new", Recurrent::<C, A>::new(config, &mut draws.rng)) else { return };
    // A kind that does not project leaves the size out.
    let shape = network.config().shape();
    for _ in 0..4 {
        match draws.below(6) {
            0 => forward(&network, shape, draws, counts),
            1 => run(&network, shape, draws, counts),
            2 => train(&network, shape, draws, counts),
            3 => packed(&network, shape, draws, counts),
            4 => session(&network, shape, draws, counts),
            _ => step(&network, shape, draws, counts),
        }
    }
}

/// An input, and the batch and the number of steps that it should have.
fn input<A: Scalar>(shape: Shape, draws: &mut Draws) -> (Array3<A>, usize, usize) {
    let (len, batch) = (1 + draws.below(5), 1 + draws.below(4));
    let dim = if shape.batch_first { [batch, len] } else { [len, batch] };
    (draws.array((dim[0], dim[1], shape.input_size)), batch, len)
}

fn states<C: Network, A: Scalar>(shape: Shape, batch: usize, draws: &mut Draws) -> Vec<Array3<A>> {
    let count = shape.num_layers * shape.directions();
    shape.widths::<C>().into_iter().map(|width| draws.array((count, batch, width))).collect()
}

fn forward<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    if draws.one_in(3) {
        let (len, count) = (draws.below(5), shape.num_layers * shape.directions());
        let input: Array2<A> = draws.array((len, shape.input_size));
        let planes: Vec<Array2<A>> =
            shape.widths::<C>().into_iter().map(|width| draws.array((count, width))).collect();
        let state = draws.one_in(2).then(|| C::lend(&planes));
        if let Some((output, _)) = counts.note("forward of one sequence", network.forward(&input, state)) {
            assert_eq!(output.dim(), (input.nrows(), shape.output_size()));
        }
        return;
    }
    let (input, batch, _) = input::<A>(shape, draws);
    let planes = states::<C, A>(shape, batch, draws);
    let state = draws.one_in(2).then(|| C::lend(&planes));
    if let Some((output, _)) = counts.note("forward", network.forward(&input, state)) {
        assert_eq!(output.shape()[..2], input.shape()[..2]);
        assert_eq!(output.dim().2, shape.output_size());
    }
}

fn run<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    let (input, batch, len) = input::<A>(shape, draws);
    let [state, reset_state] = [(); 2].map(|()| states::<C, A>(shape, batch, draws));
    let lengths: Vec<usize> = (0..draws.near(batch)).map(|_| draws.index(len + 1)).collect();
    let steps = (input.dim().0, input.dim().1);
    let mask = Array::from_shape_fn((draws.near(steps.0), draws.near(steps.1)), |_| draws.one_in(4));
    let mut run = network.run(&input);
    if draws.one_in(2) {
        run = run.lengths(&lengths).padding_value(A::from_f64(draws.number()));
    }
    if draws.one_in(2) {
        run = run.state(C::lend(&state));
    }
    if draws.one_in(2) {
        run = run.resets(&mask);
    }
    if draws.one_in(4) {
        run = run.reset_state(C::lend(&reset_state));
    }
    match draws.below(3) {
        0 => _ = counts.note("run forward", run.forward()),
        1 => _ = counts.note("run last", run.last()),
        _ => _ = counts.note("run states", run.states()),
    }
}

fn train<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    let (input, batch, len) = input::<A>(shape, draws);
    let lengths: Vec<usize> = (0..batch).map(|_| draws.index(len + 1)).collect();
    let run = || {
        let run = network.run(&input);
        if lengths.len() == batch { run.lengths(&lengths) } else { run }
    };
    if draws.one_in(2) {
        let trained = run().last_train(&mut draws.rng);
        let Some((last, _, trace)) = counts.note("last_train", trained) else { return };
        let d_last = draws.array(last.raw_dim());
        counts.note("back", network.back(&trace).last(&d_last).gradients());
        return;
    }
    let trained = run().forward_train(&mut draws.rng);
    let Some((output, _, trace)) = counts.note("forward_train", trained) else { return };
    let d_output: Array3<A> = draws.array(output.dim());
    let planes = states::<C, A>(shape, batch, draws);
    let d_state = draws.one_in(2).then(|| C::lend(&planes));
    if let Some(gradients) = counts.note("backward", network.backward(&trace, &d_output, d_state)) {
        assert_eq!(gradients.input.dim(), input.dim());
    }
}

fn packed<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    let (input, batch, len) = input::<A>(Shape { batch_first: false, ..shape }, draws);
    let lengths: Vec<usize> = (0..draws.near(batch)).map(|_| draws.index(len).saturating_add(1)).collect();
    let packing = Packing::new().enforce_sorted(draws.one_in(2));
    let packed = counts.note("from_padded", PackedSequence::from_padded(&input, &lengths, packing));
    let Some(packed) = packed else { return };
    if let Some((output, _)) = counts.note("run packed", network.run(&packed).forward()) {
        assert_eq!(output.lengths(), Ok(lengths));
    }
}

/// A refused step leaves a session as it was.
fn session<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    let batch = if draws.one_in(30) { draws.size() } else { 1 + draws.below(3) };
    if batch > 1 << 12 && batch < 1 << 48 {
        return;
    }
    let Some(mut session) = counts.note("session", Session::new(network, batch)) else { return };
    for _ in 0..4 {
        let before: Vec<_> = C::split(session.state()).into_iter().cloned().collect();
        let refused = match draws.below(4) {
            0 => {
                let len = 1 + draws.below(3);
                let x: Array3<A> = draws.array((len, batch, shape.input_size));
                counts.note("session chunk", session.chunk(&x)).is_none()
            }
            1 => {
                let planes = states::<C, A>(Shape { bidirectional: false, ..shape }, batch, draws);
                counts.note("session set_state", session.set_state(C::lend(&planes))).is_none()
            }
            2 => {
                let sequence = draws.index(batch);
                counts.note("session reset", session.reset([sequence])).is_none()
            }
            _ => {
                let x: Array2<A> = draws.array((batch, shape.input_size));
                counts.note("session step", session.step(&x)).is_none()
            }
        };
        if refused {
            expect_same(&C::split(session.state()), &before.iter().collect::<Vec<_>>());
        }
    }
}

/// A refused step leaves the caller's state as it was.
fn step<C: Network, A: Scalar>(
    network: &Recurrent<C, A>,
    shape: Shape,
    draws: &mut Draws,
    counts: &mut Counts,
) {
    let batch = 1 + draws.below(3);
    let planes = states::<C, A>(Shape { bidirectional: false, ..shape }, batch, draws);
    let mut state = C::join(|i| planes[i].clone());
    let x: Array2<A> = draws.array((batch, shape.input_size));
    if counts.note("step", network.step(&x, &mut state)).is_none() {
        let after = C::split(state);
        expect_same(&after.iter().collect::<Vec<_>>(), &planes.iter().collect::<Vec<_>>());
    }
}

/// Makes a cell and takes a step with it both ways.
pub(crate) fn cell<C: Cell, A: Scalar>(draws: &mut Draws, counts: &mut Counts) {
    let [inputs, units] = [(); 2].map(|()| draws.size());
    let weights = units.saturating_mul(inputs.saturating_add(units));
    if (1 << 16..1 << 48).contains(&weights) {
        return;
    }
    let config = C::of(inputs, units, !draws.one_in(4));
    let Some(cell) = counts.note("new cell", RecurrentCell::<C, A>::new(config, &mut draws.rng)) else {
        return;
    };
    let batch = draws.below(4);
    let x: Array2<A> = draws.array((batch, inputs));
    let planes: Vec<Array2<A>> = C::PLANES.iter().map(|_| draws.array((batch, units))).collect();
    let state = draws.one_in(2).then(|| C::lend(&planes));
    let trained = cell.forward_train(&x, state);
    let Some((state, trace)) = counts.note("cell forward_train", trained) else { return };
    let d_planes: Vec<Array2<A>> = C::split(state).iter().map(|plane| draws.array(plane.dim())).collect();
    counts.note("cell backward", cell.backward(&trace, C::lend(&d_planes)));
}

fn expect_same<A: Scalar, D: Dimension>(after: &[&Array<A, D>], before: &[&Array<A, D>]) {
    let bits = |planes: &[&Array<A, D>]| -> Vec<u64> {
        planes.iter().flat_map(|plane| plane.iter()).map(|x| x.into_f64().to_bits()).collect()
    };
    assert_eq!(bits(after), bits(before), "a refused call changed the state");
}
