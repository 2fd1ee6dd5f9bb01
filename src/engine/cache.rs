//! Parameters as the engine wants them.

use std::sync::OnceLock;

use super::direction::BackWeights;
use super::stack::Stack;
use crate::element::Element;
use crate::kernels::Plan;

/// A network's packed weights, made at the first use, and the plan it runs by.
#[derive(Debug, Clone)]
pub struct Cache<A: Element, C> {
    plan: Plan,
    stack: OnceLock<Stack<A, C>>,
    /// By layer, then direction.
    back_weights: OnceLock<Vec<Vec<BackWeights<A>>>>,
}

impl<A: Element, C> Default for Cache<A, C> {
    fn default() -> Self {
        Plan::default().into()
    }
}

impl<A: Element, C> From<Plan> for Cache<A, C> {
    fn from(plan: Plan) -> Self {
        Self { plan, stack: OnceLock::new(), back_weights: OnceLock::new() }
    }
}

impl<A: Element, C> Cache<A, C> {
    /// What runs forwards.
    pub(crate) fn stack(&self, make: impl FnOnce(Plan) -> Stack<A, C>) -> &Stack<A, C> {
        self.stack.get_or_init(|| make(self.plan))
    }

    /// What the way back multiplies by.
    pub(crate) fn back_weights(
        &self,
        make: impl FnOnce() -> Vec<Vec<BackWeights<A>>>,
    ) -> &[Vec<BackWeights<A>>] {
        self.back_weights.get_or_init(make)
    }

    /// Drops the weights: the parameters may change.
    pub(crate) fn forget(&mut self) {
        *self = self.plan.into();
    }
}
