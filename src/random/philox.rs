//! A generator whose streams are numbered.

use std::convert::Infallible;

use rand::TryRng;
use rand::rand_core::utils::fill_bytes_via_next_word;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// A generator with 2^96 streams for each seed, any of which can be drawn from at once: Philox4x32-10, a counter that ten
/// rounds of multiplications under a key turn into random words.
///
/// ```text
/// words 4 b to 4 b + 3 of a stream = rounds(key = seed, counter = [b, step, low word of number, high word of number])
/// ```
///
/// What a stream draws depends on the seed, the step and the number alone. So [`PerSequence`](super::PerSequence) takes one
/// for each sequence, numbered as in the data set: dropout is then the same wherever and in whatever order sequences run.
/// Unlike [`Mt19937`](super::Mt19937), with 2,500 bytes and 624 words made at once, a stream costs next to nothing to begin.
/// After 2^34 words it repeats.
///
/// ```
/// use ndarray_rnn::random::Philox;
/// use rand::Rng;
///
/// let philox = Philox::new(7);
/// let (mut first, mut second) = (philox.stream(3, 41), philox.stream(3, 42)); // step 3, sequences 41 and 42
/// assert_ne!(first.next_u32(), second.next_u32());
/// assert_eq!(second.next_u32(), { let mut again = philox.stream(3, 42); again.next_u32(); again.next_u32() });
/// ```
///
/// Source: Salmon, Moraes, Dror, Shaw 2011, <https://doi.org/10.1145/2063384.2063405>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    /// The counter of the next block.
    counter: [u32; 4],
    words: [u32; 4],
    /// The next of the words to be drawn; 4 if the next block is to be made first.
    next: usize,
}

impl Philox {
    /// The stream of step 0 and number 0 of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], counter: [0; 4], words: [0; 4], next: 4 }
    }

    /// The stream of a step, or an epoch, and a number, such as a sequence's in its data set. The seed is this generator's.
    #[must_use]
    pub fn stream(&self, step: u32, number: u64) -> Self {
        Self { counter: [0, step, number as u32, (number >> 32) as u32], words: [0; 4], next: 4, ..*self }
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.next == 4 {
            self.words = philox_block(self.key, self.counter);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.next = 0;
        }
        self.next += 1;
        Ok(self.words[self.next - 1])
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(super::next_u64(self))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill_bytes_via_next_word(bytes, || self.try_next_u32())
    }
}

/// Ten rounds.
pub(crate) fn philox_block(mut key: [u32; 2], mut words: [u32; 4]) -> [u32; 4] {
    for _ in 0..10 {
        let [first, second] =
            [(0, 0), (1, 2)].map(|(i, word)| u64::from(MULTIPLIERS[i]) * u64::from(words[word]));
        let high = |product: u64| (product >> 32) as u32;
        words =
            [high(second) ^ words[1] ^ key[0], second as u32, high(first) ^ words[3] ^ key[1], first as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of Random123: counter, key, words.
    #[test]
    fn blocks_are_random123s() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let answers = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (counter, key, words) in answers {
            assert_eq!(philox_block(key, counter), words);
        }
    }

    /// The key is the seed; the counter has the block, the step and the number, low words first.
    #[test]
    fn a_stream_is_its_counter() {
        let mut rng = Philox::new(0x0001_0002_0003_0004).stream(5, 0x0006_0007_0008_0009);
        for block in 0..3 {
            let words = philox_block([0x0003_0004, 0x0001_0002], [block, 5, 0x0008_0009, 0x0006_0007]);
            assert_eq!([(); 4].map(|()| rng.try_next_u32()), words.map(Ok));
        }
        assert_eq!(
            rng.stream(5, 0x0006_0007_0008_0009),
            Philox::new(0x0001_0002_0003_0004).stream(5, 0x0006_0007_0008_0009)
        );
    }
}
