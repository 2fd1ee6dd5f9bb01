//! One line for each case: its name, a variant, a hash of its numbers.

use std::io::{Write, stdout};

use ndarray_rnn::Scalar;

/// FNV-1a, 64 bits, over the little-endian bytes of every number.
///
/// Every NaN counts as the quiet one without sign and payload, since the processor chooses which NaN an operation
/// makes.
#[derive(Debug, Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub fn bytes(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    pub fn number<A: Scalar>(self, x: A) -> Self {
        let x = if x.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { x.into_f64() };
        match A::SINGLE {
            true if x.is_nan() => self.bytes(&0x7fc0_0000_u32.to_le_bytes()),
            true => self.bytes(&(x as f32).to_bits().to_le_bytes()),
            false => self.bytes(&x.to_bits().to_le_bytes()),
        }
    }
}

/// The type's name, for cases of both.
pub fn dtype<A: Scalar>() -> &'static str {
    if A::SINGLE { "f32" } else { "f64" }
}

/// Prints a case.
///
/// All variants of one name have one hash, on every target. A variant is an instruction set, a number of threads
/// or a size of chunks, where these are forced.
pub fn case<A: Scalar>(name: &str, variant: &str, numbers: impl IntoIterator<Item = A>) {
    line(name, variant, numbers.into_iter().fold(Hash::new(), Hash::number));
}

/// Prints a case of integers, each as 64 bits.
pub fn integers(name: &str, numbers: impl IntoIterator<Item = u64>) {
    line(name, "", numbers.into_iter().fold(Hash::new(), |hash, x| hash.bytes(&x.to_le_bytes())));
}

fn line(name: &str, variant: &str, hash: Hash) {
    let at = if variant.is_empty() { "" } else { "@" };
    // Written and not printed, so that a reader that has gone away causes no panic.
    let _ = writeln!(stdout(), "{name}{at}{variant} {:016x}", hash.0);
}
