use super::super::{Oracle, Problem};
use super::backward::expect_equal;
use super::plans::expect_passes;
use super::{masks, sizes};
use crate::error::Result;
use crate::kernels::Plan;
use crate::recurrent::architecture::Sizes;
use crate::recurrent::{GruConfig, LstmConfig, RnnConfig};
use crate::scalar::Scalar;

/// Work in a pool of so many threads.
fn with_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build()
        .expect("there is room for threads")
        .install(work)
}

/// Expects sequences split among threads, forwards and back, and units split for the parameters' gradient, to change no bit.
/// There are so many rows that four threads are called.
fn expect_threads<K: Oracle, A: Scalar>(proj_size: usize) -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size, ..sizes(9, 33) };
    let problem = |len, batch| Problem::<K, A>::new(two, len, batch);
    for problem in [problem(400, 1)?, problem(45, 9)?, problem(75, 9)?.ragged()?] {
        let problem = problem.with_resets().with_reset_state();
        let passed = problem.forwards();
        let expected = problem.backwards(&passed).named();
        for count in [2, 4] {
            let what =
                format!("{count} threads, {:?} steps of {}", problem.lengths, problem.network.config());
            with_threads(count, || {
                expect_passes(&problem, Plan::default(), &passed, Some(&expected), &what)
            })?;
        }
    }
    Ok(())
}

#[test]
fn threads_change_no_bit_f32() -> Result<()> {
    expect_threads::<LstmConfig, f32>(21)?;
    expect_threads::<GruConfig, f32>(0)
}

#[test]
fn threads_change_no_bit_f64() -> Result<()> {
    expect_threads::<LstmConfig, f64>(21)?;
    expect_threads::<GruConfig, f64>(0)
}

/// Expects passes in training with masks of the hidden state to be the loops on a number of threads.
fn expect_masked<K: Oracle>(problem: Problem<K, f32>, masks: usize) -> Result<()> {
    let problem = problem.with_resets().with_masks(masks);
    let expected = masks::expected(&problem);
    for count in [2, 4] {
        let actual = with_threads(count, || masks::pass(&problem))?;
        expect_equal(&actual, &expected, &format!("{count} threads, {}", problem.network.config()));
    }
    Ok(())
}

/// Sequences split among threads with a mask for each block.
#[test]
fn threads_change_no_bit_of_masked_passes() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, ..sizes(9, 33) };
    expect_masked(Problem::<LstmConfig, _>::new(Sizes { proj_size: 21, ..two }, 75, 9)?.ragged()?, 4)?;
    expect_masked(Problem::<GruConfig, _>::new(two, 75, 9)?.ragged()?, 3)
}

/// A plan by which every thread that comes to help is waited for.
fn patient() -> Plan {
    Plan { patience: 1e6, ..Plan::default() }
}

/// A cell that keeps no rows for the way back lets threads share its units in training too, with masks.
#[test]
fn teams_change_no_bit_of_masked_passes() -> Result<()> {
    let mut problem = Problem::<RnnConfig, f32>::new(sizes(7, 230), 130, 1)?;
    problem.network = problem.network.on(patient());
    expect_masked(problem, 1)
}

/// Expects one long sequence, whose units threads share, to be the loops, forwards and back: each thread makes some units of
/// every block, and keeps all of h.
fn expect_teams<K: Oracle, A: Scalar>(sizes: Sizes, len: usize) -> Result<()> {
    let problem = Problem::<K, A>::new(sizes, len, 1)?.with_resets().with_reset_state();
    let passed = problem.forwards();
    let expected = problem.backwards(&passed).named();
    for plan in [patient(), Plan { chunk: 3, ahead: 100, ..patient() }] {
        for count in [2, 3, 4] {
            let what = format!("{count} threads, {}", problem.network.config());
            with_threads(count, || expect_passes(&problem, plan, &passed, Some(&expected), &what))?;
        }
    }
    Ok(())
}

/// 230 units are enough for two threads or more, 390 for four, with so many steps; both end within a panel of `f32`, 390 also
/// of `f64`.
fn expect_every_team<A: Scalar>() -> Result<()> {
    let (two, four) = (sizes(7, 230), sizes(7, 390));
    expect_teams::<RnnConfig, A>(two, 130)?;
    expect_teams::<LstmConfig, A>(two, 35)?;
    expect_teams::<LstmConfig, A>(Sizes { proj_size: 30, ..four }, 150)?;
    expect_teams::<LstmConfig, A>(Sizes { num_layers: 2, proj_size: 21, ..two }, 80)?;
    expect_teams::<GruConfig, A>(four, 25)?;
    expect_teams::<GruConfig, A>(Sizes { num_layers: 2, num_directions: 2, ..two }, 10)
}

#[test]
fn teams_change_no_bit_f32() -> Result<()> {
    expect_every_team::<f32>()
}

#[test]
fn teams_change_no_bit_f64() -> Result<()> {
    expect_every_team::<f64>()
}
