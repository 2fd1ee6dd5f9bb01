//! The loops of gated cells over rows and units.
//!
//! Each block of a row begins a line, so a row is a number of whole vectors. Those of the states are dense, and end in a
//! part of a vector.

use std::ops::{Deref, Range};

use pulp::{Simd, WithSimd};

use super::Units;
use super::functions::Function;
use super::gates::{Gates, PEEPHOLES, ROW, SUMS};
use crate::element::Element;
use crate::kernels::{Blocks, Lanes};

/// A unit's computations and its functions.
pub(super) struct Unit<G, F, T> {
    pub(super) gates: G,
    /// The function of the gates.
    pub(super) gate: F,
    /// Those of the candidate and of c'.
    pub(super) of_state: [T; 2],
}

/// The units of vector `k` of a block.
#[inline(always)]
fn units_of<A: Element, S: Simd>(units: usize, k: usize) -> Range<usize> {
    let lanes = Lanes::<A, S>::COUNT;
    k * lanes..units.min((k + 1) * lanes)
}

/// The first `count` vectors of each block of a row. The compiler knows that all are as many, and checks no bounds in a loop
/// over them.
#[inline(always)]
fn blocks_of<A: Element, S: Simd>(row: &[A], apart: usize, count: usize) -> [&[A::Vector<S>]; ROW] {
    let (mut rest, mut all) = (A::vectors::<S>(row), [&[][..]; ROW]);
    for vectors in &mut all {
        let (block, others) = rest.split_at(apart / Lanes::<A, S>::COUNT);
        (*vectors, rest) = (&block[..count], others);
    }
    all
}

/// As [`blocks_of`], for changing them.
#[inline(always)]
fn blocks_of_mut<A: Element, S: Simd>(
    row: &mut [A],
    apart: usize,
    count: usize,
) -> [&mut [A::Vector<S>]; ROW] {
    let (mut rest, mut all) = (A::vectors_mut::<S>(row), <[&mut [A::Vector<S>]; ROW]>::default());
    for vectors in &mut all {
        let (block, others) = rest.split_at_mut(apart / Lanes::<A, S>::COUNT);
        (*vectors, rest) = (&mut block[..count], others);
    }
    all
}

/// Vector `k` of each block.
#[inline(always)]
fn load_row<A: Element, S: Simd>(
    simd: S,
    blocks: &[impl Deref<Target = [A::Vector<S>]>; ROW],
    k: usize,
) -> [Lanes<A, S>; ROW] {
    let mut all = [Lanes::splat(simd, 0.0); ROW];
    for block in 0..ROW {
        all[block] = Lanes::new(simd, blocks[block][k]);
    }
    all
}

impl<A: Element> Units<'_, A> {
    /// The peepholes of some of the units.
    #[inline(always)]
    fn peepholes_of<S: Simd>(&self, simd: S, units: &Range<usize>) -> [Lanes<A, S>; PEEPHOLES] {
        let (values, mut all) = (self.peepholes, [Lanes::splat(simd, 0.0); PEEPHOLES]);
        let apart = values.len() / PEEPHOLES;
        for (block, lanes) in all.iter_mut().enumerate() {
            let first = block * apart + self.first;
            *lanes = Lanes::load(simd, &values[first + units.start..first + units.end]);
        }
        all
    }
}

/// The step forward: see [`Cell::forward`](super::Cell::forward).
pub(super) struct Forward<'a, A, U> {
    pub(super) unit: U,
    pub(super) units: &'a Units<'a, A>,
    pub(super) rows: &'a mut [A],
    pub(super) h: &'a mut [A],
    pub(super) c: &'a mut [A],
}

impl<A: Element, G: Gates, F: Function, T: Function> WithSimd for &mut Forward<'_, A, Unit<G, F, T>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { unit, units: all, rows, h, c } = self;
        let Blocks { units, apart } = all.blocks;
        for (n, row) in rows.chunks_exact_mut(ROW * apart).enumerate() {
            let h = &mut h[n * units..][..units];
            let c = if G::CARRIES { &mut c[n * units..][..units] } else { &mut [] };
            let count = units.div_ceil(Lanes::<A, S>::COUNT);
            let blocks = blocks_of_mut::<A, S>(row, apart, count);
            for k in 0..count {
                let own = units_of::<A, S>(units, k);
                let sums = load_row(simd, &blocks, k);
                let before = Lanes::load(simd, &h[own.clone()]);
                let carried =
                    if G::CARRIES { Lanes::load(simd, &c[own.clone()]) } else { Lanes::splat(simd, 0.0) };
                let peepholes = if F::ANY && !all.peepholes.is_empty() {
                    Some(all.peepholes_of(simd, &own))
                } else {
                    None
                };
                let (kept, next, carried) =
                    unit.gates.next(unit.gate, unit.of_state, sums, [before, carried], peepholes);
                next.store(&mut h[own.clone()]);
                if G::CARRIES {
                    carried.store(&mut c[own]);
                }
                for block in 0..ROW {
                    blocks[block][k] = kept[block].vector();
                }
            }
        }
    }
}

