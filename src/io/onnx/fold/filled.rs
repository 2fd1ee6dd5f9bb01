//! Arrays whose elements are known, though perhaps not all their lengths.

use ndarray::{ArcArray, Array, Axis, IxDyn, Slice, Zip};

use super::movement::Movement;
use crate::error::Result;
use crate::io::budget::Budget;

/// A whole number of the graph: a length, or an element of a list of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Int<'g> {
    Known(i64),
    /// The length of an axis of a value that is known only when the model runs.
    Length(&'g str, usize),
    Unknown,
}

impl Int<'_> {
    pub(in super::super) fn known(self) -> Option<usize> {
        match self {
            Int::Known(n) => usize::try_from(n).ok(),
            _ => None,
        }
    }
}

/// The length of an axis after broadcasting; `None` if the two do not fit.
pub(super) fn broadcast_length<'g>(a: Int<'g>, b: Int<'g>) -> Option<Int<'g>> {
    Some(match (a, b) {
        (Int::Known(1), other) | (other, Int::Known(1)) => other,
        (Int::Known(a), Int::Known(b)) if a != b => return None,
        // A length that is no 1 and is not known is the other one, or the model does not run.
        (Int::Known(n), _) | (_, Int::Known(n)) => Int::Known(n),
        (a, b) if a == b => a,
        _ => Int::Unknown,
    })
}

/// The lengths after broadcasting.
pub(super) fn broadcast<'g>(a: &[Int<'g>], b: &[Int<'g>]) -> Option<Vec<Int<'g>>> {
    let rank = a.len().max(b.len());
    let length = |shape: &[Int<'g>], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(Int::Known(1), |axis| shape[axis])
    };
    (0..rank).map(|axis| broadcast_length(length(a, axis), length(b, axis))).collect()
}

/// An array that may be the same along an axis: `data` then has one element there, whatever the axis's length is.
#[derive(Debug, Clone)]
pub(in super::super) struct Filled<'g, T> {
    pub(in super::super) shape: Vec<Int<'g>>,
    pub(in super::super) data: ArcArray<T, IxDyn>,
}

impl<'g, T: Clone + PartialEq> Filled<'g, T> {
    pub(super) fn new(array: Array<T, IxDyn>) -> Self {
        let shape = array.shape().iter().map(|&n| Int::Known(n as i64)).collect();
        Self { shape, data: array.into_shared() }
    }

    /// An array of one value.
    pub(super) fn uniform(shape: Vec<Int<'g>>, value: T) -> Self {
        let data = Array::from_elem(IxDyn(&vec![1; shape.len()]), value).into_shared();
        Self { shape, data }
    }

    /// Whether the elements are the same all along an axis.
    pub(in super::super) fn repeats(&self, axis: usize) -> bool {
        self.data.shape()[axis] == 1 && self.shape[axis] != Int::Known(1)
    }

    pub(super) fn moved(&self, movement: &Movement<'g>) -> Self {
        let Self { mut shape, mut data } = self.clone();
        match movement {
            Movement::Permute(axes) => {
                shape = axes.iter().map(|&axis| shape[axis]).collect();
                data = data.permuted_axes(IxDyn(axes));
            }
            &Movement::Insert(axis) => {
                shape.insert(axis, Int::Known(1));
                data = data.insert_axis(Axis(axis));
            }
            &Movement::Remove(axis) => {
                shape.remove(axis);
                data = data.index_axis_move(Axis(axis), 0);
            }
            &Movement::Slice { axis, start, length } => {
                if let Some(length) = length.known().filter(|_| !self.repeats(axis)) {
                    data.slice_axis_inplace(Axis(axis), Slice::from(start..start + length));
                }
                shape[axis] = length;
            }
        }
        Self { shape, data }
    }

