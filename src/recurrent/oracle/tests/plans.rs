use ndarray::ArrayD;

use super::super::forwards::Passed;
use super::super::{Oracle, Problem, bits};
use super::backward::{expect_equal, gradients};
use super::forward::{expect_state, run};
use super::sizes;
use crate::error::Result;
use crate::kernels::{Plan, archs};
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Expects a problem's network, run by a plan, to be the loops forwards, and back where their gradients are given.
pub fn expect_passes<K: Oracle, A: Scalar>(
    problem: &Problem<K, A>,
    plan: Plan,
    passed: &Passed<A>,
    expected: Option<&[(String, ArrayD<A>)]>,
    what: &str,
) -> Result<()> {
    let mut problem = problem.clone();
    problem.network = problem.network.on(plan);
    let (output, state) = run(&problem).forward()?;
    assert_eq!(bits(&output), bits(passed.output()), "output, {what}");
    expect_state::<K, A>(state, &passed.state, what);
    expected.map_or(Ok(()), |expected| {
        expect_equal(&gradients(&problem)?, expected, what);
        Ok(())
    })
}

/// Every instruction set, whatever is done together: one step or many ahead, few rows or all, few terms or many.
fn expect_plans<K: Oracle, A: Scalar>() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, ..sizes(9, 17) };
    let deep = Sizes { num_layers: 3, proj_size: if K::PROJECTS { 9 } else { 0 }, ..sizes(9, 33) };
    for sizes in [two, deep] {
        for batch in [1, 7] {
            let problem = Problem::<K, A>::new(sizes, 12, batch)?.ragged()?.with_resets().with_reset_state();
            let passed = problem.forwards();
            let expected = problem.backwards(&passed).named();
            for (name, arch) in archs() {
                let plan = Plan::from(arch);
                let plans = [
                    plan,
                    Plan { ahead: 1, ..plan },
                    Plan { ahead: 100, chunk: 3, terms: 4, ..plan },
                    Plan { near: 0, chunk: 1, terms: 1, ..plan },
                    Plan { ahead: 100, chunk: 7, chunk_bytes: 1, ..plan },
                ];
                for plan in plans {
                    expect_passes(&problem, plan, &passed, Some(&expected), &format!("{name}, {plan:?}"))?;
                }
            }
        }
    }
    Ok(())
}

of_every_kind!(plans_and_instruction_sets_change_no_bit, expect_plans);
