//! Where rows of a pass belong.

/// Which rows run: of a layer and direction, and of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) layer: usize,
    pub(super) direction: usize,
    /// The number of the direction, counted by layer, then direction.
    pub(super) i: usize,
    /// The first row of each step of the whole pass.
    pub(super) first: usize,
}
