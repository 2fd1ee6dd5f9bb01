//! Trains on MPI, with the same bits on any number of ranks. `prove.py` runs it in every way; README.md says more.
//!
//! ```text
//! mpirun -n 4 ndarray-rnn-mpi [--steps 50] [--save STEP FILE] [--resume FILE] [--fail error|panic|kill RANK STEP]
//! ndarray-rnn-mpi --alone ..                       # the same without MPI
//! mpirun -n 4 ndarray-rnn-mpi --all-reduce ..      # MPI adds the gradients: other bits on each number of ranks
//! mpirun -n 2 ndarray-rnn-mpi cost                 # what the fixed tree costs beside MPI_Allreduce
//! ```

mod cost;
mod data;
mod model;
mod options;
mod ranks;
mod training;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use mpi::Threading;
use mpi::traits::Communicator;

use options::{Command, Options};
use ranks::Ranks;

/// Whatever ends the job, in words.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if options.alone {
        return match run(&options, &Ranks::Alone) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // The calling thread alone talks to MPI; threads of rayon's pool compute.
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        eprintln!("MPI is not there, or was initialised before");
        return ExitCode::FAILURE;
    };
    let world = universe.world();
    let (rank, size) = (world.rank(), world.size());
    // A rank that only ended would leave the others waiting for it, so it ends them all.
    let failed = match catch_unwind(AssertUnwindSafe(|| run(&options, &Ranks::World(universe.world())))) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "panicked".to_owned(),
    };
    let line = format!("rank {rank} of {size} ends the job: {failed}\n");
    eprint!("{line}"); // in one piece, whatever other ranks write
    world.abort(1)
}

fn run(options: &Options, ranks: &Ranks) -> Result<(), Failure> {
    match options.command {
        Command::Train => training::train(options, ranks),
        Command::Cost => cost::measure(ranks),
    }
}
