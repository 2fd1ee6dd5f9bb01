//! What a network keeps beside its parameters: packed weights and the memory of passes.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use super::spares::Spares;
use super::stack::Stack;
use super::weights::BackWeights;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::kernels::Plan;
use crate::room::get_or_make;

/// A mark of the parameters as they are now. A network and its clones share it until their parameters may change.
type Version = Arc<()>;

/// Where a trace comes from: a network, known by its configuration, and the parameters it had.
#[derive(Debug, Clone)]
pub struct Origin<N> {
    network: N,
    version: Version,
}

/// A network's packed weights, made at their first use, the plan of its passes, and the memory of its passes.
#[derive(Debug)]
pub struct Cache<A: Element, C> {
    plan: Plan,
    version: Version,
    stack: OnceLock<Stack<A, C>>,
    /// Weights of the way back, by layer, then direction.
    back_weights: OnceLock<Vec<Vec<BackWeights<A>>>>,
    spares: Arc<Spares<A>>,
}

/// A clone has memory of its own.
impl<A: Element, C: Clone> Clone for Cache<A, C> {
    fn clone(&self) -> Self {
        let Self { plan, version, stack, back_weights, .. } = self;
        let (version, stack, back_weights) = (version.clone(), stack.clone(), back_weights.clone());
        Self { plan: *plan, version, stack, back_weights, spares: Arc::default() }
    }
}

impl<A: Element, C> Default for Cache<A, C> {
    fn default() -> Self {
        Plan::default().into()
    }
}

impl<A: Element, C> From<Plan> for Cache<A, C> {
    fn from(plan: Plan) -> Self {
        let (stack, back_weights) = (OnceLock::new(), OnceLock::new());
        Self { plan, version: Version::default(), stack, back_weights, spares: Arc::default() }
    }
}

impl<A: Element, C> Cache<A, C> {
    /// What a forward pass runs, with its packed weights.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds it.
    #[inline(always)]
    pub(crate) fn stack(&self, make: impl FnOnce(Plan) -> Result<Stack<A, C>>) -> Result<&Stack<A, C>> {
        get_or_make(&self.stack, || make(self.plan))
    }

    /// The packed weights of the way back.
    ///
    /// # Errors
    /// As [`stack`](Self::stack).
    pub(crate) fn back_weights(
        &self,
        make: impl FnOnce() -> Result<Vec<Vec<BackWeights<A>>>>,
    ) -> Result<&[Vec<BackWeights<A>>]> {
        Ok(get_or_make(&self.back_weights, make)?)
    }

    /// The memory that passes use again.
    pub(crate) fn spares(&self) -> &Arc<Spares<A>> {
        &self.spares
    }

    /// The origin of a trace of this network.
    pub(crate) fn origin<N: Clone>(&self, network: &N) -> Origin<N> {
        Origin { network: network.clone(), version: self.version.clone() }
    }

    /// Checks that a trace is of this network with the parameters that it has now.
    ///
    /// # Errors
    /// [`Error::ForeignTrace`] if the trace is of another configuration, [`Error::StaleTrace`] if it is of other
    /// parameters.
    pub(crate) fn expect<N: Display>(&self, network: &N, origin: &Origin<N>) -> Result<()> {
        if Arc::ptr_eq(&self.version, &origin.version) {
            return Ok(());
        }
        let (expected, actual) = (network.to_string(), origin.network.to_string());
        Err(if expected == actual { Error::StaleTrace } else { Error::ForeignTrace { expected, actual } })
    }

    /// Drops the packed weights, since the parameters may change.
    pub(crate) fn forget(&mut self) {
        *self = Self { spares: self.spares.clone(), ..self.plan.into() };
    }
}