/// The step back: see [`Cell::backward`](super::Cell::backward).
pub(super) struct Backward<'a, A, U> {
    pub(super) unit: U,
    pub(super) blocks: Blocks,
    pub(super) rows: &'a [A],
    pub(super) d_h: &'a mut [A],
    pub(super) d_c: &'a mut [A],
    pub(super) d_sums: &'a mut [A],
}

impl<A: Element, G: Gates, F: Function, T: Function> WithSimd for &mut Backward<'_, A, Unit<G, F, T>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { unit, blocks: Blocks { units, apart }, rows, d_h, d_c, d_sums } = self;
        let (units, apart) = (*units, *apart);
        let rows = rows.chunks_exact(ROW * apart).zip(d_sums.chunks_exact_mut(SUMS * units));
        for (n, (row, d_sums)) in rows.enumerate() {
            let d_h = &mut d_h[n * units..][..units];
            let d_c = if G::CARRIES { &mut d_c[n * units..][..units] } else { &mut [] };
            let count = units.div_ceil(Lanes::<A, S>::COUNT);
            let blocks = blocks_of::<A, S>(row, apart, count);
            for k in 0..count {
                let own = units_of::<A, S>(units, k);
                let kept = load_row(simd, &blocks, k);
                let d_next = Lanes::load(simd, &d_h[own.clone()]);
                let d_carried =
                    if G::CARRIES { Lanes::load(simd, &d_c[own.clone()]) } else { Lanes::splat(simd, 0.0) };
                let (sums, d_before, d_carried) =
                    unit.gates.back(unit.gate, unit.of_state, kept, d_next, d_carried);
                d_before.store(&mut d_h[own.clone()]);
                if G::CARRIES {
                    d_carried.store(&mut d_c[own.clone()]);
                }
                for block in 0..SUMS {
                    sums[block].store(&mut d_sums[block * units..][own.clone()]);
                }
            }
        }
    }
}

/// The state times a gate: see [`Cell::gate`](super::Cell::gate). The gate's block then holds what its function keeps, and
/// the row's last block the result.
pub(super) struct Gate<'a, A, U> {
    pub(super) unit: U,
    pub(super) blocks: Blocks,
    pub(super) rows: &'a mut [A],
    pub(super) h: &'a [A],
    pub(super) operand: &'a mut [A],
}

impl<A: Element, G: Gates, F: Function, T: Function> WithSimd for &mut Gate<'_, A, Unit<G, F, T>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gate { unit: Unit { gate, .. }, blocks: Blocks { units, apart }, rows, h, operand } = self;
        let (units, apart) = (*units, *apart);
        let states = h.chunks_exact(units).zip(operand.chunks_exact_mut(units));
        for (row, (h, operand)) in rows.chunks_exact_mut(ROW * apart).zip(states) {
            for k in 0..units.div_ceil(Lanes::<A, S>::COUNT) {
                let own = units_of::<A, S>(units, k);
                let sum = Lanes::load(simd, &row[G::GATE * apart..][own.clone()]);
                let value = gate.value(sum);
                let gated = value * Lanes::load(simd, &h[own.clone()]);
                gated.store(&mut operand[own.clone()]);
                for (block, lanes) in [(G::GATE, gate.kept(sum, value)), (ROW - 1, gated)] {
                    lanes.store(&mut row[block * apart..][own.clone()]);
                }
            }
        }
    }
}

/// The way back of [`Gate`]: see [`Cell::gate_back`](super::Cell::gate_back). The row's last block is the h before.
pub(super) struct GateBack<'a, A, U> {
    pub(super) unit: U,
    pub(super) blocks: Blocks,
    pub(super) rows: &'a [A],
    pub(super) factors: Option<&'a [A]>,
    pub(super) d_operand: &'a [A],
    pub(super) d_h: &'a mut [A],
    pub(super) d_sums: &'a mut [A],
}

impl<A: Element, G: Gates, F: Function, T: Function> WithSimd for &mut GateBack<'_, A, Unit<G, F, T>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let GateBack { unit: Unit { gate, .. }, blocks: Blocks { units, apart }, rows, .. } = self;
        let (units, apart) = (*units, *apart);
        let one = Lanes::splat(simd, 1.0);
        for (n, row) in rows.chunks_exact(ROW * apart).enumerate() {
            let count = units.div_ceil(Lanes::<A, S>::COUNT);
            let blocks = blocks_of::<A, S>(row, apart, count);
            for k in 0..count {
                let of_row = units_of::<A, S>(units, k);
                let own = n * units + of_row.start..n * units + of_row.end;
                let kept = load_row(simd, &blocks, k);
                let factors = self.factors.map_or(one, |factors| Lanes::load(simd, &factors[own.clone()]));
                let d_operand = Lanes::load(simd, &self.d_operand[own.clone()]);
                let d_gate = d_operand * (kept[ROW - 1] * factors);
                let d_h = Lanes::load(simd, &self.d_h[own.clone()]);
                (d_operand * gate.again(kept[G::GATE])).mul_add(factors, d_h).store(&mut self.d_h[own]);
                let d_sums = &mut self.d_sums[(n * SUMS + G::GATE) * units..][of_row];
                gate.slope(kept[G::GATE], d_gate).store(d_sums);
            }
        }
    }
}
