//! The same bits, however a result is computed.
//!
//! First results are compared with the oracle: plain loops over the definition of a sum. Then a network gets the
//! same numbers in every way: in batches or alone, whole or in chunks, from any memory layout, by an `Rnn` or step
//! by step by `RnnCell`s, again, in a clone, on several threads, and after its parameters have changed.

use std::thread;

use crate::common::oracle;
use crate::common::setup::{Run, Setup, for_setups};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};
use ndarray::{Array3, ArrayView3, Axis, Slice};
use ndarray_rnn::{Nonlinearity, Parameters, Rnn, RnnCell, RnnCellConfig, RnnConfig, manual_seed};

// Against the definition

fn compare_with_oracle<A: Real>(setup: &Setup) -> TestResult {
    let run = setup.draw::<A>()?;
    let (output, h_n) = run.forward()?;
    let input = setup.time_major(&run.input);
    let (expected, expected_h_n) = oracle::forward(&run.rnn, &input, &run.first_state(setup.batch))?;
    assert_same_bits(&setup.time_major(&output), &expected, "output");
    assert_same_bits(&h_n, &expected_h_n, "h_n");
    Ok(())
}

fn definition_of_a_sum<A: Real>() -> TestResult {
    for_setups(100, compare_with_oracle::<A>)
}

/// Longer, wider and deeper than the blocks that work is divided into, and enough of it for threads.
fn definition_of_a_sum_beyond_all_blocks<A: Real>() -> TestResult {
    let relu = |input, hidden| RnnConfig::new(input, hidden).nonlinearity(Nonlinearity::Relu);
    let setups = [
        (RnnConfig::new(3, 5).bidirectional(true), 450, 1),
        (RnnConfig::new(20, 33).bidirectional(true).num_layers(2), 7, 97),
        (RnnConfig::new(6, 9).num_layers(3), 130, 4),
        (relu(5, 4).num_layers(2), 500, 1),
        (relu(7, 18).batch_first(true), 3, 211),
        (relu(1100, 3), 2, 50),
        (relu(2, 1050), 3, 1),
        (relu(3, 1030), 1, 2),
        (relu(150, 200).num_layers(2), 40, 3),
        (relu(64, 256), 90, 1),
        (relu(90, 192).bidirectional(true), 12, 64),
    ];
    for (seed, (config, len, batch)) in (0..).zip(setups) {
        compare_with_oracle::<A>(&Setup { config, len, batch, h_0: true, seed })?;
    }
    Ok(())
}

// Batches

/// Some sequences of a run, without the others.
fn part<A: Real>(setup: &Setup, run: &Run<A>, sequences: Slice) -> Run<A> {
    Run {
        rnn: run.rnn.clone(),
        input: run.input.slice_axis(setup.batch_axis(), sequences).to_owned(),
        h_0: run.h_0.as_ref().map(|h_0| h_0.slice_axis(Axis(1), sequences).to_owned()),
    }
}

fn compare_parts_with_batch<A: Real>(setup: &Setup) -> TestResult {
    let run = setup.draw::<A>()?;
    let (output, h_n) = run.forward()?;
    let alone = (0..setup.batch).map(|n| Slice::from(n..n + 1));
    let first = (0..=setup.batch).map(|n| Slice::from(..n));
    for sequences in alone.chain(first) {
        let (part_output, part_h_n) = part(setup, &run, sequences).forward()?;
        let expected = output.slice_axis(setup.batch_axis(), sequences);
        assert_same_bits(&part_output, &expected, "output of a part");
        assert_same_bits(&part_h_n, &h_n.slice_axis(Axis(1), sequences), "h_n of a part");
    }
    Ok(())
}

/// Each sequence as a batch of one, and the first few as smaller batches.
fn batch_or_part_of_it<A: Real>() -> TestResult {
    for_setups(40, compare_parts_with_batch::<A>)?;
    let config = RnnConfig::new(5, 130).bidirectional(true);
    compare_parts_with_batch::<A>(&Setup { config, len: 3, batch: 60, h_0: true, seed: 0 })
}

fn batch_or_unbatched<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let run = setup.draw::<A>()?;
        let (output, h_n) = run.forward()?;
        for n in 0..setup.batch {
            let input = run.input.index_axis(setup.batch_axis(), n);
            let h_0 = run.h_0.as_ref().map(|h_0| h_0.index_axis(Axis(1), n));
            let (alone, alone_h_n) = run.rnn.forward(&input, h_0.as_deref())?;
            assert_same_bits(&alone, &output.index_axis(setup.batch_axis(), n), "output alone");
            assert_same_bits(&alone_h_n, &h_n.index_axis(Axis(1), n), "h_n alone");
        }
        Ok(())
    })
}

