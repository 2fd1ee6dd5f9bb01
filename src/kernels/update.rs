//! The steps of the optimisers, element by element, compiled for an instruction set.

use pulp::{Simd, WithSimd};

use crate::element::Element;

/// The change of one parameter.
#[derive(Debug)]
pub enum Update<'a, A> {
    Sgd(SgdStep<'a, A>),
    Adam(AdamStep<'a, A>),
    RmsProp(RmsPropStep<'a, A>),
}

impl<A: Element> WithSimd for Update<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self {
            Self::Sgd(step) => step.run(),
            Self::Adam(step) => step.run(),
            Self::RmsProp(step) => step.run(),
        }
    }
}

/// One step of one parameter by stochastic gradient descent.
#[derive(Debug)]
pub struct SgdStep<'a, A> {
    pub(crate) parameter: &'a mut [A],
    pub(crate) gradient: &'a [A],
    pub(crate) momentum_buffer: Option<&'a mut [A]>,
    /// Whether there is no momentum yet.
    pub(crate) first: bool,
    /// The learning rate, negated.
    pub(crate) lr: A,
    pub(crate) momentum: A,
    /// `1 - dampening`.
    pub(crate) share: A,
    pub(crate) weight_decay: A,
    pub(crate) nesterov: bool,
    pub(crate) maximize: bool,
}

impl<A: Element> SgdStep<'_, A> {
    #[inline(always)]
    fn run(mut self) {
        let momentum_buffer = self.momentum_buffer.take();
        let parameter = std::mem::take(&mut self.parameter);
        let elements = parameter.iter_mut().zip(self.gradient);
        let Some(momentum_buffer) = momentum_buffer else {
            for (p, &g) in elements {
                *p = self.lr.mul_add(self.gradient(*p, g), *p);
            }
            return;
        };
        for ((p, &g), buffer) in elements.zip(momentum_buffer) {
            let g = self.gradient(*p, g);
            *buffer = if self.first { g } else { self.share.mul_add(g, *buffer * self.momentum) };
            let g = if self.nesterov { self.momentum.mul_add(*buffer, g) } else { *buffer };
            *p = self.lr.mul_add(g, *p);
        }
    }

    /// The gradient with its sign and the penalty's part added.
    #[inline(always)]
    fn gradient(&self, p: A, g: A) -> A {
        let g = if self.maximize { -g } else { g };
        if self.weight_decay == A::zero() { g } else { self.weight_decay.mul_add(p, g) }
    }
}

/// One step of one parameter by Adam or AdamW.
#[derive(Debug)]
pub struct AdamStep<'a, A> {
    pub(crate) parameter: &'a mut [A],
    pub(crate) gradient: &'a [A],
    pub(crate) exp_avg: &'a mut [A],
    pub(crate) exp_avg_sq: &'a mut [A],
    pub(crate) max_exp_avg_sq: Option<&'a mut [A]>,
    /// The factor of decoupled decay; 1 without it.
    pub(crate) shrink: A,
    /// The factor of the penalty; 0 without it.
    pub(crate) weight_decay: A,
    /// `1 - beta1`.
    pub(crate) share1: A,
    pub(crate) beta2: A,
    /// `1 - beta2`.
    pub(crate) share2: A,
    pub(crate) correction2_sqrt: A,
    pub(crate) eps: A,
    /// The step size, negated.
    pub(crate) step_size: A,
    pub(crate) maximize: bool,
}

