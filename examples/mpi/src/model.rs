//! The model, and the gradient of a micro-batch.

use ndarray_rnn::loss::CrossEntropyLoss;
use ndarray_rnn::random::{Mt19937, PerSequence, Philox};
use ndarray_rnn::{
    Dropout, Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, Parameters, Result,
    parameters,
};

use crate::data::Words;
use crate::ranks::Vector;

parameters! {
    /// Letters to a class.
    #[derive(Debug, Clone)]
    pub struct Net {
        embedding: Embedding,
        rnn: Lstm,
        head: Linear,
    }
}

impl Net {
    /// A model of two layers of so many units.
    pub fn new(units: usize, rng: &mut Mt19937) -> Result<Self> {
        let config = LstmConfig::new(units, units).num_layers(2).dropout(0.2).batch_first(true);
        Ok(Self {
            embedding: Embedding::new(EmbeddingConfig::new(2, units), rng)?,
            rnn: Lstm::new(config, rng)?,
            head: Linear::new(LinearConfig::new(units, 2), rng)?,
        })
    }

    /// The gradient of a micro-batch as a vector, and behind it the loss. Dropout depends on the step and on the words'
    /// numbers in the data, not on what else is in the micro-batch.
    pub fn term(&self, words: &Words, numbers: &[usize], step: u32) -> Result<Vector> {
        // The seed says which of two places of dropout draws.
        let rngs = |seed| {
            let philox = Philox::new(seed);
            PerSequence(numbers.iter().map(|&n| philox.stream(step, n as u64)).collect())
        };
        let x = self.embedding.forward(&words.letters)?;
        let (last, _, trace) = self.rnn.run(&x).lengths(&words.lengths).last_train(&mut rngs(0))?;
        let (last, mask) = Dropout::new(0.2)?.forward_train(&last, &mut rngs(1))?;
        let loss = CrossEntropyLoss::new().forward(&self.head.forward(&last)?, &words.classes)?;

        let head = self.head.backward(&last, &loss.gradient)?;
        let rnn = self.rnn.back(&trace).last(&mask.backward(&head.input)?).gradients()?;
        let embedding = self.embedding.backward(&words.letters, &rnn.input)?;
        let gradient = Net { embedding, rnn: rnn.parameters, head: head.parameters };
        let mut vector = gradient.to_vector();
        vector.push(loss.value);
        Ok(vector.into())
    }
}
