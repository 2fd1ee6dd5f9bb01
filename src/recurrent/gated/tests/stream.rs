use ndarray::{Array2, Array3, Axis};

use super::super::backwards::named;
use super::super::{GatedConfig, Problem, bits};
use super::networks;
use crate::error::Result;
use crate::parameters::Parameters;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::{RecurrentCell, Stream};
use crate::scalar::Scalar;

/// Expects a stream's state to be a pass's final one.
fn expect_state<A: Scalar>(stream: &Stream<'_, GatedConfig, A>, [h, c]: &[Array3<A>; 2]) {
    let (h_n, c_n) = stream.state();
    assert_eq!((bits(h_n), bits(c_n)), (bits(h), bits(c)));
}

/// Steps and chunks are the whole; what was saved goes on.
fn expect_stream<A: Scalar>(sizes: Sizes) -> Result<()> {
    for batch in [1, 6] {
        let mut problem = Problem::<A>::new(Sizes { num_directions: 1, dropout: 0.0, ..sizes }, 9, batch)?;
        // One sequence begins anew with zeros.
        problem.resets[[5, batch - 1]] = true;
        let passed = problem.forwards();
        let output = &passed.outputs[passed.outputs.len() - 1];
        let mut stream = problem.network.stream(batch)?;
        stream.set_state((&problem.state[0], &problem.state[1]))?;
        for t in 0..2 {
            let h = stream.step(&problem.input.index_axis(Axis(0), t))?;
            assert_eq!(bits(h.iter()), bits(output.index_axis(Axis(0), t).iter()), "step {t}");
        }
        let (h, c) = stream.state();
        let saved = (h.clone(), c.clone());
        for _ in 0..2 {
            stream.set_state((&saved.0, &saved.1))?;
            let h = stream.chunk(&problem.input.slice_axis(Axis(0), (2..5).into()))?;
            assert_eq!(bits(&h), bits(output.slice_axis(Axis(0), (2..5).into()).iter()), "a chunk");
        }
        stream.reset([batch - 1])?;
        let h = stream.chunk(&problem.input.slice_axis(Axis(0), (5..).into()))?;
        assert_eq!(bits(&h), bits(output.slice_axis(Axis(0), (5..).into()).iter()), "after a reset");
        expect_state(&stream, &passed.state);
    }
    Ok(())
}

#[test]
fn streams_are_the_loops() -> Result<()> {
    for sizes in networks() {
        expect_stream::<f32>(sizes)?;
        expect_stream::<f64>(sizes)?;
    }
    Ok(())
}

/// A cell, and its stream, with the parameters of a network of one layer.
fn cell_of<A: Scalar>(problem: &Problem<A>) -> Result<RecurrentCell<GatedConfig, A>> {
    let mut cell = RecurrentCell::zeros(*problem.network.config())?;
    let parameters = problem.network.state_dict().into_iter();
    cell.load_state_dict(parameters.map(|(name, value)| (name.replace("_l0", ""), value)))?;
    Ok(cell)
}

/// One step forwards and back is a pass of one step, of a batch and of one row.
fn expect_cell<A: Scalar>(sizes: Sizes) -> Result<()> {
    for batch in [1, 7] {
        let mut problem = Problem::<A>::new(sizes, 1, batch)?;
        // The gradient of a cell's h is that of its output.
        problem.d_output.fill(A::zero());
        let (passed, cell) = (problem.forwards(), cell_of(&problem)?);
        let rows = |array: &Array3<A>| array.index_axis(Axis(0), 0).to_owned();
        let (x, [h, c]) = (rows(&problem.input), problem.state.each_ref().map(rows));
        let expected = passed.state.each_ref().map(|plane| bits(plane));
        let ((h_n, c_n), trace) = cell.forward_train(&x, Some((&h, &c)))?;
        assert_eq!([bits(&h_n), bits(&c_n)], expected, "in training");
        let (h_n, c_n) = cell.forward(&x, Some((&h, &c)))?;
        assert_eq!([bits(&h_n), bits(&c_n)], expected);

        let mut stream = cell.stream(batch)?;
        stream.set_state((&problem.state[0], &problem.state[1]))?;
        assert_eq!(bits(stream.step(&x)?.iter()), expected[0], "as a stream");
        expect_state(&stream, &passed.state);

        let [d_h, d_c] = problem.d_state.each_ref().map(rows);
        let gradients = cell.backward(&trace, (&d_h, &d_c))?;
        let found = problem.backwards(&passed).named();
        let batched = |array: Array2<A>| array.insert_axis(Axis(0));
        let state = [gradients.state.0, gradients.state.1].map(batched);
        let actual = named(&gradients.parameters, &batched(gradients.input), &state);
        for ((name, actual), (expected_name, expected)) in actual.iter().zip(&found) {
            assert_eq!(&expected_name.replace("_l0", ""), name);
            assert_eq!(bits(actual), bits(expected), "{name}");
        }
        if batch == 1 {
            let [x, h, c] = [x, h, c].map(|rows| rows.index_axis_move(Axis(0), 0));
            let ((h_n, c_n), trace) = cell.forward_train(&x, Some((&h, &c)))?;
            assert_eq!([bits(&h_n), bits(&c_n)], expected, "of one row");
            let [d_h, d_c] = [d_h, d_c].map(|rows| rows.index_axis_move(Axis(0), 0));
            let of_one = cell.backward(&trace, (&d_h, &d_c))?;
            assert_eq!(of_one.parameters, gradients.parameters);
            assert_eq!(bits(&of_one.state.1), bits(&state[1]));
        }
    }
    Ok(())
}

#[test]
fn cells_are_the_loops() -> Result<()> {
    for sizes in networks().into_iter().filter(|sizes| sizes.num_layers * sizes.num_directions == 1) {
        expect_cell::<f32>(sizes)?;
        expect_cell::<f64>(sizes)?;
    }
    Ok(())
}