fn batch_first_or_time_first<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let run = setup.draw::<A>()?;
        let (output, h_n) = run.forward()?;
        let mut other = Rnn::<A>::zeros(setup.config.clone().batch_first(!setup.config.batch_first))?;
        other.load_state_dict(run.rnn.state_dict())?;
        let swapped = run.input.view().permuted_axes([1, 0, 2]);
        let (other_output, other_h_n) = other.forward(&swapped, run.h_0.as_deref())?;
        assert_same_bits(&other_output.view().permuted_axes([1, 0, 2]), &output, "output");
        assert_same_bits(&other_h_n, &h_n, "h_n");
        Ok(())
    })
}

// Time

fn whole_or_in_chunks<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let setup = &setup.unidirectional();
        let run = setup.draw::<A>()?;
        let (output, h_n) = run.forward()?;
        for size in [1, 2, 5] {
            let mut state = run.first_state(setup.batch);
            let expected = output.axis_chunks_iter(setup.time_axis(), size);
            for (chunk, expected) in run.input.axis_chunks_iter(setup.time_axis(), size).zip(expected) {
                let chunk_output;
                (chunk_output, state) = run.rnn.forward(&chunk, Some(&state))?;
                assert_same_bits(&chunk_output, &expected, &format!("output of a chunk of {size}"));
            }
            assert_same_bits(&state, &h_n, &format!("state after chunks of {size}"));
        }
        Ok(())
    })
}

/// The cells of a network of one direction, by layer.
fn cells<A: Real>(rnn: &Rnn<A>) -> TestResult<Vec<RnnCell<A>>> {
    let config = rnn.config();
    let cell = |layer| {
        let input = if layer == 0 { config.input_size } else { config.hidden_size };
        let cell_config =
            RnnCellConfig::new(input, config.hidden_size).bias(config.bias).nonlinearity(config.nonlinearity);
        let mut cell = RnnCell::zeros(cell_config)?;
        let suffix = format!("_l{layer}");
        let parameters = rnn.named_parameters().into_iter();
        cell.load_state_dict(
            parameters.filter_map(|(name, value)| Some((name.strip_suffix(&suffix)?.to_owned(), value))),
        )?;
        Ok(cell)
    };
    (0..config.num_layers).map(cell).collect()
}

fn network_or_cells<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let setup = &setup.unidirectional();
        let run = setup.draw::<A>()?;
        let (output, h_n) = run.forward()?;
        let cells = cells(&run.rnn)?;
        let mut state = run.first_state(setup.batch);
        for (input, expected) in
            run.input.axis_iter(setup.time_axis()).zip(output.axis_iter(setup.time_axis()))
        {
            let mut below = input.to_owned();
            for (cell, mut h) in cells.iter().zip(state.outer_iter_mut()) {
                below = cell.forward(&below, Some(&h))?;
                h.assign(&below);
            }
            assert_same_bits(&below, &expected, "output of a step");
            for (n, row) in input.outer_iter().enumerate().filter(|_| cells.len() == 1 && !setup.h_0) {
                let alone = cells[0].forward(&row, None)?;
                let batch = cells[0].forward(&input, None)?;
                assert_same_bits(&alone, &batch.index_axis(Axis(0), n), "a row alone");
            }
        }
        assert_same_bits(&state, &h_n, "state");
        Ok(())
    })
}

// Memory layouts

/// Calls `check` with the same array in other layouts.
fn for_layouts<A: Real>(
    array: &Array3<A>,
    mut check: impl FnMut(ArrayView3<'_, A>, &str) -> TestResult,
) -> TestResult {
    for [a, b, c] in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let permuted = array.view().permuted_axes([a, b, c]).as_standard_layout().into_owned();
        let mut back = [0; 3];
        [back[a], back[b], back[c]] = [0, 1, 2];
        check(permuted.view().permuted_axes(back), &format!("axes {a} {b} {c}"))?;
    }
    for axis in (0..3).map(Axis) {
        let mut reversed = array.view();
        reversed.invert_axis(axis);
        let mut reversed = reversed.as_standard_layout().into_owned();
        reversed.invert_axis(axis);
        check(reversed.view(), &format!("{axis:?} backwards"))?;

        let mut shape = array.raw_dim();
        shape[axis.index()] = shape[axis.index()] * 2 + 3;
        let mut gaps = Array3::from_elem(shape, A::nan());
        let slice = Slice::new(1, Some(array.len_of(axis) as isize * 2 + 1), 2);
        gaps.slice_axis_mut(axis, slice).assign(array);
        check(gaps.slice_axis(axis, slice), &format!("gaps in {axis:?}"))?;
    }
    Ok(())
}

