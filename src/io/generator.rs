//! torch's generator under serde: the 624 words it drew last, from which it can be taken up.
//!
//! The Mersenne Twister's words follow x(k + 624) = x(k + 397) ^ twist(first bit of x(k), other bits of x(k + 1)), and
//! what is drawn is tempered from them. Twisting and tempering can both be undone: the last words follow from the
//! next ones. Source: Matsumoto, Nishimura 1998, <https://doi.org/10.1145/272991.272995>.

use rand::Rng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::random::Mt19937;

const WORDS: usize = 624;
const MIDDLE: usize = 397;
const FIRST_BIT: u32 = 1 << 31;
const TWIST: u32 = 0x9908_b0df;

/// The words drawn last; for a generator that drew fewer, words that it would have drawn before.
fn last_words(generator: &Mt19937) -> Vec<u32> {
    let mut generator = generator.clone();
    // Behind those to be found, the next ones; before them, one that lends the first its other bits.
    let mut words = vec![0; 1 + WORDS];
    words.extend((0..WORDS).map(|_| untempered(generator.next_u32())));
    for k in (0..=WORDS).rev() {
        let source = untwisted(words[k + WORDS] ^ words[k + MIDDLE]);
        words[k] |= source & FIRST_BIT;
        words[k + 1] |= source & !FIRST_BIT;
    }
    words[1..=WORDS].iter().map(|&word| tempered(word)).collect()
}

/// What the twist was made of.
fn untwisted(twisted: u32) -> u32 {
    if twisted & FIRST_BIT == 0 { twisted << 1 } else { (twisted ^ TWIST) << 1 | 1 }
}

fn tempered(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c_5680;
    word ^= word << 15 & 0xefc6_0000;
    word ^ word >> 18
}

fn untempered(mut word: u32) -> u32 {
    word ^= word >> 18;
    word ^= word << 15 & 0xefc6_0000;
    // Seven bits more are right each time.
    let mut known = word;
    for _ in 0..4 {
        known = word ^ known << 7 & 0x9d2c_5680;
    }
    known ^ known >> 11 ^ known >> 22
}

/// 624 numbers below 2^32. What is read draws what this would have drawn.
impl Serialize for Mt19937 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        last_words(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mt19937 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<u32>::deserialize(deserializer)?;
        let expected = || D::Error::invalid_length(words.len(), &"624 words");
        Self::after(&words).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::manual_seed;

    #[test]
    fn tempering_is_undone() {
        let words = (0..32).map(|bit| 1 << bit).chain([0, u32::MAX, 0x1234_5678]);
        words.for_each(|word| assert_eq!(untempered(tempered(word)), word));
    }

    /// The words drawn last are those that were drawn.
    #[test]
    fn last_words_were_drawn() {
        let mut generator = manual_seed(5);
        let drawn: Vec<_> = (0..2000).map(|_| generator.next_u32()).collect();
        assert_eq!(last_words(&generator), drawn[2000 - WORDS..]);
    }

    /// From any place, that of the seed among them, a generator goes on as if it had never stopped.
    #[test]
    fn a_generator_is_taken_up() -> Result<(), &'static str> {
        for drawn in [0, 1, 2, 226, 227, 396, 397, 623, 624, 625, 1000, 5000] {
            let mut generator = manual_seed(drawn);
            generator.fill_bytes(&mut vec![0; 4 * drawn as usize]);
            let mut again = Mt19937::after(&last_words(&generator)).ok_or("624 words")?;
            (0..3000).for_each(|i| assert_eq!(again.next_u32(), generator.next_u32(), "{i} after {drawn}"));
        }
        Ok(())
    }
}
