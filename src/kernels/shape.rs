//! How large a tile is: as many sums as the registers hold.

use pulp::Simd;

/// The most rows of a tile.
pub(super) const ROWS: usize = 6;

/// Whether the sums of a tile of `rows` by `panels` stay in registers. Registers also hold one element of the left
/// operand and, unless each is used only once, the vectors of the right.
pub(super) const fn fits<S: Simd>(vectors: usize, rows: usize, panels: usize) -> bool {
    let sums = vectors * rows * panels;
    let operands = if rows == 1 { 1 } else { vectors * panels + 1 };
    // For one row 16 sums are enough: two units with a latency of four keep eight of them going at a time.
    sums + operands <= S::REGISTER_COUNT && (rows > 1 || sums <= 16)
}

/// Whether the registers hold the sums of two chains.
pub(super) const fn fit_twice<S: Simd>(vectors: usize, rows: usize, panels: usize) -> bool {
    fits::<S>(2 * vectors, rows, panels)
}

/// The most rows of a tile: one where no two rows' sums stay in registers.
pub(super) const fn tallest<S: Simd>(vectors: usize) -> usize {
    if fits::<S>(vectors, 2, 1) { ROWS } else { 1 }
}

/// The most panels of a tile of each height: 8, 4, 2 or 1.
pub(super) const fn widest<S: Simd>(vectors: usize) -> [usize; ROWS + 1] {
    let mut widest = [8; ROWS + 1];
    let mut rows = 1;
    while rows <= ROWS {
        while widest[rows] > 1 && !fits::<S>(vectors, rows, widest[rows]) {
            widest[rows] /= 2;
        }
        rows += 1;
    }
    widest
}