impl<A: Element> AdamStep<'_, A> {
    #[inline(always)]
    fn run(mut self) {
        let max_exp_avg_sq = self.max_exp_avg_sq.take();
        let [parameter, exp_avg, exp_avg_sq] =
            [&mut self.parameter, &mut self.exp_avg, &mut self.exp_avg_sq].map(std::mem::take);
        let elements = parameter.iter_mut().zip(self.gradient).zip(exp_avg).zip(exp_avg_sq);
        let Some(max_exp_avg_sq) = max_exp_avg_sq else {
            for (((p, &g), m), v) in elements {
                self.moments(p, g, m, v);
                self.descend(p, *m, *v);
            }
            return;
        };
        for ((((p, &g), m), v), max) in elements.zip(max_exp_avg_sq) {
            self.moments(p, g, m, v);
            // torch's maximum: NaN if either number is NaN.
            *max = if *max >= *v || max.is_nan() { *max } else { *v };
            self.descend(p, *m, *max);
        }
    }

    /// Decays the parameter, and adds the gradient to both moments.
    #[inline(always)]
    fn moments(&self, p: &mut A, g: A, m: &mut A, v: &mut A) {
        let g = if self.maximize { -g } else { g };
        *p *= self.shrink;
        let g = if self.weight_decay == A::zero() { g } else { self.weight_decay.mul_add(*p, g) };
        *m = lerp(*m, g, self.share1);
        *v = (self.share2 * g).mul_add(g, *v * self.beta2);
    }

    #[inline(always)]
    fn descend(&self, p: &mut A, m: A, v: A) {
        let denominator = v.sqrt() / self.correction2_sqrt + self.eps;
        *p += self.step_size * m / denominator;
    }
}

/// One step of one parameter by RMSprop.
#[derive(Debug)]
pub struct RmsPropStep<'a, A> {
    pub(crate) parameter: &'a mut [A],
    pub(crate) gradient: &'a [A],
    pub(crate) square_avg: &'a mut [A],
    pub(crate) momentum_buffer: Option<&'a mut [A]>,
    pub(crate) grad_avg: Option<&'a mut [A]>,
    /// The learning rate, negated.
    pub(crate) lr: A,
    pub(crate) alpha: A,
    /// `1 - alpha`.
    pub(crate) share: A,
    pub(crate) eps: A,
    pub(crate) weight_decay: A,
    pub(crate) momentum: A,
    pub(crate) maximize: bool,
}

impl<A: Element> RmsPropStep<'_, A> {
    #[inline(always)]
    fn run(mut self) {
        let [parameter, square_avg] = [&mut self.parameter, &mut self.square_avg].map(std::mem::take);
        let [momentum_buffer, grad_avg] = [self.momentum_buffer.take(), self.grad_avg.take()];
        let elements = parameter.iter_mut().zip(self.gradient).zip(square_avg);
        match (momentum_buffer, grad_avg) {
            (None, None) => {
                for ((p, &g), v) in elements {
                    self.element(p, g, v, None, None);
                }
            }
            (Some(momentum), None) => {
                for (((p, &g), v), buffer) in elements.zip(momentum) {
                    self.element(p, g, v, Some(buffer), None);
                }
            }
            (None, Some(average)) => {
                for (((p, &g), v), m) in elements.zip(average) {
                    self.element(p, g, v, None, Some(m));
                }
            }
            (Some(momentum), Some(average)) => {
                for ((((p, &g), v), buffer), m) in elements.zip(momentum).zip(average) {
                    self.element(p, g, v, Some(buffer), Some(m));
                }
            }
        }
    }

    /// The formula, for one element.
    #[inline(always)]
    fn element(&self, p: &mut A, g: A, v: &mut A, buffer: Option<&mut A>, m: Option<&mut A>) {
        let g = if self.maximize { -g } else { g };
        let g = if self.weight_decay == A::zero() { g } else { self.weight_decay.mul_add(*p, g) };
        *v = (self.share * g).mul_add(g, *v * self.alpha);
        let variance = m.map_or(*v, |m| {
            *m = lerp(*m, g, self.share);
            (-*m).mul_add(*m, *v)
        });
        let denominator = variance.sqrt() + self.eps;
        if let Some(buffer) = buffer {
            *buffer = *buffer * self.momentum + g / denominator;
            *p = self.lr.mul_add(*buffer, *p);
        } else {
            *p += self.lr * g / denominator;
        }
    }
}

/// torch's `lerp`: a step of `weight` from `start` to `end`, computed from the nearer of the two.
#[inline(always)]
fn lerp<A: Element>(start: A, end: A, weight: A) -> A {
    if weight.abs() < A::from_f64(0.5) {
        weight.mul_add(end - start, start)
    } else {
        (weight - A::one()).mul_add(end - start, end)
    }
}
