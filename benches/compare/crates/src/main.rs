//! The workers of candle, nexus-inference and rust-lstm, one of which the argument names; `benches/compare/run.py` builds
//! and runs them.

mod arrays;
mod candle;
mod nexus;
#[path = "../../protocol.rs"]
mod protocol;
mod rust_lstm;

use protocol::Result;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("candle") => protocol::serve(&candle::Candle),
        Some("nexus") => protocol::serve(&nexus::Nexus),
        Some("rust-lstm") => protocol::serve(&rust_lstm::RustLstm),
        other => Err(format!("expected candle, nexus or rust-lstm, not {other:?}").into()),
    }
}
