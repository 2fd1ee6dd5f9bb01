//! What the fixed tree costs beside MPI's own all-reduce.

use std::time::Instant;

use ndarray_rnn::distributed::{DistributedSampler, Node, TreeSum, tree_nodes};
use ndarray_rnn::{Parameters, Trainable, manual_seed, random};

use crate::Failure;
use crate::data::Words;
use crate::model::Net;
use crate::ranks::{Ranks, Vector, share};

const MICRO_BATCHES: usize = 8;
/// The samples of an order that is timed.
const SAMPLES: usize = 10_000_000;

/// Prints medians, on rank 0, of both in turns.
pub fn measure(ranks: &Ranks) -> Result<(), Failure> {
    let own = tree_nodes(MICRO_BATCHES, share(MICRO_BATCHES, ranks.rank(), ranks.size()))?;
    let most = (0..ranks.size())
        .map(|rank| Ok(tree_nodes(MICRO_BATCHES, share(MICRO_BATCHES, rank, ranks.size()))?.len()))
        .collect::<Result<Vec<_>, Failure>>()?;
    let say = |line: String| (ranks.rank() == 0).then(|| println!("{line}"));
    say(format!("{} ranks, at most {} nodes of a rank", ranks.size(), most.iter().max().unwrap_or(&0)));
    for (len, rounds) in [(1_000, 301), (10_000, 301), (100_000, 101), (1_000_000, 31), (10_000_000, 9)] {
        let mut vector = Vector::zeros(len);
        random::uniform(&mut vector, -1.0, 1.0, &mut manual_seed(ranks.rank() as u64))?;
        let (mut tree, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            // Both are given what the training leaves: the tree the nodes, the all-reduce one sum.
            let nodes =
                own.iter().map(|numbers| Node { numbers: numbers.clone(), sum: vector.clone() }).collect();
            tree.push(timed(ranks, || ranks.tree_sum(MICRO_BATCHES, len, nodes))?);
            let sum = vector.clone();
            plain.push(timed(ranks, || Ok(ranks.all_reduce(sum)))?);
        }
        let [tree, plain] = [tree, plain].map(median);
        say(format!(
            "{len:9} elements: tree {:9.1} us, all-reduce {:9.1} us, tree / all-reduce {:.2}",
            1e6 * tree,
            1e6 * plain,
            tree / plain
        ));
    }
    shares_of_a_step(ranks, &say)?;
    let seconds = timed(ranks, || Ok(DistributedSampler::new(SAMPLES, MICRO_BATCHES).epoch(0)?))?;
    say(format!("an order of {SAMPLES} samples takes {:.1} ns for each", 1e9 * seconds / SAMPLES as f64));
    Ok(())
}

/// How much of a step's time the exchange takes: more than that cannot be won by exchanging during the way back.
fn shares_of_a_step(ranks: &Ranks, say: &impl Fn(String) -> Option<()>) -> Result<(), Failure> {
    let words = Words::new()?;
    for (units, rounds) in [(24, 101), (128, 31), (512, 9)] {
        let net = Net::new(units, &mut manual_seed(0))?;
        let len = net.zeros_like().to_vector().len() + 1;
        let (mut computing, mut exchanging) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let mut sum = TreeSum::new(MICRO_BATCHES)?;
            computing.push(timed(ranks, || {
                for m in share(MICRO_BATCHES, ranks.rank(), ranks.size()) {
                    let numbers: Vec<_> = (0..8).map(|n| 8 * m + n).collect();
                    sum.add(m, net.term(&words.select(&numbers), &numbers, round)?)?;
                }
                Ok(())
            })?);
            exchanging.push(timed(ranks, || ranks.tree_sum(MICRO_BATCHES, len, sum.take_nodes()))?);
        }
        // The fastest of each: what else the machine does adds to an exchange, for which all ranks wait, most of all.
        let [computing, exchanging] =
            [computing, exchanging].map(|all| all.into_iter().fold(f64::MAX, f64::min));
        say(format!(
            "{units:4} units, {len:8} elements: the exchange takes {:.1} % of gradients and exchange",
            100.0 * exchanging / (computing + exchanging)
        ));
    }
    Ok(())
}

/// The seconds from when every rank begins until the last one is done.
fn timed<T>(ranks: &Ranks, work: impl FnOnce() -> Result<T, Failure>) -> Result<f64, Failure> {
    ranks.barrier();
    let begin = Instant::now();
    let result = work()?;
    let seconds = begin.elapsed().as_secs_f64();
    drop(result);
    let slowest = ranks.all(seconds.to_bits()).into_iter().map(f64::from_bits).fold(0.0, f64::max);
    Ok(slowest)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
