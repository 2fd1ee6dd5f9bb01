//! How far activations are from the truth, for their tests.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{Activate, Activation, Arch, Element, archs};

/// The activation of some numbers on an instruction set.
pub(super) fn values<A: Element>(arch: Arch, activation: Activation, from: &[A]) -> Vec<A> {
    let mut to = from.to_vec();
    arch.dispatch(Activate { activation, from, to: &mut to });
    to
}

/// x, and f(x) as a pair, from each line of a file in `golden`.
pub(super) fn golden(text: &str) -> impl Iterator<Item = [f64; 3]> {
    let parse = |s| f64::from_bits(u64::from_str_radix(s, 16).expect("hex digits"));
    text.lines().map(move |line| {
        let mut fields = line.split(' ').map(parse);
        std::array::from_fn(|_| fields.next().expect("three fields"))
    })
}

/// The distance of `y` from `high + low` in ULP. At a power of two the ULP is that of the side where `high + low`
/// lies.
pub(super) fn ulps_from(high: f64, low: f64, y: f64) -> f64 {
    let below = (low < 0.0) == (high > 0.0);
    let next = if below { high.abs().next_down() } else { high.abs().next_up() };
    ((y - high) - low).abs() / (next - high.abs()).abs()
}

/// The distance of `y` from a normal `exact` in ULP of `f32`, or in least numbers of `f32` where these are larger.
fn ulps(y: f32, exact: f64) -> f64 {
    let power = exact.abs().max(f32::MIN_POSITIVE.into()).to_bits() >> 52 << 52;
    (f64::from(y) - exact).abs() / (f64::from_bits(power) * f64::from(f32::EPSILON))
}

/// The activation of numbers nearer to 0 than this is taken from three terms of a series: libm would take a minute
/// for all.
pub(super) const NEAR: f64 = 1.0 / (1 << 13) as f64;

fn check(activation: Activation, exact: fn(f64) -> f64, bound: f64, (name, arch): (&str, Arch), xs: &[f32]) {
    for (&x, y) in xs.iter().zip(values(arch, activation, xs)) {
        let exact = exact(x.into());
        let right = if exact.is_nan() {
            y.is_nan()
        } else if exact.abs() > f32::MAX.into() {
            y.abs() >= f32::MAX
        } else {
            ulps(y, exact) <= bound
        };
        assert!(right, "{activation}({x:e}) is not {y:e} with {name}: it is {exact:e}");
    }
}

/// Holds every `f32` to a bound in ULP, by this machine's vectors.
///
/// `exact` is good to 2 ULP of `f64`, which are 4e-9 of `f32`.
pub(super) fn every_f32(activation: Activation, exact: fn(f64) -> f64, bound: f64) {
    (0..1_u32 << 17).into_par_iter().for_each(|block| {
        let bits = (0..1 << 15).map(|i| block << 15 | i);
        let xs: Vec<_> = bits.map(f32::from_bits).collect();
        check(activation, exact, bound, ("this machine", Arch::new()), &xs);
    });
}

/// Holds one `f32` in 65,537 to a bound in ULP, on every instruction set.
pub(super) fn f32_on_a_stride(activation: Activation, exact: fn(f64) -> f64, bound: f64) {
    let xs: Vec<_> = (0..=u32::MAX).step_by(65_537).map(f32::from_bits).collect();
    archs().into_iter().for_each(|arch| check(activation, exact, bound, arch, &xs));
}

/// A hash of the bits of an activation of some numbers.
pub(super) fn hash<A: Element>(activation: Activation, xs: &[A]) -> u64 {
    let fnv = |hash: u64, y: A| (hash ^ y.into_f64().to_bits()).wrapping_mul(0x0100_0000_01b3);
    values(Arch::new(), activation, xs).into_iter().fold(0xcbf2_9ce4_8422_2325, fnv)
}
