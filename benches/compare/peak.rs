//! The machine's peak in fused multiply-adds: a loop that touches registers only.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use ndarray_rnn::kernels::Element;
use pulp::{Arch, Simd, WithSimd};

/// Chains that run side by side: more than latency times units of any CPU there is, and few enough for 16 registers.
const CHAINS: usize = 12;

/// A fraction of a millisecond: some attempts are not interrupted.
const STEPS: usize = 1 << 16;

const ATTEMPTS: usize = 200;

/// Flops a nanosecond of all threads together, with the widest vectors: the sum of each thread's best attempt.
pub fn flops<A: Element>(threads: usize) -> f64 {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(best::<A>)).collect();
        let first = best::<A>();
        others.into_iter().filter_map(|other| other.join().ok()).fold(first, |sum, one| sum + one)
    })
}

fn best<A: Element>() -> f64 {
    let attempts = (0..ATTEMPTS).map(|_| {
        let begin = Instant::now();
        let lanes = Arch::new().dispatch(Loop(A::from_f64(0.5)));
        (2 * STEPS * CHAINS * lanes) as f64 / (begin.elapsed().as_secs_f64() * 1e9)
    });
    attempts.fold(0.0, f64::max)
}

struct Loop<A>(A);

impl<A: Element> WithSimd for Loop<A> {
    /// The lanes of a vector.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let half = A::splat(simd, black_box(self.0));
        let mut chains = [half; CHAINS];
        for _ in 0..STEPS {
            chains.iter_mut().for_each(|chain| *chain = A::fma(simd, half, *chain, half));
        }
        black_box(chains);
        size_of::<A::Vector<S>>() / size_of::<A>()
    }
}
