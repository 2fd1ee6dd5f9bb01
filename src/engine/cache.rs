//! Parameters as the engine wants them.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use super::direction::BackWeights;
use super::stack::Stack;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::kernels::Plan;

/// Which parameters these are: a network's, and its clones', until they may change.
type Version = Arc<()>;

/// Where a trace comes from: a network, known by its configuration, and its parameters.
#[derive(Debug, Clone)]
pub struct Origin<N> {
    network: N,
    version: Version,
}

/// Of no network that runs.
impl<N> From<N> for Origin<N> {
    fn from(network: N) -> Self {
        Self { network, version: Version::default() }
    }
}

/// A network's packed weights, made at the first use, and the plan it runs by.
#[derive(Debug, Clone)]
pub struct Cache<A: Element, C> {
    plan: Plan,
    version: Version,
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
        Self { plan, version: Version::default(), stack: OnceLock::new(), back_weights: OnceLock::new() }
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

    /// What a trace of a network keeps.
    pub(crate) fn origin<N: Clone>(&self, network: &N) -> Origin<N> {
        Origin { network: network.clone(), version: self.version.clone() }
    }

    /// Checks that a trace is of a network as it is.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`] if it is of another network, [`Error::StaleTrace`] if of one that looks alike.
    pub(crate) fn expect<N: Display>(&self, network: &N, origin: &Origin<N>) -> Result<()> {
        if Arc::ptr_eq(&self.version, &origin.version) {
            return Ok(());
        }
        let (expected, actual) = (network.to_string(), origin.network.to_string());
        Err(if expected == actual { Error::StaleTrace } else { Error::ForeignTrace { expected, actual } })
    }

    /// Drops the weights: the parameters may change.
    pub(crate) fn forget(&mut self) {
        *self = self.plan.into();
    }
}