fn memory_layouts<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let run = setup.draw::<A>()?;
        let (output, h_n) = run.forward()?;
        for_layouts(&run.input, |input, layout| {
            let (other, other_h_n) = run.rnn.forward(&input, run.h_0.as_deref())?;
            assert_same_bits(&other, &output, &format!("output, input with {layout}"));
            assert_same_bits(&other_h_n, &h_n, &format!("h_n, input with {layout}"));
            Ok(())
        })?;
        for_layouts(&run.first_state(setup.batch), |h_0, layout| {
            let (other, other_h_n) = run.rnn.forward(&run.input, Some(&h_0))?;
            assert_same_bits(&other, &output, &format!("output, h_0 with {layout}"));
            assert_same_bits(&other_h_n, &h_n, &format!("h_n, h_0 with {layout}"));
            Ok(())
        })
    })
}

fn broadcast_inputs<A: Real>() -> TestResult {
    for_setups(40, |setup| {
        let run = setup.draw::<A>()?;
        for axes in [vec![0], vec![1], vec![2], vec![0, 1], vec![0, 1, 2]] {
            if run.input.is_empty() {
                continue;
            }
            let mut one = run.input.view();
            axes.iter().for_each(|&axis| one.collapse_axis(Axis(axis), 0));
            let broadcast = one.broadcast(run.input.raw_dim()).ok_or("cannot be broadcast")?;
            let copy = broadcast.as_standard_layout().into_owned();
            let (output, h_n) = run.rnn.forward(&broadcast, run.h_0.as_deref())?;
            let (expected, expected_h_n) = run.rnn.forward(&copy, run.h_0.as_deref())?;
            assert_same_bits(&output, &expected, &format!("output, {axes:?} broadcast"));
            assert_same_bits(&h_n, &expected_h_n, &format!("h_n, {axes:?} broadcast"));
        }
        Ok(())
    })
}

// Again

/// A call leaves nothing behind: the same again, in a clone of a used or unused network, on several threads.
fn repeated_calls<A: Real>() -> TestResult {
    for_setups(20, |setup| {
        let run = setup.draw::<A>()?;
        let unused = run.rnn.clone();
        let (output, h_n) = run.forward()?;
        let used = run.rnn.clone();
        let call = |rnn: &Rnn<A>| rnn.forward(&run.input, run.h_0.as_deref());
        let threads = thread::scope(|scope| {
            let both = [&run.rnn, &unused].map(|rnn| scope.spawn(move || call(rnn)));
            both.map(|thread| thread.join())
        });
        let results = threads.into_iter().map(|result| result.map_err(|_| "a thread panicked"));
        for result in results.chain([&run.rnn, &unused, &used].map(|rnn| Ok(call(rnn)))) {
            let (again, again_h_n) = result??;
            assert_same_bits(&again, &output, "output again");
            assert_same_bits(&again_h_n, &h_n, "h_n again");
        }
        Ok(())
    })
}

/// A network that has run and is then changed gives the results of its new parameters in every call; its clones do
/// not.
fn changed_parameters<A: Real>() -> TestResult {
    for_setups(20, |setup| {
        let mut run = setup.draw::<A>()?;
        let before = run.forward()?;
        let clone = run.rnn.clone();
        for i in 0..run.rnn.named_parameters().len() {
            let mut parameters = run.rnn.named_parameters_mut();
            parameters[i].1.mapv_inplace(|x| -x);
            let mut fresh = Rnn::<A>::zeros(setup.config.clone())?;
            fresh.load_state_dict(run.rnn.state_dict())?;
            let expected = fresh.forward(&run.input, run.h_0.as_deref())?;
            assert_same_bits(&run.forward()?.0, &expected.0, &format!("output after change {i}"));
        }
        run.rnn.load_state_dict(clone.state_dict())?;
        assert_same_bits(&run.forward()?.0, &before.0, "output after the state dict");
        assert_same_bits(&clone.forward(&run.input, run.h_0.as_deref())?.0, &before.0, "output of the clone");
        Ok(())
    })
}

#[test]
fn changed_cell() -> TestResult {
    let x = Array3::<f32>::ones((1, 1, 4)).index_axis_move(Axis(0), 0);
    let mut cell = RnnCell::<f32>::new(RnnCellConfig::new(4, 2), &mut manual_seed(0))?;
    let first = cell.forward(&x, None)?;
    let other = RnnCell::<f32>::new(RnnCellConfig::new(4, 2), &mut manual_seed(1))?;
    cell.load_state_dict(other.state_dict())?;
    assert_ne!(cell.forward(&x, None)?, first);
    assert_same_bits(&cell.forward(&x, None)?, &other.forward(&x, None)?, "after the state dict");
    Ok(())
}

in_both_types!(
    definition_of_a_sum,
    definition_of_a_sum_beyond_all_blocks,
    batch_or_part_of_it,
    batch_or_unbatched,
    batch_first_or_time_first,
    whole_or_in_chunks,
    network_or_cells,
    memory_layouts,
    broadcast_inputs,
    repeated_calls,
    changed_parameters,
);
