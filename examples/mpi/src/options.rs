//! What the command line says.

use std::path::PathBuf;

use crate::Failure;

/// What the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Train,
    Cost,
}

/// How a rank fails, to see what becomes of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It finds an error.
    Error,
    /// It panics.
    Panic,
    /// The system kills it.
    Kill,
}

/// The options.
#[derive(Debug)]
pub struct Options {
    pub command: Command,
    /// Whether there is no MPI.
    pub alone: bool,
    /// Whether MPI adds the gradients, in an order of its own: what the bits are then.
    pub all_reduce: bool,
    /// The number of steps at the end of the training.
    pub steps: u32,
    /// After which step to write which checkpoint.
    pub save: Option<(u32, PathBuf)>,
    /// The checkpoint to go on from.
    pub resume: Option<PathBuf>,
    /// How which rank fails before which step.
    pub fault: Option<(Fault, usize, u32)>,
}

impl Options {
    /// The options of a command line, without the program's name.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            command: Command::Train,
            alone: false,
            all_reduce: false,
            steps: 50,
            save: None,
            resume: None,
            fault: None,
        };
        while let Some(word) = words.next() {
            let mut next = |what: &str| words.next().ok_or(format!("{word} wants {what}"));
            match &word[..] {
                "cost" => options.command = Command::Cost,
                "--alone" => options.alone = true,
                "--all-reduce" => options.all_reduce = true,
                "--steps" => options.steps = next("a number")?.parse()?,
                "--save" => options.save = Some((next("a step")?.parse()?, next("a file")?.into())),
                "--resume" => options.resume = Some(next("a file")?.into()),
                "--fail" => {
                    let fault = match &next("error, panic or kill")?[..] {
                        "error" => Fault::Error,
                        "panic" => Fault::Panic,
                        "kill" => Fault::Kill,
                        other => return Err(format!("--fail wants error, panic or kill, not {other}").into()),
                    };
                    options.fault = Some((fault, next("a rank")?.parse()?, next("a step")?.parse()?));
                }
                _ => return Err(format!("{word} is no option").into()),
            }
        }
        Ok(options)
    }
}
