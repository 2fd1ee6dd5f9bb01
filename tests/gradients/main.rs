//! The gradients are right, and fixed to the bit.
//!
//! Right: torch's over every combination of options ([`torch`]), and finite differences of the forward pass for what
//! torch has not, resets among it ([`differences`]). Fixed: equal bit for bit to the formula written as plain loops in
//! the documented order of sums ([`oracle`]); hence the same for any number of threads, alone or in a batch, whatever
//! stands in the padding ([`bits`]) and in memory used again ([`reuse`]). A sequence with resets, or carried on in
//! chunks, has the gradients of its pieces ([`pieces`]), packed sequences those of padded ones ([`packed`]). NaN and
//! infinities go the way of the formula too ([`nonfinite`]). What a caller gets wrong is an error that names it
//! ([`limits`]).

mod bits;
mod cell_gradients;
mod differences;
mod limits;
mod nonfinite;
mod oracle;
mod packed;
mod pieces;
mod problem;
mod reuse;
mod torch;
