//! What is known of a value before the model runs.

use super::filled::{Filled, Int};
use super::movement::Movement;
use super::part::Part;
use crate::io::Dtype;
use crate::scalar::Scalar;

/// The elements of a value, as far as they are known.
#[derive(Debug, Clone)]
pub(in super::super) enum Content<'g, A> {
    Floats(Filled<'g, A>),
    Ints(Filled<'g, Int<'g>>),
    Part(Part<'g>),
}

/// A value before the model runs.
#[derive(Debug, Clone)]
pub(in super::super) struct Value<'g, A> {
    /// The element type, if the graph says it.
    pub(in super::super) dtype: Option<Dtype>,
    pub(in super::super) content: Content<'g, A>,
}

impl<'g, A: Scalar> Value<'g, A> {
    /// A value of which the elements are known only when the model runs.
    pub(super) fn opaque(name: &'g str, dtype: Option<Dtype>, shape: Option<&[Int<'g>]>) -> Self {
        Self { dtype, content: Content::Part(Part::whole(name, shape)) }
    }

    /// A list of lengths.
    pub(super) fn lengths(filled: Filled<'g, Int<'g>>) -> Self {
        Self { dtype: Some(Dtype::I64), content: Content::Ints(filled) }
    }

    pub(super) fn floats(&self) -> Option<&Filled<'g, A>> {
        if let Content::Floats(filled) = &self.content { Some(filled) } else { None }
    }

    pub(super) fn ints(&self) -> Option<&Filled<'g, Int<'g>>> {
        if let Content::Ints(filled) = &self.content { Some(filled) } else { None }
    }

    pub(in super::super) fn part(&self) -> Option<&Part<'g>> {
        if let Content::Part(part) = &self.content { Some(part) } else { None }
    }

    /// The lengths of the axes; `None` if not even their number is known.
    pub(in super::super) fn shape(&self) -> Option<Vec<Int<'g>>> {
        match &self.content {
            Content::Floats(filled) => Some(filled.shape.clone()),
            Content::Ints(filled) => Some(filled.shape.clone()),
            Content::Part(part) => part.shape(),
        }
    }

    /// Whether the elements are the same all along an axis.
    pub(super) fn repeats(&self, axis: usize) -> bool {
        match &self.content {
            Content::Floats(filled) => filled.repeats(axis),
            Content::Ints(filled) => filled.repeats(axis),
            Content::Part(_) => false,
        }
    }

    pub(super) fn moved(&self, movement: &Movement<'g>) -> Option<Self> {
        let content = match &self.content {
            Content::Floats(filled) => Content::Floats(filled.moved(movement)),
            Content::Ints(filled) => Content::Ints(filled.moved(movement)),
            Content::Part(part) => Content::Part(part.clone().moved(movement)?),
        };
        Some(Self { dtype: self.dtype, content })
    }

    /// The elements of a list of whole numbers.
    pub(super) fn list(&self) -> Option<Vec<Int<'g>>> {
        self.ints().and_then(Filled::list)
    }
}
