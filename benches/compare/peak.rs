//! The machine's peak in fused multiply-adds: a loop that touches registers only.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use ndarray_rnn::kernels::Element;
use pulp::{Arch, Simd, WithSimd};

/// Chains that run side by side: more than latency times units of any CPU there is, and few enough for 16 registers.
const CHAINS: usize = 12;

const STEPS: usize = 1 << 20;

/// Flops a nanosecond of all threads together, with the widest vectors; the best of some attempts.
pub fn flops<A: Element>(threads: usize) -> f64 {
    let attempts = (0..20).map(|_| {
        let begin = Instant::now();
        let lanes = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(run::<A>)).collect();
            let lanes = run::<A>();
            others.into_iter().for_each(|other| drop(other.join()));
            lanes
        });
        (2 * STEPS * CHAINS * lanes * threads) as f64 / (begin.elapsed().as_secs_f64() * 1e9)
    });
    attempts.fold(0.0, f64::max)
}

/// Runs the loop, returns the lanes of a vector.
fn run<A: Element>() -> usize {
    Arch::new().dispatch(Loop(A::from_f64(0.5)))
}

struct Loop<A>(A);

impl<A: Element> WithSimd for Loop<A> {
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
