//! Which samples each replica has in an epoch.

use ndarray::Array2;

use crate::error::{Error, Result, expect_addressable, expect_positive};
use crate::options::options;
use crate::random::{manual_seed, randperm};
use crate::room::{array, room};

options! {
    /// Deals the samples of a data set to replicas, anew in each epoch: torch's `DistributedSampler`, with torch's names and
    /// defaults.
    ///
    /// ```text
    /// order = randperm(len), drawn after manual_seed(seed + epoch); 0 .. len without shuffle
    /// num_samples = ceil(len / num_replicas), or floor with drop_last
    /// order is repeated from its start, or cut, to num_samples num_replicas entries
    /// replica r has order[r], order[r + num_replicas], order[r + 2 num_replicas], ...
    /// ```
    ///
    /// For bits that do not depend on the number of ranks the replicas are the M micro-batches of a step, and each rank runs
    /// some of them: column m of [`epoch`](Self::epoch) then has the samples of micro-batch m, a few for each step.
    ///
    /// ```
    /// use ndarray::{array, s};
    /// use ndarray_rnn::distributed::DistributedSampler;
    ///
    /// let sampler = DistributedSampler::new(5, 2).shuffle(false);
    /// assert_eq!(sampler.epoch(0)?, array![[0, 1], [2, 3], [4, 0]]); // 0 once more, for as many in each column
    ///
    /// let samples = DistributedSampler::new(1000, 8).seed(7).epoch(3)?;
    /// assert_eq!(samples.dim(), (125, 8));
    /// let (step, size, micro_batch) = (2, 4, 5);
    /// let numbers = samples.slice(s![step * size..(step + 1) * size, micro_batch]);
    /// assert_eq!(numbers.len(), 4);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    ///
    /// Source: <https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler>
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DistributedSampler(
        /// The number of samples.
        len: usize,
        /// The number of replicas.
        num_replicas: usize,
    ) {
        /// Whether the order is drawn anew in each epoch. Default true.
        shuffle: bool = true,
        /// The seed of the order. Default 0.
        seed: u64 = 0,
        /// Whether what does not fill all replicas alike is left out. If not, some samples come twice. Default false.
        drop_last: bool = false,
    }
}

impl DistributedSampler {
    /// The samples of an epoch (num_samples, num_replicas): column r has those of replica r, in their order. torch's
    /// `set_epoch`, and then the sampler of each rank as a list.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] without replicas; [`Error::SizeOverflow`] for an order that no memory holds.
    #[doc(alias = "set_epoch")]
    pub fn epoch(&self, epoch: u64) -> Result<Array2<usize>> {
        let Self { len, num_replicas, .. } = *self;
        expect_positive("num_replicas", num_replicas)?;
        let num_samples = if self.drop_last { len / num_replicas } else { len.div_ceil(num_replicas) };
        let shape = [num_samples, num_replicas];
        let total = expect_addressable("samples", &shape, size_of::<usize>())? / size_of::<usize>();
        let mut order = if self.shuffle {
            randperm(len, &mut manual_seed(i128::from(self.seed) + i128::from(epoch)))?
        } else {
            let mut order = room("samples", &[len])?;
            order.extend(0..len);
            order
        };
        let too_large = |_| Error::SizeOverflow { name: "samples".into(), shape: shape.into() };
        order.try_reserve_exact(total.saturating_sub(len)).map_err(too_large)?;
        order.truncate(total);
        (len..total).for_each(|i| order.push(order[i - len]));
        Ok(array(shape, order))
    }
}
