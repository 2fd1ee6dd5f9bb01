//! The gradients are right, and fixed to the bit.
//!
//! torch's gradients show that they are right, over every combination of options ([`torch`], [`gated`]), and so do finite
//! differences of the forward pass for what torch has not, resets among it ([`differences`]). They equal, bit for
//! bit, the formula written as plain loops in the documented order of sums ([`oracle`]). So they are the same for
//! any number of threads, alone or in a batch, whatever stands in padding ([`bits`]) or in memory that is used
//! again ([`reuse`]). A sequence with resets, or in chunks that carry its state, has the gradients of its pieces
//! ([`pieces`]); packed sequences have those of padded ones ([`packed`]). NaN and infinities follow the formula
//! too ([`nonfinite`]). What a caller gets wrong is an error that names it ([`limits`]).

#[path = "../common/mod.rs"]
mod common;

mod bits;
mod cell_gradients;
mod differences;
mod gated;
mod limits;
mod loops;
mod nonfinite;
mod oracle;
mod packed;
mod pieces;
mod problem;
mod reuse;
mod torch;
