//! The Mersenne Twister: its words, its seeds, and torch's bytes of its state.
//!
//! Words follow `x[k + 624] = x[k + 397] ^ twist(x[k], x[k + 1])`, and 624 words are made at once. A draw is the next
//! word, tempered. Sources: Matsumoto, Nishimura 1998, <https://doi.org/10.1145/272991.272995>; torch's
//! `ATen/core/MT19937RNGEngine.h` and `ATen/CPUGeneratorImpl.cpp`.

use std::convert::Infallible;
use std::fmt;

use rand::TryRng;
use rand::rand_core::utils::fill_bytes_via_next_word;

use super::NormalRng;
use crate::error::{Error, FileError, Result};

/// Words of the state.
const N: usize = 624;
/// The distance between a new word's place and the later of the words that it is made of.
const MIDDLE: usize = 397;
/// The next word of a generator that has drawn nothing since it was seeded.
const UNDRAWN: usize = N + 1;

/// The Mersenne Twister MT19937, torch's generator on a CPU and Python's own. Made by
/// [`manual_seed`](crate::manual_seed) as torch seeds it, by
/// [`keras::set_random_seed`](crate::keras::set_random_seed) as Python does.
///
/// A torch run's generator goes on here, and back:
///
/// ```
/// use ndarray_rnn::{manual_seed, random::Mt19937};
/// use rand::Rng;
///
/// let mut rng = manual_seed(0);
/// rng.next_u32();
/// let bytes = rng.to_torch_state(); // torch.set_rng_state(torch.frombuffer(bytearray(bytes), dtype=torch.uint8))
/// let mut again = Mt19937::from_torch_state(&bytes)?; // torch.get_rng_state().numpy().tobytes()
/// assert_eq!(again.next_u32(), rng.next_u32());
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// With the feature `serde` a generator is written as these bytes, a list of 5056 numbers.
#[derive(Clone)]
pub struct Mt19937 {
    /// What torch calls the initial seed.
    seed: u64,
    words: [u32; N],
    /// The next word to be drawn. New words are made first at 624, when all words are drawn, and at `UNDRAWN`.
    next: usize,
    /// Half a pair of normal values.
    spare: Option<f64>,
}

impl Mt19937 {
    /// Seeded from one number, of which the low 32 bits count.
    pub(super) fn from_seed(seed: u64) -> Self {
        let mut words = [seed as u32; N];
        for i in 1..N {
            words[i] = 1_812_433_253_u32.wrapping_mul(mixed(words[i - 1])).wrapping_add(i as u32);
        }
        Self { seed, words, next: UNDRAWN, spare: None }
    }

    /// Seeded from a number as Python's `random.seed` does: `init_by_array` with one word.
    pub(crate) fn from_python_seed(seed: u32) -> Self {
        let mut words = Self::from_seed(19_650_218).words;
        // Two rounds of 624 and 623 steps, which go through the words 1 to 623 twice and visit word 1 once more.
        for step in 0..2 * N - 1 {
            let i = step % (N - 1) + 1;
            let (factor, term) =
                if step < N { (1_664_525, seed) } else { (1_566_083_941, (i as u32).wrapping_neg()) };
            words[i] = (words[i] ^ mixed(words[i - 1]).wrapping_mul(factor)).wrapping_add(term);
            if i == N - 1 {
                words[0] = words[i];
            }
        }
        words[0] = 1 << 31;
        Self { seed: seed.into(), words, next: UNDRAWN, spare: None }
    }

    /// Makes the next 624 words.
    #[cold]
    fn twist(&mut self) {
        let words = &mut self.words;
        // Three ranges, so that no index is wrapped: five times as fast.
        for i in 0..N - MIDDLE {
            words[i] = words[i + MIDDLE] ^ twisted(words[i], words[i + 1]);
        }
        for i in N - MIDDLE..N - 1 {
            words[i] = words[i + MIDDLE - N] ^ twisted(words[i], words[i + 1]);
        }
        words[N - 1] = words[MIDDLE - 1] ^ twisted(words[N - 1], words[0]);
        self.next = 0;
    }
}

/// The first bit of one word and the others of the next, twisted.
fn twisted(one: u32, two: u32) -> u32 {
    ((one & 0x8000_0000 | two & 0x7fff_ffff) >> 1) ^ ((two & 1) * 0x9908_b0df)
}

/// The part of a word that seeding makes the next word of.
fn mixed(word: u32) -> u32 {
    word ^ word >> 30
}

impl TryRng for Mt19937 {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.next >= N {
            self.twist();
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        Ok(word ^ word >> 18)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(super::next_u64(self))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill_bytes_via_next_word(bytes, || self.try_next_u32())
    }
}

impl NormalRng for Mt19937 {
    fn spare(&mut self) -> &mut Option<f64> {
        &mut self.spare
    }
}

