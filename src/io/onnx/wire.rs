//! Reading a protobuf message field by field, without a copy. A graph may have millions of empty messages, which would
//! take far more memory decoded than in the file.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::FORMAT;
use crate::error::Result;
use crate::io::files::{expect_at_most, malformed};

/// The most fields of a node, and of a message that is decoded as a whole.
pub(super) const MAX_FIELDS: usize = 1 << 12;

/// The fields of a message in their order: each tag, and the bytes of the field if it is text, bytes or a message.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// The message's name in errors.
    message: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, message }
    }

    fn field(&mut self) -> Option<(u32, Option<&'a [u8]>)> {
        let (tag, wire_type) = decode_key(&mut self.rest).ok()?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut self.rest).ok()?;
                return Some((tag, None));
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut self.rest).ok()?).ok()?,
            // Groups, which ONNX's messages do not have.
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((tag, (wire_type == WireType::LengthDelimited).then_some(bytes)))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Option<&'a [u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let left = self.rest.len();
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        let error = || malformed(FORMAT, self.message, "a field", format!("{left} bytes that are none"));
        Some(field.ok_or_else(error))
    }
}

/// A field's bytes as text.
pub(super) fn text<'a>(field: &str, bytes: &'a [u8]) -> Result<&'a str> {
    str::from_utf8(bytes).map_err(|error| malformed(FORMAT, field, "UTF-8", error))
}

/// Decodes a message as a whole, if it has few enough fields.
pub(super) fn decode<M: Message + Default>(message: &'static str, bytes: &[u8]) -> Result<M> {
    let fields = Fields::new(message, bytes).try_fold(0, |count, field| field.map(|_| count + 1))?;
    expect_at_most(FORMAT, format!("the number of fields of a {message}"), MAX_FIELDS, fields)?;
    M::decode(bytes).map_err(|error| malformed(FORMAT, message, "fields of their types", error))
}
