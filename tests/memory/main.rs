//! Memory that is refused: for every allocation whose size a caller or a file chooses, a call ends in an error that changes
//! nothing, draws included.
//!
//! ```text
//! cargo test -p ndarray-rnn-tests --test memory                               # some calls, in seconds
//! cargo test -p ndarray-rnn-tests --test memory -- --include-ignored          # all, in a minute
//! ```
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod files;
mod keras;
mod modules;
mod networks;
mod refusals;

use alloc_chaos::ChaosAllocator;

#[global_allocator]
static ALLOCATOR: ChaosAllocator = ChaosAllocator::system();

/// A test for each call, those of the second list for long runs, and a list of all.
macro_rules! refused {
    ($($name:ident: $call:path),*; $($long:ident: $long_call:path),* $(,)?) => {
        const CALLS: &refusals::Calls =
            &[$((stringify!($name), $call),)* $((stringify!($long), $long_call)),*];

        $(#[test]
        fn $name() {
            refusals::refuse(stringify!($name), "a_call_that_is_refused");
        })*

        $(#[test]
        #[ignore = "seconds"]
        fn $long() {
            refusals::refuse(stringify!($long), "a_call_that_is_refused");
        })*
    };
}

refused! {
    forward: networks::forward,
    first_step: networks::step,
    chunk: networks::chunk,
    training: networks::training,
    linear: modules::linear,
    embedding: modules::embedding,
    dropout: modules::dropout,
    functions: modules::functions,
    initialisers: modules::initialisers,
    losses: modules::losses,
    packed_sequences: modules::sequences,
    safetensors: files::safetensors,
    npy: files::npy;
    last: networks::last,
    states: networks::states,
    long: networks::long,
    backward: networks::backward,
    long_training: networks::long_training,
    long_backward: networks::long_backward,
    threads: networks::threads,
    threads_back: networks::threads_back,
    team: networks::team,
    optimiser: networks::optimiser,
    lists_of_sequences: modules::lists_of_sequences,
    batch_first: modules::batch_first,
    keras_call: keras::call,
    keras_training: keras::training,
    keras_backward: keras::backward,
    keras_layer: keras::new_layer,
    keras_wrapped: keras::wrapped,
    npz: files::npz,
    pt: files::pt,
    models: files::models,
    checkpoint: files::checkpoint,
    onnx: files::onnx,
}

#[test]
#[ignore = "what the other tests call"]
fn a_call_that_is_refused() {
    refusals::answer(CALLS);
}
