//! The recurrent modules: they check shapes and call the engine.
//!
//! A [`Kind`](architecture::Kind) says what an [`rnn`], [`lstm`] or [`gru`] is, and [`config`] what their
//! configurations have in common. Everything else here serves every kind: the [`network`] and its [`parameters`], a
//! [`run`] over [`sequences`], training ([`train`], [`back`]), the [`cell`], a single [`step`] and the [`session`] that
//! keeps a state.

mod architecture;
mod back;
mod cell;
mod config;
mod gru;
mod lstm;
mod network;
#[cfg(test)]
mod oracle;
mod parameters;
mod rnn;
mod run;
mod sequences;
mod session;
mod step;
mod train;

pub(crate) use architecture::Sizes;
pub use architecture::{Architecture, CellArchitecture, Kind};
pub use back::{Back, Gradients};
pub use cell::{CellDim, CellTrace, RecurrentCell};
pub use gru::{Gru, GruCell, GruCellConfig, GruConfig};
pub use lstm::{Lstm, LstmCell, LstmCellConfig, LstmConfig};
pub use network::Recurrent;
pub use parameters::{CellParameters, Direction, RecurrentParameters};
pub use rnn::{Nonlinearity, Rnn, RnnCell, RnnCellConfig, RnnConfig};
pub use run::Run;
pub use sequences::Sequences;
pub use session::Session;
pub use step::Stepwise;
pub use train::Trace;
