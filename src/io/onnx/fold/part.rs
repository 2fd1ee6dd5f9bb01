//! Values that are known only when the model runs, their elements moved.

use super::filled::Int;
use super::movement::Movement;

/// A range of an axis of the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Factor<'g> {
    pub(in super::super) axis: usize,
    pub(in super::super) start: usize,
    pub(in super::super) length: Int<'g>,
}

/// An axis: ranges of the origin's axes, the slowest first. An axis of none has length 1.
pub(in super::super) type Factors<'g> = Vec<Factor<'g>>;

/// What a value holds of its origin: a graph's input or a node's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Part<'g> {
    pub(in super::super) origin: &'g str,
    /// The origin's axes of which the value holds one index, in the axes' order.
    pub(in super::super) fixed: Vec<(usize, usize)>,
    /// `None` if nobody says how many axes there are.
    pub(in super::super) axes: Option<Vec<Factors<'g>>>,
}

/// An axis of a reshaped value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'g> {
    /// The length of the same axis before.
    Copy,
    /// Whatever is left.
    Rest,
    Length(Int<'g>),
}

impl<'g> Part<'g> {
    /// A whole value of the given lengths.
    pub(in super::super) fn whole(origin: &'g str, shape: Option<&[Int<'g>]>) -> Self {
        let factor = |(axis, &length)| vec![Factor { axis, start: 0, length }];
        let axes = shape.map(|shape| shape.iter().enumerate().map(factor).collect());
        Self { origin, fixed: Vec::new(), axes }
    }

    pub(super) fn shape(&self) -> Option<Vec<Int<'g>>> {
        Some(self.axes.as_ref()?.iter().map(|axis| length(axis)).collect())
    }

    /// Whether the value is its origin, element by element.
    pub(in super::super) fn is_whole(&self) -> bool {
        let is = |(i, axis): (usize, &Factors<'g>)| matches!(axis[..], [Factor { axis, start: 0, .. }] if axis == i);
        self.fixed.is_empty() && self.axes.as_ref().is_none_or(|axes| axes.iter().enumerate().all(is))
    }

    /// The part with every range of length 1 among the fixed axes.
    pub(in super::super) fn normalised(mut self) -> Self {
        let mut fixed = Vec::new();
        for axis in self.axes.iter_mut().flatten() {
            axis.retain(|factor| {
                let one = factor.length == Int::Known(1);
                if one {
                    fixed.push((factor.axis, factor.start));
                }
                !one
            });
        }
        self.fixed.extend(fixed);
        self.fixed.sort_unstable();
        self
    }

    pub(super) fn moved(mut self, movement: &Movement<'g>) -> Option<Self> {
        match movement {
            Movement::Permute(order) => {
                let lengths =
                    || (0..order.len()).map(|axis| Int::Length(self.origin, axis)).collect::<Vec<_>>();
                let axes = match self.axes {
                    Some(axes) => axes,
                    None => Self::whole(self.origin, Some(&lengths())).axes?,
                };
                self.axes = Some(order.iter().map(|&axis| axes[axis].clone()).collect());
            }
            &Movement::Insert(axis) => self.axes.as_mut()?.insert(axis, Vec::new()),
            &Movement::Remove(axis) => {
                let removed = self.axes.as_mut()?.remove(axis);
                self.fixed.extend(removed.iter().map(|factor| (factor.axis, factor.start)));
                self.fixed.sort_unstable();
            }
            &Movement::Slice { axis, start, length } => {
                let [factor] = &mut self.axes.as_mut()?[axis][..] else { return None };
                factor.start = factor.start.checked_add(start)?;
                factor.length = length;
            }
        }
        Some(self)
    }

    /// The elements in row-major order under other lengths, if every new axis is a run of ranges.
    pub(super) fn reshaped(self, targets: &[Target<'g>]) -> Option<Self> {
        let shape = self.shape()?;
        let kept = targets.iter().take_while(|target| matches!(target, Target::Copy)).count();
        let axes = self.axes.clone()?;
        let mut left = Self { axes: Some(vec![axes.get(kept..)?.concat()]), ..self }.normalised();
        let mut factors = left.axes.take()?.concat();
        let mut axes = axes[..kept].to_vec();
        let rest = targets[kept..].iter().position(|target| matches!(target, Target::Rest));
        let lengths = targets.iter().enumerate().skip(kept).map(|(i, target)| match *target {
            Target::Copy => shape.get(i).copied(),
            Target::Rest => Some(Int::Unknown),
            Target::Length(length) => Some(length),
        });
        let lengths: Vec<_> = lengths.collect::<Option<_>>()?;
        let (before, after) = lengths.split_at(rest.unwrap_or(lengths.len()));
        for &length in before {
            axes.push(take(&mut factors, length, |factors| factors.remove(0))?);
        }
        let mut last = Vec::new();
        for &length in after.iter().skip(1).rev() {
            let mut axis = take(&mut factors, length, |factors| factors.remove(factors.len() - 1))?;
            axis.reverse();
            last.push(axis);
        }
        match rest {
            Some(_) => axes.push(factors),
            None if !factors.is_empty() => return None,
            None => {}
        }
        axes.extend(last.into_iter().rev());
        Some(Self { axes: Some(axes), ..left })
    }

    /// Parts one after the other along an axis, if they are the indices of one axis of their origin, all in turn: that
    /// axis then stands before the others of `axis`.
    pub(super) fn joined(parts: &[&Self], axis: usize) -> Option<Self> {
        let parts: Vec<_> = parts.iter().map(|&part| part.clone().normalised()).collect();
        let (first, second) = (parts.first()?, parts.get(1)?);
        let mut pairs = first.fixed.iter().zip(&second.fixed);
        let (along, &(apart, start)) = pairs.position(|(a, b)| a != b).map(|i| (i, &first.fixed[i]))?;
        let expected = |i: usize| {
            let mut part = first.clone();
            part.fixed[along] = (apart, start + i);
            part
        };
        if parts.iter().enumerate().any(|(i, part)| *part != expected(i)) {
            return None;
        }
        let mut joined = first.clone();
        joined.fixed.remove(along);
        let length = Int::Known(parts.len() as i64);
        joined.axes.as_mut()?.get_mut(axis)?.insert(0, Factor { axis: apart, start, length });
        Some(joined)
    }
}

/// The length of an axis.
fn length<'g>(axis: &[Factor<'g>]) -> Int<'g> {
    match axis {
        [factor] => factor.length,
        _ => axis.iter().fold(Int::Known(1), |product, factor| match (product, factor.length) {
            (Int::Known(a), Int::Known(b)) => a.checked_mul(b).map_or(Int::Unknown, Int::Known),
            _ => Int::Unknown,
        }),
    }
}

/// Takes the ranges that make an axis of the length `wanted`, one after the other.
fn take<'g>(
    factors: &mut Factors<'g>,
    wanted: Int<'g>,
    mut next: impl FnMut(&mut Factors<'g>) -> Factor<'g>,
) -> Option<Factors<'g>> {
    let mut taken = Vec::new();
    match wanted {
        Int::Known(wanted) => {
            let mut product = 1;
            while product != wanted {
                let factor = (!factors.is_empty()).then(|| next(factors))?;
                let Int::Known(length) = factor.length else { return None };
                product = i64::checked_mul(product, length).filter(|&product| product <= wanted)?;
                taken.push(factor);
            }
        }
        Int::Length(..) => {
            let factor = (!factors.is_empty()).then(|| next(factors))?;
            taken.push(Some(factor).filter(|factor| factor.length == wanted)?);
        }
        Int::Unknown => return None,
    }
    Some(taken)
}
