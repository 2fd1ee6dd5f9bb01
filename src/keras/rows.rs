//! Between Keras's arrays and the engine's rows.
//!
//! A masked step carries the state, so to the engine it is no step at all: rows are the steps that count, each
//! sequence's in the order of processing. What a masked step shows is the output of the row before it, if there is one.

use ndarray::{Array2, Array3, ArrayRef2, ArrayRef3, Axis, CowArray, Ix3};

use crate::scalar::Scalar;
use crate::sequence::{Layout, Source, into_standard, standard};

/// Which steps of a batch of sequences are rows.
#[derive(Debug, Clone)]
pub struct Rows {
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

    /// The steps where a mask (N, T) is true. `zero` says whether a masked step shows nothing.
    pub(super) fn masked(mask: &ArrayRef2<bool>, backwards: bool, zero: bool) -> Self {
        let (batch, len) = mask.dim();
        let counts = |n: usize, place: usize| mask[[n, if backwards { len - 1 - place } else { place }]];
        let lengths: Vec<_> =
            (0..batch).map(|n| (0..len).filter(|&place| counts(n, place)).count()).collect();
        let layout = Layout::of_lengths(&lengths);
        let mut places = vec![0; layout.steps.rows()];
        let mut shown = Array2::from_elem((batch, len), None);
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
        Self { layout, batch, len, backwards, masked: Some(Masked { places, shown }) }
    }

    /// Where the rows of an array (T, N, width) with plain rows start, unless they are all of it in its order.
    pub(super) fn offsets<A>(&self, array: &CowArray<'_, A, Ix3>) -> Option<Vec<usize>> {
        if !self.backwards && self.masked.is_none() {
            return None;
        }
        let [time, sequence] = [Axis(0), Axis(1)].map(|axis| array.stride_of(axis).unsigned_abs());
        Some(self.places().map(|(_, n, t)| t * time + n * sequence).collect())
    }

    /// The rows of an array (T, N, width) with plain rows, its offsets as [`offsets`](Self::offsets) has them.
    pub(super) fn source<'a, A: Scalar>(
        &'a self,
        array: &'a CowArray<'_, A, Ix3>,
        offsets: Option<&'a [usize]>,
    ) -> Source<'a, A> {
        match (offsets, array.as_slice_memory_order()) {
            (Some(offsets), Some(data)) => {
                Source::table(data, array.len_of(Axis(2)), &self.layout.steps, offsets)
            }
            _ => Source::grid(array, None),
        }
    }

    /// Row, sequence and the caller's time of every row.
    fn places(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let steps = &self.layout.steps;
        steps.places(0..steps.len()).enumerate().map(|(row, (step, b))| {
            let place = self.masked.as_ref().map_or(step, |masked| masked.places[row]);
            (row, self.sequence(b), if self.backwards { self.len - 1 - place } else { place })
        })
    }

    /// The outputs (N, T, units) in the order of processing, from rows.
    pub(super) fn sequences<A: Scalar>(&self, rows: Vec<A>, units: usize) -> Array3<A> {
        let Some(masked) = &self.masked else {
            let mut array = Array3::from_shape_vec((self.len, self.batch, units), rows).unwrap_or_default();
            array.swap_axes(0, 1);
            return into_standard(array);
        };
        let mut array = Vec::with_capacity(self.batch * self.len * units);
        for &row in &masked.shown {
            match row {
                Some(row) => array.extend_from_slice(&rows[row * units..][..units]),
                None => array.resize(array.len() + units, A::zero()),
            }
        }
        Array3::from_shape_vec((self.batch, self.len, units), array).unwrap_or_default()
    }

    /// The way back of [`sequences`](Self::sequences): the gradient of rows, steps added in the order of processing.
    pub(super) fn gather<A: Scalar>(&self, gradient: &ArrayRef3<A>) -> Vec<A> {
        let units = gradient.len_of(Axis(2));
        let mut rows = vec![A::zero(); self.layout.steps.rows() * units];
        for place in 0..self.len {
            for n in 0..self.batch {
                if let Some(row) = self.shown(n, place) {
                    let terms = rows[row * units..][..units].iter_mut();
                    terms.zip(gradient.index_axis(Axis(0), n).row(place)).for_each(|(d, &term)| *d += term);
                }
            }
        }
        rows
    }

    /// The row whose output a sequence shows at a place in the order of processing.
    fn shown(&self, n: usize, place: usize) -> Option<usize> {
        match &self.masked {
            None => Some(place * self.batch + n),
            Some(masked) => masked.shown[[n, place]],
        }
    }

    /// The last outputs (N, units), from the final states: these, or zero where the last step shows nothing. Its own
    /// way back.
    pub(super) fn last<A: Scalar>(&self, states: &ArrayRef2<A>) -> Array2<A> {
        let mut last = standard(states);
        for (n, mut row) in last.outer_iter_mut().enumerate() {
            if self.shown(n, self.len - 1).is_none() {
                row.fill(A::zero());
            }
        }
        last
    }

    /// Rows as an array (N, T, width), zero where no row is.
    pub(super) fn scatter<A: Scalar>(&self, rows: &[A], width: usize) -> Array3<A> {
        let mut array = Array3::zeros((self.batch, self.len, width));
        let elements = array.as_slice_mut().unwrap_or_default();
        for (row, n, t) in self.places() {
            elements[(n * self.len + t) * width..][..width].copy_from_slice(&rows[row * width..][..width]);
        }
        array
    }

    /// The sequence that is row `b` of every step.
    pub(super) fn sequence(&self, b: usize) -> usize {
        self.layout.order.as_ref().map_or(b, |order| order[b])
    }
}
