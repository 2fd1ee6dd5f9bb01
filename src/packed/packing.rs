//! How sequences are packed.

use crate::options::options;

options! {
    /// How the sequences of a padded array are packed: the arguments of torch's `pack_padded_sequence`, with torch's names
    /// and defaults.
    ///
    /// ```
    /// use ndarray_rnn::Packing;
    ///
    /// let packing = Packing::new().batch_first(true);
    /// assert_eq!((packing.batch_first, packing.enforce_sorted), (true, true));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Packing() {
        /// Whether the array is (N, L, features) and not (L, N, features). Default false.
        batch_first: bool = false,
        /// Whether the lengths must not increase; the packing then has no indices. If not, sequences come in any order,
        /// and the packing has indices even if the sequences came sorted: beyond 16 sequences those of one length change
        /// places, as [`PackedSequence`](crate::PackedSequence) says. Default true.
        enforce_sorted: bool = true,
    }
}
