//! Parameters, passes and their bits: `Rnn` and `RnnCell` forward.

#[path = "../common/mod.rs"]
mod common;

mod allocations;
mod errors;
mod golden;
mod instruction_sets;
mod limits;
mod nonfinite;
mod parameters;
mod random;
mod reproducibility;
mod room;
mod run_errors;
mod spare;
mod state_dict;
mod value_stability;
