//! JSON as Python writes it, read only as far as it is needed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::FORMAT;
use crate::error;
use crate::io::files::malformed;

/// The text of some JSON, without a byte-order mark and without the words that Python writes and JSON does not have.
pub(super) fn text<'a>(field: &str, bytes: &'a [u8]) -> error::Result<Cow<'a, str>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| malformed(FORMAT, field, "text", error))?;
    Ok(if ["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        standard(text).into()
    } else {
        text.into()
    })
}

/// JSON whose bare `NaN` is a text and whose bare `Infinity` is a number that is too large.
fn standard(mut text: &str) -> String {
    let mut standard = String::with_capacity(text.len() * 2);
    while !text.is_empty() {
        let (bare, rest) = text.split_at(text.find('"').unwrap_or(text.len()));
        standard += &bare.replace("NaN", "\"NaN\"").replace("Infinity", "1e999");
        let (quoted, rest) = rest.split_at(quoted(rest.as_bytes()));
        standard += quoted;
        text = rest;
    }
    standard
}

/// The length of the quoted text with which some JSON begins.
fn quoted(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    json.len()
}

/// An entry of an object: its text, if the object has the entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

impl<'a> Entry<'a> {
    /// An entry of this text.
    pub(super) fn of(text: &'a str) -> Self {
        Self(serde_json::from_str(text).ok())
    }

    /// The text.
    pub(super) fn text(self) -> Option<&'a str> {
        self.0.map(RawValue::get)
    }

    /// The value, if it is of this type.
    pub(super) fn get<T: Deserialize<'a>>(self) -> Option<T> {
        self.text().and_then(|text| serde_json::from_str(text).ok())
    }

    /// The object's entries, if it is an object.
    pub(super) fn object<T: Deserialize<'a>>(self) -> Option<T> {
        object(self.text()?)
    }

    /// The objects of the list that could be layers, if it is a list.
    pub(super) fn objects(self) -> Option<Vec<Self>> {
        self.get().map(|Objects { objects, .. }| objects)
    }

    /// The objects of a list that holds nothing else.
    pub(super) fn only_objects(self) -> Option<Vec<Self>> {
        self.get().filter(|list: &Objects<'_>| list.others == 0).map(|Objects { objects, .. }| objects)
    }

    /// This entry, or another where the object does not have this one.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// The objects of a list.
struct Objects<'a> {
    objects: Vec<Entry<'a>>,
    /// How many elements are something else.
    others: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Objects<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Objects<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let (mut objects, mut others) = (Vec::new(), 0);
                // Shorter text is no layer. A list of a million numbers would take 16 MB.
                let layer = |text: &str| text.starts_with('{') && text.len() > r#"{"class_name":}"#.len();
                while let Some(Entry(element)) = list.next_element()? {
                    match element.filter(|element| layer(element.get())) {
                        Some(element) => objects.push(Entry(Some(element))),
                        None => others += 1,
                    }
                }
                Ok(Objects { objects, others })
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// The entries of an object. A list would be taken for its entries in order.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}
