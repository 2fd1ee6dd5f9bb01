//! What a way back returns.

/// The gradients of a loss with respect to everything that a call read.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<P, X, S> {
    /// Of the parameters, under their names.
    pub parameters: P,
    /// Of the input, shaped as the input; zero where a mask is false.
    pub input: X,
    /// Of the first state, shaped as the state.
    pub state: S,
}
