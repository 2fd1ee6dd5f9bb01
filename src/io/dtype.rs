//! Element types of files, and how their bytes become numbers.

use std::fmt;

use crate::invariant::Invariant;
use crate::scalar::Scalar;

/// The element type of an array in a file. Displayed under torch's name, such as `float32`.
///
/// ```
/// use ndarray_rnn::io::Dtype;
///
/// assert_eq!((Dtype::F16.to_string(), Dtype::F16.size()), ("float16".into(), 2));
/// assert!(Dtype::Bf16.is_float() && !Dtype::I64.is_float());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE binary64.
    F64,
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// 8 bits: a sign, 5 bits of exponent, 2 of mantissa; infinity and NaN as IEEE has them.
    F8E5M2,
    /// 8 bits: a sign, 4 bits of exponent, 3 of mantissa; no infinity; NaN where exponent and mantissa are all ones.
    F8E4M3Fn,
    /// 8 bits: a sign, 5 bits of exponent, 2 of mantissa; no infinity; NaN in place of -0.
    F8E5M2Fnuz,
    /// 8 bits: a sign, 4 bits of exponent, 3 of mantissa; no infinity; NaN in place of -0.
    F8E4M3Fnuz,
    /// 8 bits of exponent: a power of two.
    F8E8M0Fnu,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 64 bits.
    U64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 8 bits.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// Two binary32, real and imaginary.
    C64,
    /// Two binary64, real and imaginary.
    C128,
}

impl Dtype {
    /// The size of an element in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, usize) {
        TABLE.iter().find(|(dtype, ..)| *dtype == self).invariant("every type has a row")
    }

    /// The type of torch's name.
    #[cfg(feature = "pt")]
    pub(super) fn of_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, own, _)| *own == name).map(|(dtype, ..)| *dtype)
    }

    /// The size of a number in bytes; a complex element is two numbers.
    #[cfg(any(feature = "npz", feature = "pt"))]
    pub(crate) fn unit(self) -> usize {
        if matches!(self, Self::C64 | Self::C128) { self.size() / 2 } else { self.size() }
    }

    /// Whether the elements are floating-point numbers; complex numbers are not.
    #[must_use]
    pub fn is_float(self) -> bool {
        self == Self::F64 || self.fits_single()
    }

    /// Whether every value is exactly an `f32`.
    pub(crate) fn fits_single(self) -> bool {
        self == Self::F32 || self.small().is_some() || self == Self::F8E8M0Fnu
    }

    /// Writes the little-endian floats of an array into as many places, each rounded to the nearest `A`.
    pub(crate) fn convert<A: Scalar>(self, bytes: &[u8], places: &mut [A]) {
        let places = places.iter_mut();
        match self {
            Self::F64 => {
                let values = bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
                places.zip(values).for_each(|(place, value)| *place = A::from_f64(value));
            }
            Self::F32 => {
                let values = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
                places.zip(values).for_each(|(place, value)| *place = A::from_f64(value.into()));
            }
            Self::F8E8M0Fnu => {
                places.zip(bytes).for_each(|(place, &byte)| *place = A::from_f64(power_of_two(byte)));
            }
            _ => {
                let format = self.small().invariant("only floats are converted");
                for (place, bytes) in places.zip(bytes.chunks_exact(self.size())) {
                    *place = A::from_f64(format.value(little_endian(bytes) as u32));
                }
            }
        }
    }

    fn small(self) -> Option<Small> {
        let (exponent, mantissa, special) = match self {
            Self::F16 => (5, 10, Special::Ieee),
            Self::Bf16 => (8, 7, Special::Ieee),
            Self::F8E5M2 => (5, 2, Special::Ieee),
            Self::F8E4M3Fn => (4, 3, Special::AllOnes),
            Self::F8E5M2Fnuz => (5, 2, Special::NegativeZero),
            Self::F8E4M3Fnuz => (4, 3, Special::NegativeZero),
            _ => return None,
        };
        Some(Small { exponent, mantissa, special })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().1)
    }
}

/// Each type, torch's name of it, and the size of an element in bytes.
const TABLE: [(Dtype, &str, usize); 20] = [
    (Dtype::F64, "float64", 8),
    (Dtype::F32, "float32", 4),
    (Dtype::F16, "float16", 2),
    (Dtype::Bf16, "bfloat16", 2),
    (Dtype::F8E5M2, "float8_e5m2", 1),
    (Dtype::F8E4M3Fn, "float8_e4m3fn", 1),
    (Dtype::F8E5M2Fnuz, "float8_e5m2fnuz", 1),
    (Dtype::F8E4M3Fnuz, "float8_e4m3fnuz", 1),
    (Dtype::F8E8M0Fnu, "float8_e8m0fnu", 1),
    (Dtype::I64, "int64", 8),
    (Dtype::I32, "int32", 4),
    (Dtype::I16, "int16", 2),
    (Dtype::I8, "int8", 1),
    (Dtype::U64, "uint64", 8),
    (Dtype::U32, "uint32", 4),
    (Dtype::U16, "uint16", 2),
    (Dtype::U8, "uint8", 1),
    (Dtype::Bool, "bool", 1),
    (Dtype::C64, "complex64", 8),
    (Dtype::C128, "complex128", 16),
];

/// A float of at most 16 bits: a sign, then `exponent` bits, then `mantissa` bits.
struct Small {
    exponent: u32,
    mantissa: u32,
    special: Special,
}

/// Which bits stand for infinity and NaN.
enum Special {
    /// The largest exponent: with a mantissa of 0 infinity, else NaN.
    Ieee,
    /// NaN where exponent and mantissa are all ones.
    AllOnes,
    /// NaN stands in place of -0, and the exponent's bias is greater by one.
    NegativeZero,
}

impl Small {
    fn value(&self, bits: u32) -> f64 {
        let largest = (1 << self.exponent) - 1;
        let mantissa = bits & ((1 << self.mantissa) - 1);
        let exponent = bits >> self.mantissa & largest;
        let negative = bits >> (self.mantissa + self.exponent) & 1 == 1;
        let magnitude = match self.special {
            Special::Ieee if exponent == largest && mantissa == 0 => f64::INFINITY,
            Special::Ieee if exponent == largest => f64::NAN,
            Special::AllOnes if exponent == largest && mantissa == (1 << self.mantissa) - 1 => f64::NAN,
            Special::NegativeZero if negative && exponent == 0 && mantissa == 0 => f64::NAN,
            _ => self.finite(exponent, mantissa),
        };
        if negative { -magnitude } else { magnitude }
    }

    fn finite(&self, exponent: u32, mantissa: u32) -> f64 {
        let bias = (1 << (self.exponent - 1)) - 1 + i32::from(matches!(self.special, Special::NegativeZero));
        // An exponent of 0 says that the mantissa has no leading one, and then counts as 1.
        let leading = u32::from(exponent != 0) << self.mantissa;
        let power = exponent.max(1) as i32 - bias - self.mantissa as i32;
        libm::scalbn(f64::from(leading | mantissa), power)
    }
}

/// The value of a `float8_e8m0fnu`.
fn power_of_two(exponent: u8) -> f64 {
    if exponent == u8::MAX { f64::NAN } else { libm::scalbn(1.0, i32::from(exponent) - 127) }
}

/// An unsigned number of at most 8 bytes.
pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
