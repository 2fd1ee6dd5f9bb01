//! What the machine allows: the time of the operations that a case cannot do without, each measured by itself.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use ndarray_rnn::kernels::{Activate, Activation, Element};
use pulp::{Arch, Simd, WithSimd};

use crate::protocol::Case;

/// The number of chains that run side by side: more than latency times units of any CPU, and few enough for 16
/// registers.
const CHAINS: usize = 12;

/// The multiply-adds of a chain in one attempt: they take under a tenth of a millisecond.
const STEPS: usize = 1 << 14;

/// Bytes.
const NEAREST_CACHE: usize = 1 << 15;

/// A few milliseconds of attempts.
const ATTEMPTS: usize = 51;

/// The peak of fused multiply-adds in flops a nanosecond, all threads at once with the widest vectors.
pub fn peak<A: Element>(threads: usize) -> f64 {
    let one = || {
        let mut lanes = 0;
        let time = median(|| lanes = Arch::new().dispatch(Loop::<A, CHAINS>(A::from_f64(0.5))));
        (2 * STEPS * CHAINS * lanes) as f64 / time
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let first = one();
        others.into_iter().filter_map(|other| other.join().ok()).fold(first, |sum, one| sum + one)
    })
}

/// The least time of a case on one thread, in nanoseconds, as far as its multiply-adds and tanh go.
///
/// By the definition of a sum, a step's multiply-adds along hidden_size wait for one another and for the state
/// before. Other multiply-adds run at the peak, or as fast as weights come from the cache that holds them. The way
/// back waits in the same way. What a training step does beside the network is not counted.
pub fn least<A: Element>(case: &Case) -> Option<f64> {
    let (steps, back) = match case.mode.as_str() {
        "forward" | "keras" | "keras-last" => (case.len, false),
        "backward" | "training" => (case.len, true),
        "step" | "cell" => (1, false),
        _ => return None,
    };
    let Case { batch, hidden, bidirectional, .. } = *case;
    let directions = 1 + usize::from(bidirectional);
    let (peak, latency) = (peak::<A>(1), latency::<A>());
    // A sigmoid counts as a tanh.
    let (sums, functions) = match case.kind.as_str() {
        "lstm" => (4 * hidden, 5),
        "gru" => (3 * hidden, 3),
        _ => (hidden, 1),
    };
    let tanh = tanh::<A>(functions * batch * hidden);
    let together = |terms: usize| (2 * steps * batch * sums * terms) as f64 / peak;
    let products = |terms: usize| {
        let flops = (2 * batch * sums * terms) as f64;
        (flops / peak).max(terms as f64 * latency).max(reading::<A>(terms * sums))
    };
    let layers = (0..case.layers).map(|layer| {
        let input = if layer == 0 { case.input } else { directions * hidden };
        if steps == 1 {
            return products(input + hidden) + tanh;
        }
        let recurrence = steps as f64 * products(hidden);
        let forward = together(input) + recurrence + steps as f64 * tanh;
        // Training does not want the gradient of the first input.
        let d_input = if layer > 0 || case.mode != "training" { together(input) } else { 0.0 };
        if back { forward + recurrence + d_input + together(input + hidden) } else { forward }
    });
    Some(directions as f64 * layers.sum::<f64>())
}

/// The time from one multiply-add to the next that needs its result.
fn latency<A: Element>() -> f64 {
    median(|| _ = Arch::new().dispatch(Loop::<A, 1>(A::from_f64(0.5)))) / STEPS as f64
}

/// The time to read some elements again and again, from the first to the last and back, so that the nearest cache
/// keeps a part of them. The nearest cache itself gives all that multiply-adds take.
fn reading<A: Element>(elements: usize) -> f64 {
    let lines = vec![A::Line::default(); elements.div_ceil(A::PANEL)];
    if size_of_val(&*lines) <= NEAREST_CACHE {
        return 0.0;
    }
    let pairs = (1_usize << 12).div_ceil(lines.len());
    let there_and_back = || {
        for _ in 0..pairs {
            Arch::new().dispatch(Read::<A> { lines: black_box(&lines), back: false });
            Arch::new().dispatch(Read::<A> { lines: black_box(&lines), back: true });
        }
    };
    median(there_and_back) / (2 * pairs) as f64
}

/// The time of tanh of some elements. Each call takes the results of the call before.
fn tanh<A: Element>(elements: usize) -> f64 {
    let mut states = [vec![A::from_f64(0.5); elements], vec![A::zero(); elements]];
    let pairs = (1_usize << 12).div_ceil(elements);
    let time = median(|| {
        let [one, other] = &mut states;
        for _ in 0..pairs {
            Arch::new().dispatch(Activate { activation: Activation::Tanh, from: one, to: other });
            Arch::new().dispatch(Activate { activation: Activation::Tanh, from: other, to: one });
        }
    });
    time / (2 * pairs) as f64
}

/// The median of some attempts, in nanoseconds.
fn median(mut attempt: impl FnMut()) -> f64 {
    let times = (0..ATTEMPTS).map(|_| {
        let begin = Instant::now();
        attempt();
        begin.elapsed().as_secs_f64() * 1e9
    });
    let mut times: Vec<_> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Runs `N` chains of multiply-adds in registers. Returns the number of lanes of a vector.
struct Loop<A, const N: usize>(A);

impl<A: Element, const N: usize> WithSimd for Loop<A, N> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let half = A::splat(simd, black_box(self.0));
        let mut chains = [half; N];
        for _ in 0..STEPS {
            chains.iter_mut().for_each(|chain| *chain = A::fma(simd, half, *chain, half));
        }
        black_box(chains);
        size_of::<A::Vector<S>>() / size_of::<A>()
    }
}

/// Puts every vector of some lines into one multiply-add, from the first line on or from the last.
struct Read<'a, A: Element> {
    lines: &'a [A::Line],
    back: bool,
}

impl<A: Element> WithSimd for Read<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let half = A::splat(simd, A::from_f64(0.5));
        let mut chains = [half; 8];
        let (blocks, _) = self.lines.as_chunks::<8>();
        for i in 0..blocks.len() {
            let block = &blocks[if self.back { blocks.len() - 1 - i } else { i }];
            for (chain, line) in chains.iter_mut().zip(block) {
                for &vector in A::vectors::<S>(line) {
                    *chain = A::fma(simd, half, vector, *chain);
                }
            }
        }
        black_box(chains);
    }
}
