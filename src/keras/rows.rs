//! Between Keras's arrays and the engine's rows.
//!
//! A masked step leaves the state as it is, so the engine does not see it: rows are the steps that count, each sequence's
//! in the order of processing. A masked step shows the output of the row before it, if there is one.

use ndarray::{
    Array, Array2, Array3, ArrayBase, ArrayRef, ArrayRef2, ArrayRef3, Axis, CowArray, Dimension, Ix2, Ix3,
    RawData,
};

use crate::arrays::{elements, elements_mut, into_standard, try_standard};
use crate::error::Result;
use crate::invariant::Invariant;
use crate::kernels::copy;
use crate::layout::Layout;
use crate::room::{array, filled, room, zero_elements, zeros};
use crate::rows::Source;
use crate::scalar::Scalar;

/// The outputs that a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Each sequence's last: (N, units).
    Last,
    /// Those of every step: (N, T, units).
    Every,
}

impl Shown {
    /// Those that an array of `D` axes holds.
    pub(super) fn of<D: Dimension>() -> Self {
        if D::NDIM == Some(3) { Self::Every } else { Self::Last }
    }

    /// The shape of the outputs.
    pub(super) fn shape(self, batch: usize, len: usize, units: usize) -> Vec<usize> {
        match self {
            Self::Last => vec![batch, units],
            Self::Every => vec![batch, len, units],
        }
    }
}

/// An array whose number of axes is known.
pub(super) fn of_axes<S: RawData, D: Dimension, E: Dimension>(array: ArrayBase<S, D>) -> ArrayBase<S, E> {
    array.into_dimensionality().invariant("the number of axes was asked for, or checked")
}

/// Which steps of a batch of sequences are rows.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) layout: Layout,
    pub(super) batch: usize,
    pub(super) len: usize,
    backwards: bool,
    masked: Option<Masked>,
}

/// What a mask leaves.
#[derive(Debug, Clone)]
struct Masked {
    /// By row, the place of its step in the order of processing.
    places: Vec<usize>,
    /// By sequence and place, the row whose output is shown.
    shown: Array2<Option<usize>>,
}

impl Rows {
    /// Every step of every sequence.
    pub(super) fn all([batch, len]: [usize; 2], backwards: bool) -> Self {
        Self { layout: Layout::equal(len, batch), batch, len, backwards, masked: None }
    }

    /// The steps where a mask (N, T) is true. With `zero` a masked step shows zero.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) if no memory holds the table of the steps.
    pub(super) fn masked(mask: &ArrayRef2<bool>, backwards: bool, zero: bool) -> Result<Self> {
        let (batch, len) = mask.dim();
        let counts = |n: usize, place: usize| mask[[n, if backwards { len - 1 - place } else { place }]];
        // Before the mask is read: a broadcast one may have more steps than memory.
        let mut shown = filled("mask", (batch, len), None)?;
        let mut lengths = room("mask", &[batch])?;
        lengths.extend((0..batch).map(|n| (0..len).filter(|&place| counts(n, place)).count()));
        let layout = Layout::of_lengths(&lengths)?;
        let mut places = zero_elements("mask", &[layout.steps.rows()])?;
        for (b, &n) in layout.order.iter().flatten().enumerate() {
            let (mut step, mut row) = (0, None);
            for place in 0..len {
                if counts(n, place) {
                    row = Some(layout.steps.start(step) + b);
                    places[layout.steps.start(step) + b] = place;
                    step += 1;
                }
                shown[[n, place]] = row.filter(|_| !zero || counts(n, place));
            }
        }
        Ok(Self { layout, batch, len, backwards, masked: Some(Masked { places, shown }) })
    }

    /// Zeros for the last outputs, or for the rows of every step's.
    pub(super) fn room<A: Scalar>(&self, shown: Shown, units: usize) -> Result<Vec<A>> {
        let rows = self.layout.steps.rows();
        match (shown, &self.masked) {
            (Shown::Last, _) => zero_elements("output", &[self.batch, units]),
            (Shown::Every, None) => zero_elements("output", &[self.batch, self.len, units]),
            (Shown::Every, Some(_)) => zero_elements("output", &[rows, units]),
        }
    }

    /// Where rows start in an array (T, N, width) with plain rows; nothing if they are all its rows in its order.
    pub(super) fn offsets<A>(&self, array: &CowArray<'_, A, Ix3>) -> Result<Option<Vec<usize>>> {
        if !self.backwards && self.masked.is_none() {
            return Ok(None);
        }
        let [time, sequence] = [Axis(0), Axis(1)].map(|axis| array.stride_of(axis).unsigned_abs());
        let mut offsets = room("input", &[self.layout.steps.rows()])?;
        offsets.extend(self.places().map(|(_, n, t)| t * time + n * sequence));
        Ok(Some(offsets))
    }

