use super::super::forwards::Passed;
use super::super::{Problem, bits};
use super::backward::{expect_equal, gradients};
use super::sizes;
use crate::error::Result;
use crate::kernels::{Plan, archs};
use crate::recurrent::architecture::Sizes;
use crate::scalar::Scalar;

/// Expects a problem's network, run by a plan, to be the loops forwards, and back where their gradients are given.
pub fn expect_passes<A: Scalar>(
    problem: &Problem<A>,
    plan: Plan,
    passed: &Passed<A>,
    expected: Option<&[(String, ndarray::ArrayD<A>)]>,
    what: &str,
) -> Result<()> {
    let mut problem = problem.clone();
    problem.network = problem.network.on(plan);
    let ([h, c], [h_reset, c_reset]) = (&problem.state, &problem.reset_state);
    let run = problem.network.run(&problem.input).state((h, c)).lengths(&problem.lengths);
    let run = run.resets(&problem.resets).reset_state((h_reset, c_reset));
    let (output, (h_n, c_n)) = run.forward()?;
    assert_eq!(bits(&output), bits(&passed.outputs[passed.outputs.len() - 1]), "output, {what}");
    assert_eq!([bits(&h_n), bits(&c_n)], passed.state.each_ref().map(bits), "h_n and c_n, {what}");
    expected.map_or(Ok(()), |expected| {
        expect_equal(&gradients(&problem)?, expected, what);
        Ok(())
    })
}

/// Every instruction set, whatever is done together: one step or many ahead, few rows or all, few terms or many.
fn expect_plans<A: Scalar>() -> Result<()> {
    let two = Sizes { num_layers: 2, num_directions: 2, ..sizes(9, 17) };
    let deep = Sizes { num_layers: 3, ..sizes(9, 33) };
    for sizes in [two, Sizes { proj_size: 6, ..two }, deep, Sizes { proj_size: 9, ..deep }] {
        for batch in [1, 2, 7] {
            let problem = Problem::<A>::new(sizes, 12, batch)?.ragged()?.with_resets().with_reset_state();
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

#[test]
fn plans_and_instruction_sets_change_no_bit_f32() -> Result<()> {
    expect_plans::<f32>()
}

#[test]
fn plans_and_instruction_sets_change_no_bit_f64() -> Result<()> {
    expect_plans::<f64>()
}
