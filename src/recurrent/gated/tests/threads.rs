use super::super::Problem;
use super::backward::expect_equal;
use super::plans::expect_passes;
use super::{masks, sizes};
use crate::error::Result;
use crate::kernels::Plan;
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Work in a pool of so many threads.
fn with_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build()
        .expect("there is room for threads")
        .install(work)
}

/// Sequences split among threads, forwards and back, and units split for the parameters' gradient.
fn expect_threads<A: Scalar>() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, ..sizes(9, 33) };
    for (proj_size, batch) in [(0, 9), (21, 9), (0, 1), (21, 1)] {
        let len = 700 / batch;
        let problem =
            Problem::<A>::new(Sizes { proj_size, ..two }, len, batch)?.with_resets().with_reset_state();
        for problem in [problem.clone(), problem.ragged()?] {
            let passed = problem.forwards();
            let expected = problem.backwards(&passed).named();
            for count in [1, 2, 4, 16] {
                let what = format!("{count} threads, {proj_size} features, {batch} sequences");
                with_threads(count, || {
                    expect_passes(&problem, Plan::default(), &passed, Some(&expected), &what)
                })?;
            }
        }
    }
    Ok(())
}

/// Sequences split among threads with a mask for each block.
#[test]
fn threads_change_no_bit_of_masked_passes() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, proj_size: 21, ..sizes(9, 33) };
    let problem = Problem::<f32>::new(two, 120, 9)?.ragged()?.with_resets().with_masks(2);
    let expected = masks::expected(&problem);
    for count in [2, 4] {
        let actual = with_threads(count, || masks::pass(&problem))?;
        expect_equal(&actual, &expected, &format!("{count} threads"));
    }
    Ok(())
}

#[test]
fn threads_change_no_bit_f32() -> Result<()> {
    expect_threads::<f32>()
}

#[test]
fn threads_change_no_bit_f64() -> Result<()> {
    expect_threads::<f64>()
}

/// One long sequence, whose units threads share: each makes some units of every block, and keeps all of h.
fn expect_teams<A: Scalar>() -> Result<()> {
    // 200 units are enough for two threads, 400 for four; both end within a panel of `f32`, 390 also of `f64`.
    let (two, four) = (sizes(7, 200), sizes(7, 390));
    let deep = Sizes { num_layers: 2, proj_size: 21, ..two };
    let both_ways = Sizes { num_layers: 2, num_directions: 2, ..two };
    for (sizes, len) in
        [(two, 70), (four, 40), (Sizes { proj_size: 30, ..four }, 200), (deep, 200), (both_ways, 30)]
    {
        let problem = Problem::<A>::new(sizes, len, 1)?.with_resets().with_reset_state();
        let passed = problem.forwards();
        // Every thread that comes to help is waited for.
        let plan = Plan { patience: 1e6, ..Plan::default() };
        for plan in [plan, Plan { chunk: 3, ahead: 100, ..plan }] {
            for count in [1, 2, 3, 4] {
                let what = format!("{count} threads, {sizes:?}");
                with_threads(count, || expect_passes(&problem, plan, &passed, None, &what))?;
            }
        }
    }
    Ok(())
}

#[test]
fn teams_change_no_bit_f32() -> Result<()> {
    expect_teams::<f32>()
}

#[test]
fn teams_change_no_bit_f64() -> Result<()> {
    expect_teams::<f64>()
}
