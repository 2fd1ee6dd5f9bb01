//! A whole training step: forward, a class for each row, loss, backward, clipping, Adam.

use std::hint::black_box;

use ndarray::{Array1, Array3};
use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
use ndarray_rnn::random::Mt19937;
use ndarray_rnn::{Linear, LinearConfig, Parameters, Recurrent, Scalar, manual_seed};

use crate::kinds::Compared;
use crate::protocol::{Case, Result};
use crate::{Forward, Measured, Named, named};

const CLASSES: usize = 10;
/// Steps whose losses are compared.
const STEPS: usize = 3;

/// A network, a `Linear` behind every step, and their optimiser.
pub struct Training<C: Compared, A: Scalar> {
    net: (Recurrent<C, A>, Linear<A>),
    input: Array3<A>,
    classes: Array1<usize>,
    optimizer: Adam<A>,
    rng: Mt19937,
}

impl<C: Compared, A: Scalar> Training<C, A> {
    pub fn new(case: &Case) -> Result<Self> {
        let Forward { rnn, input } = Forward::new(case)?;
        let width = case.hidden * (1 + usize::from(case.bidirectional));
        let fc = Linear::new(LinearConfig::new(width, CLASSES), &mut manual_seed(2))?;
        let classes = (0..case.len).flat_map(|t| (0..case.batch).map(move |n| (t + n) % CLASSES)).collect();
        let net = (rnn, fc);
        let optimizer = Adam::new(AdamConfig::new(), &net)?;
        Ok(Self { net, input, classes, optimizer, rng: manual_seed(0) })
    }

    /// The loss and the norm of the gradient.
    fn step(&mut self) -> ndarray_rnn::Result<[A; 2]> {
        let (rnn, fc) = &self.net;
        let (output, _, trace) = rnn.forward_train(black_box(&self.input), None, &mut self.rng)?;
        let logits = fc.forward(&output)?;
        let (len, batch, classes) = logits.dim();
        let logits = logits.into_shape_with_order((len * batch, classes)).unwrap_or_default();
        let loss = CrossEntropyLoss::new().forward(&logits, &self.classes)?;
        let d_logits = loss.gradient.into_shape_with_order((len, batch, classes)).unwrap_or_default();
        let d_fc = fc.backward(&output, &d_logits)?;
        let d_rnn = rnn.backward_parameters(&trace, &d_fc.input, None)?;
        let mut gradients = (d_rnn, d_fc.parameters);
        let norm = clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
        self.optimizer.step(&mut self.net, &gradients)?;
        Ok([loss.value, norm])
    }
}

impl<C: Compared, A: Scalar> Measured for Training<C, A> {
    type Elem = A;

    fn call(&mut self) {
        black_box(self.step()).expect("it was checked");
    }

    fn arrays(&mut self) -> Result<Named<A>> {
        let mut arrays = self.net.0.state_dict();
        arrays.extend(self.net.1.state_dict().into_iter().map(|(name, value)| (name + "_fc", value)));
        arrays.push(named("input", self.input.clone()));
        let steps: Vec<_> = (0..STEPS).map(|_| self.step()).collect::<ndarray_rnn::Result<_>>()?;
        arrays.push(named("losses", steps.iter().map(|&[loss, _]| loss).collect::<Array1<A>>()));
        arrays.push(named("norms", steps.iter().map(|&[_, norm]| norm).collect::<Array1<A>>()));
        Ok(arrays)
    }
}