/// Equal generators draw the same. The seed that torch notes is not compared, since only its low 32 bits decide.
impl PartialEq for Mt19937 {
    fn eq(&self, other: &Self) -> bool {
        let spare = |rng: &Self| rng.spare.map(f64::to_bits); // so that a NaN equals itself
        (self.next, &self.words, spare(self)) == (other.next, &other.words, spare(other))
    }
}

impl Eq for Mt19937 {}

/// The seed, how far the words are drawn and half a pair of normal values, without the words.
impl fmt::Debug for Mt19937 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mt19937");
        text.field("seed", &self.seed)
            .field("next", &self.next)
            .field("spare", &self.spare)
            .finish_non_exhaustive()
    }
}

// torch's bytes are a C structure, little-endian, with each word in 8 bytes.

/// What errors call the bytes.
const FORMAT: &str = "torch generator state";
const SIZE: usize = 5056;
const SEED: usize = 0;
const LEFT: usize = 8;
const SEEDED: usize = 12;
const NEXT: usize = 16;
const WORDS: usize = 24;
/// Half a pair of normal values, zero if there is none, and whether there is one.
const NORMAL: usize = 5024;
const NORMAL_KEPT: usize = 5040;
/// Whether there is one in `f32`, which nothing in torch makes: half a pair is in `f64` whatever type it was drawn for.
const FLOAT_NORMAL_KEPT: usize = 5052;

impl Mt19937 {
    /// The generator in the state that `torch.get_rng_state()` gave, with the half of a pair of normal values that
    /// torch's generator may have kept (see [`NormalRng`]).
    ///
    /// # Errors
    /// In [`Error::File`](crate::Error::File): [`FileError::Malformed`] for other than 5056 bytes and for bytes that
    /// torch does not write, [`FileError::Unsupported`] for half a pair in `f32`, which torch can hold and never makes.
    #[doc(alias = "set_rng_state")]
    pub fn from_torch_state(bytes: &[u8]) -> Result<Self> {
        if bytes.len() != SIZE {
            return Err(malformed("length", "5056 bytes", format!("{} bytes", bytes.len())));
        }
        let seeded = number(bytes, SEEDED, 4);
        if seeded != 1 {
            return Err(malformed("seeded", "1", seeded));
        }
        let next = match (number(bytes, NEXT, 8), number(bytes, LEFT, 4)) {
            (0, 1) => UNDRAWN,
            (next @ 1..=624, left) if next + left == 625 => next as usize,
            (next, left) => {
                let expected = "0 and 1, or numbers from 1 to 624 that add to 625";
                return Err(malformed("next and left", expected, format!("{next} and {left}")));
            }
        };
        let mut words = [0; N];
        for (i, word) in words.iter_mut().enumerate() {
            let stored = number(bytes, WORDS + 8 * i, 8);
            *word = u32::try_from(stored).map_err(|_| malformed("words", "below 2^32", stored))?;
        }
        Ok(Self { seed: number(bytes, SEED, 8), words, next, spare: spare(bytes)? })
    }

    /// What `torch.get_rng_state()` gives in this generator's state; for `torch.set_rng_state`.
    #[must_use]
    #[doc(alias = "get_rng_state")]
    pub fn to_torch_state(&self) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        let mut put = |at: usize, value: u64| bytes[at..][..8].copy_from_slice(&value.to_le_bytes());
        put(SEED, self.seed);
        let [next, left] = if self.next == UNDRAWN { [0, 1] } else { [self.next, N + 1 - self.next] };
        put(LEFT, left as u64);
        put(NEXT, next as u64);
        (0..N).for_each(|i| put(WORDS + 8 * i, self.words[i].into()));
        put(NORMAL, self.spare.map_or(0, f64::to_bits));
        bytes[SEEDED] = 1;
        bytes[NORMAL_KEPT] = self.spare.is_some().into();
        bytes
    }
}

/// A number of so many bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..][..width].iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// Half a pair of normal values.
fn spare(bytes: &[u8]) -> Result<Option<f64>> {
    if bytes[FLOAT_NORMAL_KEPT] != 0 {
        return Err(unsupported("half a pair of normal values in float32"));
    }
    let value = f64::from_bits(number(bytes, NORMAL, 8));
    match number(bytes, NORMAL_KEPT, 4) {
        0 => Ok(None),
        1 if value.is_finite() => Ok(Some(value)),
        1 => Err(malformed("normal_y", "a finite number", value)),
        kept => Err(malformed("normal_is_valid", "0 or 1", kept)),
    }
}

fn malformed(field: &str, expected: &str, actual: impl ToString) -> Error {
    let (field, expected, actual) = (field.into(), expected.into(), actual.to_string());
    FileError::Malformed { format: FORMAT, field, expected, actual }.into()
}

fn unsupported(feature: &str) -> Error {
    FileError::Unsupported { format: FORMAT, field: "normal".into(), feature: feature.into() }.into()
}

#[cfg(feature = "serde")]
mod serialize {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Mt19937;

    impl Serialize for Mt19937 {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.to_torch_state().serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Mt19937 {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Self::from_torch_state(&Vec::<u8>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}
