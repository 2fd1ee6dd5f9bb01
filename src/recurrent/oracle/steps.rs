//! What one unit of each kind of network computes in one step, and the way back.

use crate::element::Element;
use crate::kernels::{Lanes, sigmoid, tanh};
use crate::recurrent::{
    Architecture, CellArchitecture, GruCellConfig, GruConfig, LstmCellConfig, LstmConfig, RnnCellConfig,
    RnnConfig,
};
use crate::scalar::Scalar;

/// A kind of network whose step is written anew, over torch's blocks of parameters in torch's order.
pub trait Oracle: Architecture {
    /// The kind of this network's cell alone.
    type OfCell: CellArchitecture;

    /// torch's blocks of `weight_ih` and of `weight_hh`, in the order in which sums over blocks run on the way back. The masks
    /// of the hidden state, if there is one for each block of `weight_hh`, are in the same order.
    const BLOCKS: [&'static [usize]; 2];
    /// Whether the hidden state may be projected.
    const PROJECTS: bool;

    /// One unit's step, from the sums of the input and of the state, by torch's block, and the h and c before. A c is zero, and
    /// counts for nothing, in a kind that carries none.
    fn step<A: Scalar>(x: impl Fn(usize) -> A, s: impl Fn(usize) -> A, before: [A; 2]) -> Unit<A>;

    /// The way back, from the gradients of the output and of the c after.
    fn back<A: Scalar>(unit: &Unit<A>, d_y: A, d_c: A) -> UnitBack<A>;
}

/// What one unit made in one step.
#[derive(Debug, Clone, Copy)]
pub struct Unit<A> {
    /// What the way back reads beside the output, each kind in an order of its own.
    pub kept: [A; 5],
    /// The output: h before any projection.
    pub y: A,
    /// The c after.
    pub c: A,
}

/// What comes back through one unit in one step.
#[derive(Debug)]
pub struct UnitBack<A> {
    /// The gradients of the input's and of the state's sum, by torch's block.
    pub d_sums: Vec<[A; 2]>,
    /// The gradients of the h and c before, without what comes through the sums.
    pub d_before: [A; 2],
}

/// A function of vectors, of one number.
fn of_one<A: Element>(f: impl Fn(Lanes<A, pulp::Scalar>) -> Lanes<A, pulp::Scalar>, x: A) -> A {
    let mut y = [x];
    f(Lanes::load(pulp::Scalar, &y)).store(&mut y);
    y[0]
}

impl Oracle for RnnConfig {
    type OfCell = RnnCellConfig;
    const BLOCKS: [&'static [usize]; 2] = [&[0], &[0]];
    const PROJECTS: bool = false;

    fn step<A: Scalar>(x: impl Fn(usize) -> A, s: impl Fn(usize) -> A, [_, c]: [A; 2]) -> Unit<A> {
        Unit { kept: [A::zero(); 5], y: of_one(tanh, x(0) + s(0)), c }
    }

    fn back<A: Scalar>(unit: &Unit<A>, d_y: A, d_c: A) -> UnitBack<A> {
        let d_sum = d_y * (-unit.y).mul_add(unit.y, A::one());
        UnitBack { d_sums: vec![[d_sum; 2]], d_before: [A::zero(), d_c] }
    }
}

impl Oracle for LstmConfig {
    type OfCell = LstmCellConfig;
    /// torch has i, f, g and o; sums run over i, f, o and g.
    const BLOCKS: [&'static [usize]; 2] = [&[0, 1, 3, 2], &[0, 1, 3, 2]];
    const PROJECTS: bool = true;

    fn step<A: Scalar>(x: impl Fn(usize) -> A, s: impl Fn(usize) -> A, [_, c]: [A; 2]) -> Unit<A> {
        let [i, f, o] = [0, 1, 3].map(|block| of_one(sigmoid, x(block) + s(block)));
        let g = of_one(tanh, x(2) + s(2));
        let next = f.mul_add(c, i * g);
        Unit { kept: [i, f, g, o, c], y: o * of_one(tanh, next), c: next }
    }

    fn back<A: Scalar>(unit: &Unit<A>, d_y: A, d_c: A) -> UnitBack<A> {
        let ([i, f, g, o, c], one) = (unit.kept, A::one());
        let t = of_one(tanh, unit.c);
        let d_next = d_y * o * (-t).mul_add(t, one) + d_c;
        let d_i = d_next * g * (i * (one - i));
        let d_f = d_next * c * (f * (one - f));
        let d_g = d_next * i * (-g).mul_add(g, one);
        let d_o = d_y * t * (o * (one - o));
        let d_sums = [d_i, d_f, d_g, d_o].map(|d_sum| [d_sum; 2]).to_vec();
        UnitBack { d_sums, d_before: [A::zero(), d_next * f] }
    }
}

impl Oracle for GruConfig {
    type OfCell = GruCellConfig;
    /// torch has r, z and n; sums run over n, r and z of the input, and over r, z and n of the state.
    const BLOCKS: [&'static [usize]; 2] = [&[2, 0, 1], &[0, 1, 2]];
    const PROJECTS: bool = false;

    fn step<A: Scalar>(x: impl Fn(usize) -> A, s: impl Fn(usize) -> A, [h, c]: [A; 2]) -> Unit<A> {
        let [r, z] = [0, 1].map(|block| of_one(sigmoid, x(block) + s(block)));
        let (n_x, n_h) = (x(2), s(2));
        let n = of_one(tanh, r.mul_add(n_h, n_x));
        Unit { kept: [r, z, n, n_h, h], y: z.mul_add(h - n, n), c }
    }

    fn back<A: Scalar>(unit: &Unit<A>, d_y: A, d_c: A) -> UnitBack<A> {
        let ([r, z, n, n_h, h], one) = (unit.kept, A::one());
        let d_n = d_y * (one - z) * (-n).mul_add(n, one);
        let d_r = d_n * n_h * (r * (one - r));
        let d_z = d_y * (h - n) * (z * (one - z));
        UnitBack { d_sums: vec![[d_r; 2], [d_z; 2], [d_n, d_n * r]], d_before: [d_y * z, d_c] }
    }
}