    /// The rows of an array (T, N, width) with plain rows, its offsets as [`offsets`](Self::offsets) has them.
    pub(super) fn source<'a, A: Scalar>(
        &'a self,
        array: &'a CowArray<'_, A, Ix3>,
        offsets: Option<&'a [usize]>,
    ) -> Source<'a, A> {
        let Some(offsets) = offsets else { return Source::grid(array, None) };
        let data = array.as_slice_memory_order().invariant("an array with plain rows is dense");
        Source::table(data, array.len_of(Axis(2)), &self.layout.steps, offsets)
    }

    /// Row, sequence and the caller's time of every row.
    fn places(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let steps = &self.layout.steps;
        steps.places(0..steps.len()).enumerate().map(|(row, (step, b))| {
            let place = self.masked.as_ref().map_or(step, |masked| masked.places[row]);
            (row, self.sequence(b), if self.backwards { self.len - 1 - place } else { place })
        })
    }

    /// The outputs, with `D` axes, from [`room`](Self::room) that holds the rows of every step's outputs, if these are shown,
    /// and from the final h.
    pub(super) fn outputs<A: Scalar, D: Dimension>(
        &self,
        mut room: Vec<A>,
        h: &ArrayRef2<A>,
    ) -> Result<Array<A, D>> {
        let shown = Shown::of::<D>();
        let elements = match shown {
            Shown::Last => {
                copy(elements(h), &mut room);
                self.hide(&mut room, h.ncols());
                room
            }
            Shown::Every => self.sequences(room, h.ncols())?,
        };
        let axes = if shown == Shown::Every { 3 } else { 2 };
        let mut dim = D::zeros(axes);
        dim[1] = self.len;
        (dim[0], dim[axes - 1]) = (self.batch, h.ncols());
        Ok(array(dim, elements))
    }

    /// The way back of [`outputs`](Self::outputs), of shapes that were checked: the gradient of the rows, none if it is zero, and
    /// that of the final h, to which `d_h` is added.
    pub(super) fn d_outputs<A: Scalar, D: Dimension>(
        &self,
        shown: Shown,
        d_output: &ArrayRef<A, D>,
        d_h: Option<&ArrayRef2<A>>,
    ) -> Result<(Option<Vec<A>>, Array2<A>)> {
        Ok(match shown {
            Shown::Last => {
                let mut d_last = try_standard("d_output", &of_axes::<_, _, Ix2>(d_output.view()))?;
                let units = d_last.ncols();
                self.hide(elements_mut(&mut d_last), units);
                if let Some(d_h) = d_h {
                    d_last.zip_mut_with(d_h, |d, &term| *d += term);
                }
                (None, d_last)
            }
            Shown::Every => {
                let d_outputs = of_axes::<_, _, Ix3>(d_output.view());
                let d_h = match d_h {
                    None => zeros("d_state", (self.batch, d_outputs.len_of(Axis(2))))?,
                    Some(d_h) => try_standard("d_state", d_h)?,
                };
                (Some(self.gather(&d_outputs)?), d_h)
            }
        })
    }

    /// The outputs (N, T, units) in the order of processing, from rows.
    fn sequences<A: Scalar>(&self, rows: Vec<A>, units: usize) -> Result<Vec<A>> {
        let Some(masked) = &self.masked else {
            let mut array = array((self.len, self.batch, units), rows);
            array.swap_axes(0, 1);
            return Ok(into_standard("output", array)?.into_raw_vec_and_offset().0);
        };
        let mut array = room("output", &[self.batch, self.len, units])?;
        for &row in &masked.shown {
            match row {
                Some(row) => array.extend_from_slice(&rows[row * units..][..units]),
                None => array.resize(array.len() + units, A::zero()),
            }
        }
        Ok(array)
    }

    /// The way back of [`sequences`](Self::sequences): the gradient of rows, steps added in the order of processing.
    fn gather<A: Scalar>(&self, gradient: &ArrayRef3<A>) -> Result<Vec<A>> {
        let units = gradient.len_of(Axis(2));
        let mut rows = self.layout.zero_rows::<A>("d_output", units)?;
        for n in 0..self.batch {
            for place in 0..self.len {
                if let Some(row) = self.shown(n, place) {
                    let terms = rows[row * units..][..units].iter_mut();
                    terms.zip(gradient.index_axis(Axis(0), n).row(place)).for_each(|(d, &term)| *d += term);
                }
            }
        }
        Ok(rows)
    }

    /// The row whose output a sequence shows at a place in the order of processing.
    fn shown(&self, n: usize, place: usize) -> Option<usize> {
        match &self.masked {
            None => Some(place * self.batch + n),
            Some(masked) => masked.shown[[n, place]],
        }
    }

    /// Makes the rows of the last outputs, or of their gradient, zero where the last step shows nothing.
    fn hide<A: Scalar>(&self, last: &mut [A], units: usize) {
        for (n, row) in last.chunks_exact_mut(units).enumerate() {
            if self.shown(n, self.len - 1).is_none() {
                row.fill(A::zero());
            }
        }
    }

    /// Rows as an array (N, T, width), called `name`; zero where no row is.
    pub(super) fn scatter<A: Scalar>(&self, name: &str, rows: &[A], width: usize) -> Result<Array3<A>> {
        let mut array = zeros(name, (self.batch, self.len, width))?;
        let elements = elements_mut(&mut array);
        for (row, n, t) in self.places() {
            elements[(n * self.len + t) * width..][..width].copy_from_slice(&rows[row * width..][..width]);
        }
        Ok(array)
    }

    /// The sequence that is row `b` of every step.
    pub(super) fn sequence(&self, b: usize) -> usize {
        self.layout.sequence(b)
    }
}
