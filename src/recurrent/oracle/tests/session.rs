use ndarray::{Array2, Array3, Axis};

use super::super::backwards::named;
use super::super::problem::lent;
use super::super::{Oracle, Problem, bits};
use super::backward::expect_equal;
use super::networks;
use crate::error::Result;
use crate::parameters::Parameters;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::{CellArchitecture, Kind as _, RecurrentCell};
use crate::scalar::Scalar;

/// Steps and chunks are the whole; what was saved goes on.
fn expect_session<K: Oracle, A: Scalar>(sizes: Sizes) -> Result<()> {
    for batch in [1, 6] {
        let sizes = Sizes { num_directions: 1, dropout: 0.0, ..sizes };
        let mut problem = Problem::<K, A>::new(sizes, 9, batch)?;
        // One sequence begins anew with zeros.
        problem.resets[[5, batch - 1]] = true;
        let passed = problem.forwards();
        let output = passed.output();
        let mut session = problem.network.session(batch)?;
        session.set_state(lent::<K, _, _>(&problem.state))?;
        let mut state = K::state(problem.state.clone());
        for t in 0..2 {
            let (x, expected) = (problem.input.index_axis(Axis(0), t), output.index_axis(Axis(0), t));
            assert_eq!(bits(session.step(&x)?.iter()), bits(expected.iter()), "step {t}");
            let h = problem.network.step(&x, &mut state)?;
            assert_eq!(bits(h.iter()), bits(expected.iter()), "step {t}, the caller's state");
        }
        let saved = K::planes(session.state()).map(Array3::clone);
        assert_eq!(K::planes(state).as_ref().map(bits), saved.as_ref().map(bits));
        for _ in 0..2 {
            session.set_state(lent::<K, _, _>(&saved))?;
            let h = session.chunk(&problem.input.slice_axis(Axis(0), (2..5).into()))?;
            assert_eq!(bits(&h), bits(output.slice_axis(Axis(0), (2..5).into()).iter()), "a chunk");
        }
        session.reset([batch - 1])?;
        let h = session.chunk(&problem.input.slice_axis(Axis(0), (5..).into()))?;
        assert_eq!(bits(&h), bits(output.slice_axis(Axis(0), (5..).into()).iter()), "after a reset");
        assert_eq!(K::planes(session.state()).map(bits), passed.state.as_ref().map(bits));
    }
    Ok(())
}

fn expect_sessions<K: Oracle, A: Scalar>() -> Result<()> {
    networks::<K>().into_iter().try_for_each(expect_session::<K, A>)
}

of_every_kind!(sessions_are_the_loops, expect_sessions);

/// A cell with the parameters of a network of one layer.
fn cell_of<K: Oracle, A: Scalar>(problem: &Problem<K, A>) -> Result<RecurrentCell<K::OfCell, A>> {
    let mut cell = RecurrentCell::zeros(K::OfCell::of_sizes(&problem.sizes()))?;
    let parameters = problem.network.state_dict().into_iter();
    cell.load_state_dict(parameters.map(|(name, value)| (name.replace("_l0", ""), value)))?;
    Ok(cell)
}

/// One step forwards and back is a pass of one step, of a batch and of one row.
fn expect_cell<K: Oracle<OfCell = C>, C: CellArchitecture, A: Scalar>(sizes: Sizes) -> Result<()> {
    for batch in [1, 7] {
        let mut problem = Problem::<K, A>::new(sizes, 1, batch)?;
        // The gradient of a cell's h is that of its output.
        problem.d_output.fill(A::zero());
        let (passed, cell) = (problem.forwards(), cell_of(&problem)?);
        let rows = |array: &Array3<A>| array.index_axis(Axis(0), 0).to_owned();
        let (x, state, d_state) =
            (rows(&problem.input), problem.state.as_ref().map(rows), problem.d_state.as_ref().map(rows));
        let expected = passed.state.as_ref().map(bits);
        let (next, trace) = cell.forward_train(&x, Some(lent::<C, _, _>(&state)))?;
        assert_eq!(C::planes(next).as_ref().map(bits), expected, "in training");
        let next = cell.forward(&x, Some(lent::<C, _, _>(&state)))?;
        assert_eq!(C::planes(next).as_ref().map(bits), expected);

        let mut session = cell.session(batch)?;
        session.set_state(lent::<C, _, _>(&problem.state))?;
        assert_eq!(bits(session.step(&x)?.iter()), expected.h, "of a session");
        assert_eq!(C::planes(session.state()).map(bits), expected);

        let mut kept = C::state(state.clone());
        assert_eq!(bits(cell.step(&x, &mut kept)?.iter()), expected.h, "the caller's state");
        assert_eq!(C::planes(kept).as_ref().map(bits), expected);

        let gradients = cell.backward(&trace, lent::<C, _, _>(&d_state))?;
        let batched = |array: Array2<A>| array.insert_axis(Axis(0));
        let d_first = C::planes(gradients.state).map(batched);
        let actual = named(&gradients.parameters, &batched(gradients.input), d_first.clone());
        let found = problem.backwards(&passed).named();
        let found: Vec<_> = found.into_iter().map(|(name, value)| (name.replace("_l0", ""), value)).collect();
        expect_equal(&actual, &found, "of a cell");
        if batch == 1 {
            let row = |rows: Array2<A>| rows.index_axis_move(Axis(0), 0);
            let (x, state, d_state) = (row(x), state.map(row), d_state.map(row));
            let (next, trace) = cell.forward_train(&x, Some(lent::<C, _, _>(&state)))?;
            assert_eq!(C::planes(next).as_ref().map(bits), expected, "of one row");
            let of_one = cell.backward(&trace, lent::<C, _, _>(&d_state))?;
            assert_eq!(of_one.parameters, gradients.parameters);
            assert_eq!(C::planes(of_one.state).as_ref().map(bits), d_first.as_ref().map(bits));
        }
    }
    Ok(())
}

/// A cell has no projection.
fn expect_cells<K: Oracle, A: Scalar>() -> Result<()> {
    let alone = |sizes: &Sizes| sizes.num_layers * sizes.num_directions == 1 && sizes.proj_size == 0;
    networks::<K>().into_iter().filter(alone).try_for_each(expect_cell::<K, K::OfCell, A>)
}

of_every_kind!(cells_are_the_loops, expect_cells);
