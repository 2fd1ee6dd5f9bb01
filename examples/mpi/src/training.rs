//! The training: `DistributedDataParallel`, with sums in a fixed tree.

use std::path::Path;
use std::process;

use ndarray::Axis;
use ndarray_rnn::distributed::{DistributedSampler, TreeSum};
use ndarray_rnn::io::{StateDict, Tensor, safetensors};
use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
use ndarray_rnn::{Parameters, Trainable, manual_seed};

use crate::Failure;
use crate::data::{WORDS, Words};
use crate::model::Net;
use crate::options::{Fault, Options};
use crate::ranks::{Ranks, Vector, share};

/// The micro-batches of a step, however many ranks there are.
const MICRO_BATCHES: usize = 8;
/// The words of a micro-batch; the last of an epoch has fewer.
const SIZE: usize = 8;
const UNITS: usize = 24;

pub fn train(options: &Options, ranks: &Ranks) -> Result<(), Failure> {
    let words = Words::new()?;
    // Each rank begins elsewhere: what counts are the parameters of rank 0.
    let mut net = Net::new(UNITS, &mut manual_seed(ranks.rank() as u64))?;
    let mut adam = Adam::new(AdamConfig::new().lr(0.01), &net)?;
    let mut first = 0;
    if let Some(path) = &options.resume {
        first = load(&ranks.broadcast_file(|| Ok(std::fs::read(path)?))?, &mut net, &mut adam)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    } else {
        let mut parameters = net.to_vector();
        ranks.broadcast(&mut parameters);
        net.load_vector(&parameters)?;
    }

    let sampler = DistributedSampler::new(WORDS, MICRO_BATCHES);
    let mut samples = (0, sampler.epoch(0)?);
    let steps_of_epoch = samples.1.nrows().div_ceil(SIZE) as u32;
    let len = net.to_vector().len() + 1; // a gradient, and the loss
    let mut losses = Vec::new();
    for step in first..options.steps {
        fail(options, ranks, step)?;
        let epoch = u64::from(step / steps_of_epoch);
        if samples.0 != epoch {
            samples = (epoch, sampler.epoch(epoch)?);
        }
        let rows = share_of_step(step % steps_of_epoch, samples.1.nrows());
        let numbers = samples.1.slice_axis(Axis(0), rows.into());
        let term = |m| {
            let numbers = numbers.column(m).to_vec();
            Ok(net.term(&words.select(&numbers), &numbers, step)?)
        };
        let sum = if options.all_reduce { plain_sum(ranks, term)? } else { tree_sum(ranks, len, term)? };
        let loss = make_step(&mut net, &mut adam, step, &sum)?;
        if ranks.rank() == 0 {
            println!("step {:3} of {}: loss {loss:.6} {:08x}", step + 1, options.steps, loss.to_bits());
        }
        losses.push(loss);
        if let Some((_, path)) = options.save.as_ref().filter(|(at, _)| *at == step + 1) {
            expect_equal(ranks, &net)?;
            if ranks.rank() == 0 {
                save(path, &net, &adam)?;
            }
        }
    }
    let hash = expect_equal(ranks, &net)?;
    if ranks.rank() == 0 {
        println!("parameters {hash:016x}");
    }
    expect_learnt(&losses, options.steps)
}

/// The rows of the sampler's table that a step has.
fn share_of_step(step: u32, rows: usize) -> std::ops::Range<usize> {
    let start = step as usize * SIZE;
    start..rows.min(start + SIZE)
}

/// The sum of the terms of all micro-batches: gradients as vectors, behind each its loss.
fn tree_sum(
    ranks: &Ranks,
    len: usize,
    term: impl Fn(usize) -> Result<Vector, Failure>,
) -> Result<Vector, Failure> {
    let mut sum = TreeSum::new(MICRO_BATCHES)?;
    for m in share(MICRO_BATCHES, ranks.rank(), ranks.size()) {
        sum.add(m, term(m)?)?;
    }
    ranks.tree_sum(MICRO_BATCHES, len, sum.take_nodes())
}