    /// The lengths, if all are known.
    pub(in super::super) fn sizes(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|length| length.known()).collect()
    }

    /// The array with all its elements; `None` if a length is not known.
    pub(in super::super) fn dense(&self, name: &str, budget: &mut Budget) -> Result<Option<Array<T, IxDyn>>> {
        let Some(sizes) = self.sizes() else { return Ok(None) };
        take::<T>(&sizes, name, budget)?;
        Ok(self.data.broadcast(IxDyn(&sizes)).map(|view| view.to_owned()))
    }

    /// The elements in row-major order under other lengths.
    pub(super) fn reshaped(
        &self,
        shape: Vec<Int<'g>>,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<Self>> {
        if let (1, Some(value)) = (self.data.len(), self.data.first()) {
            return Ok(Some(Self::uniform(shape, value.clone())));
        }
        let Some(sizes) = shape.iter().map(|length| length.known()).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        if self.sizes().is_some_and(|sizes| sizes == self.data.shape()) && self.data.is_standard_layout() {
            let data = self.data.clone().into_shape_with_order(IxDyn(&sizes)).ok();
            return Ok(data.map(|data| Self { shape, data }));
        }
        let dense = self.dense(name, budget)?;
        let standard = dense.and_then(|dense| {
            let elements = dense.iter().cloned().collect();
            Array::from_shape_vec(IxDyn(&sizes), elements).ok()
        });
        Ok(standard.map(Self::new))
    }

    /// The array broadcast with an array of the lengths `target`.
    pub(super) fn expanded(&self, target: &[Int<'g>]) -> Option<Self> {
        let shape = broadcast(&self.shape, target)?;
        let mut data = self.data.clone();
        while data.ndim() < shape.len() {
            data = data.insert_axis(Axis(0));
        }
        Some(Self { shape, data })
    }

    /// The elements of the given places along an axis.
    pub(super) fn selected(
        &self,
        axis: usize,
        places: &[usize],
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<Self>> {
        let mut shape = self.shape.clone();
        shape[axis] = Int::Known(places.len() as i64);
        if self.repeats(axis) {
            return Ok(Some(Self { shape, data: self.data.clone() }));
        }
        if places.iter().any(|&place| place >= self.data.shape()[axis]) {
            return Ok(None);
        }
        let mut sizes = self.data.shape().to_vec();
        sizes[axis] = places.len();
        take::<T>(&sizes, name, budget)?;
        Ok(Some(Self { shape, data: self.data.select(Axis(axis), places).into_shared() }))
    }

    /// Arrays one after the other along an axis.
    pub(super) fn joined(
        parts: &[&Self],
        axis: usize,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<Self>> {
        let Some((first, rest)) = parts.split_first() else { return Ok(None) };
        let mut shape = first.shape.clone();
        let mut data = first.data.shape().to_vec();
        let mut length = Some(0_usize);
        if rest.iter().any(|part| part.shape.len() != shape.len()) {
            return Ok(None);
        }
        for part in parts {
            length = length.zip(part.shape[axis].known()).and_then(|(sum, n)| sum.checked_add(n));
            for (i, size) in data.iter_mut().enumerate().filter(|&(i, _)| i != axis) {
                shape[i] = match (shape[i], part.shape[i]) {
                    (a, b) if a == b => a,
                    (Int::Known(_), Int::Known(_)) => return Ok(None),
                    (known @ Int::Known(_), _) | (_, known @ Int::Known(_)) => known,
                    _ => Int::Unknown,
                };
                *size = (*size).max(part.data.shape()[i]);
            }
        }
        let Some(length) = length else { return Ok(None) };
        shape[axis] = Int::Known(length as i64);
        data[axis] = length;
        take::<T>(&data, name, budget)?;
        let mut views = Vec::new();
        for part in parts {
            data[axis] = part.shape[axis].known().unwrap_or(0);
            let Some(view) = part.data.broadcast(IxDyn(&data)) else { return Ok(None) };
            views.push(view);
        }
        Ok(ndarray::concatenate(Axis(axis), &views).ok().map(|data| Self { shape, data: data.into_shared() }))
    }

    /// A function of the elements of two arrays, broadcast; `None` if their lengths do not fit.
    pub(super) fn zip<U: Clone + PartialEq, V: Clone>(
        &self,
        other: &Filled<'g, U>,
        name: &str,
        budget: &mut Budget,
        f: impl Fn(&T, &U) -> V,
    ) -> Result<Option<Filled<'g, V>>> {
        let Some(shape) = broadcast(&self.shape, &other.shape) else { return Ok(None) };
        let Some((a, b)) = self.expanded(&shape).zip(other.expanded(&shape)) else { return Ok(None) };
        let sizes = a.data.shape().iter().zip(b.data.shape()).map(|(&a, &b)| if a == 1 { b } else { a });
        let sizes: Vec<_> = sizes.collect();
        take::<V>(&sizes, name, budget)?;
        let views = a.data.broadcast(IxDyn(&sizes)).zip(b.data.broadcast(IxDyn(&sizes)));
        Ok(views.map(|(a, b)| {
            let data = Zip::from(&a).and(&b).map_collect(f).into_shared();
            Filled { shape, data }
        }))
    }

    /// A function of every element.
    pub(super) fn map<V: Clone>(
        &self,
        name: &str,
        budget: &mut Budget,
        f: impl FnMut(&T) -> V,
    ) -> Result<Filled<'g, V>> {
        take::<V>(self.data.shape(), name, budget)?;
        Ok(Filled { shape: self.shape.clone(), data: self.data.map(f).into_shared() })
    }

    /// The elements of a list, if the list's length is known.
    pub(super) fn list(&self) -> Option<Vec<T>> {
        let [length] = self.sizes()?[..] else { return None };
        // A list of lengths has as many elements as an array has axes.
        let repeated = self.repeats(0).then(|| self.data.iter().cycle().take(length.min(MAX_LIST)));
        match repeated {
            Some(_) if length > MAX_LIST => None,
            Some(elements) => Some(elements.cloned().collect()),
            None => Some(self.data.iter().cloned().collect()),
        }
    }
}

/// Takes the memory of an array.
fn take<T>(sizes: &[usize], name: &str, budget: &mut Budget) -> Result<()> {
    let count = sizes.iter().fold(size_of::<T>(), |count: usize, &size| count.saturating_mul(size));
    budget.take(name, count)
}

/// The most elements of a list of lengths that repeats one number.
const MAX_LIST: usize = 1 << 10;