/// The same in another order: first each rank's, one after another, then MPI's.
fn plain_sum(ranks: &Ranks, term: impl Fn(usize) -> Result<Vector, Failure>) -> Result<Vector, Failure> {
    let mut own = share(MICRO_BATCHES, ranks.rank(), ranks.size());
    let first = term(own.next().ok_or("more ranks than micro-batches")?)?;
    Ok(ranks.all_reduce(own.try_fold(first, |sum, m| Ok::<_, Failure>(sum + term(m)?))?))
}

/// The optimiser's step, of every rank; returns the mean of the micro-batches' losses.
fn make_step(net: &mut Net, adam: &mut Adam, step: u32, sum: &Vector) -> Result<f32, Failure> {
    let mean = sum / MICRO_BATCHES as f32;
    let (loss, gradient) =
        mean.as_slice().and_then(<[f32]>::split_last).ok_or("a term ends with the loss")?;
    if !loss.is_finite() {
        return Err(format!("step {}: the loss is {loss}", step + 1).into());
    }
    let mut gradients = net.zeros_like();
    gradients.load_vector(gradient)?;
    clip_grad_norm(&mut gradients, MaxNorm::new(0.5))?;
    adam.step(net, &gradients)?;
    Ok(*loss)
}

/// Fails as asked for.
fn fail(options: &Options, ranks: &Ranks, step: u32) -> Result<(), Failure> {
    match options.fault {
        Some((fault, rank, at)) if rank == ranks.rank() && at == step => match fault {
            Fault::Error => Err(format!("step {}: an error, as asked for", step + 1).into()),
            Fault::Panic => panic!("as asked for"),
            Fault::Kill => {
                process::Command::new("kill").args(["-9", &process::id().to_string()]).status()?;
                Err("still there after kill -9".into())
            }
        },
        _ => Ok(()),
    }
}

/// Checks that every rank has the same parameters, and returns their hash.
fn expect_equal(ranks: &Ranks, net: &Net) -> Result<u64, Failure> {
    let bytes = net.to_vector().into_iter().flat_map(f32::to_le_bytes);
    // FNV-1a.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    match ranks.all(hash).iter().position(|&other| other != hash) {
        Some(other) => Err(format!("rank {other} has other parameters than rank {}", ranks.rank()).into()),
        None => Ok(hash),
    }
}

/// Checks that a whole training has learnt.
fn expect_learnt(losses: &[f32], steps: u32) -> Result<(), Failure> {
    let (Some((first, _)), Some((rest, last))) =
        (losses.split_first_chunk::<5>(), losses.split_last_chunk::<5>())
    else {
        return Ok(());
    };
    let [first, last] = [first, last].map(|losses| losses.iter().sum::<f32>() / 5.0);
    if steps >= 50 && rest.len() >= 45 && last > 0.7 * first {
        return Err(format!("nothing learnt: the loss fell from {first} to {last}").into());
    }
    Ok(())
}

// Checkpoints: the parameters, the optimiser's state and the number of steps. Samples and dropout follow from these.

fn save(path: &Path, net: &Net, adam: &Adam) -> Result<(), Failure> {
    let (mut dict, state) = (StateDict::new(), adam.state_dict());
    dict.add("model.", net)?;
    for (name, array) in &state.arrays {
        dict.insert(format!("optimizer.{name}"), Tensor::from_array(array)?)?;
    }
    dict.metadata_mut().insert("step".into(), state.step.to_string());
    Ok(safetensors::write(path, &dict)?)
}

/// Loads a checkpoint from a file's bytes, and returns its number of steps.
fn load(bytes: &[u8], net: &mut Net, adam: &mut Adam) -> Result<u32, Failure> {
    let (dict, mut state) = (safetensors::from_bytes(bytes)?, adam.state_dict());
    dict.under("model.").load_into(net)?;
    state.arrays = dict.under("optimizer.").arrays()?;
    let step: u32 = dict.metadata().get("step").ok_or("the metadata has no step")?.parse()?;
    state.step = step.into();
    adam.load_state_dict(&state)?;
    Ok(step)
}
