//! The recurrent network: forward, in chunks, backward, cell by cell.

use ndarray::{Array2, Array3, Axis};
use ndarray_rnn::kernels::archs;
use ndarray_rnn::{
    GruCell, GruCellConfig, LstmCell, LstmCellConfig, Nonlinearity, PackedSequence, Packing, Parameters,
    Recurrent, Result, RnnCell, RnnCellConfig, Scalar, manual_seed,
};

use crate::draws::{any_bits, matrix, uniform};
use crate::kinds::Net;
use crate::report::{case, dtype};

/// Every number of a model or of its gradient, in the order of the parameters.
pub fn numbers<A: Scalar>(model: &impl Parameters<Elem = A>) -> Vec<A> {
    model.state_dict().into_iter().flat_map(|(_, value)| value).collect()
}

/// (I, H, L, N), on both sides of every width of a vector, a panel and a tile.
const SIZES: [[usize; 4]; 11] = [
    [1, 1, 1, 1],
    [3, 2, 5, 7],
    [4, 7, 3, 1],
    [5, 16, 4, 7],
    [16, 17, 6, 7],
    [8, 31, 3, 2],
    [33, 32, 2, 13],
    [8, 64, 5, 1],
    [64, 65, 3, 7],
    [70, 70, 4, 1],
    [69, 40, 2, 7],
];

fn shape<C: Net>(config: &C, [input, _, len, batch]: [usize; 4]) -> [usize; 3] {
    if config.batch_first() { [batch, len, input] } else { [len, batch, input] }
}

/// Every configuration with every size, and in turn every way to run it.
pub fn forward<C: Net, A: Scalar>() -> Result<()> {
    for (i, size) in SIZES.into_iter().step_by(C::EVERY).enumerate() {
        for (j, (options, config)) in C::configs(size[0], size[1]).into_iter().enumerate() {
            let rnn = Recurrent::<C, A>::new(config, &mut manual_seed(3))?;
            for way in [i + j, i + j + 3] {
                let (way, pass) = WAYS[way % WAYS.len()];
                let [input, hidden, len, batch] = size;
                let name =
                    format!("forward/{}/{options}/I{input}.H{hidden}.L{len}.N{batch}/{way}", dtype::<A>());
                case(&name, "", Pass::new(&rnn, size)?.run(pass)?);
                for (set, arch) in archs() {
                    case(&name, set, Pass::new(&rnn.clone().on(arch), size)?.run(pass)?);
                }
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Plain,
    First,
    Lengths,
    Resets,
    Last,
    States,
    Packed,
}

const WAYS: [(&str, Way); 7] = [
    ("plain", Way::Plain),
    ("h_0", Way::First),
    ("lengths", Way::Lengths),
    ("resets", Way::Resets),
    ("last", Way::Last),
    ("states", Way::States),
    ("packed", Way::Packed),
];

/// A network and something to run it over.
struct Pass<'a, C: Net, A: Scalar> {
    rnn: &'a Recurrent<C, A>,
    input: Array3<A>,
    /// h_0, and c_0 if there is one.
    first: [Array3<A>; 2],
    lengths: Vec<usize>,
    resets: Array2<bool>,
}

impl<'a, C: Net, A: Scalar> Pass<'a, C, A> {
    fn new(rnn: &'a Recurrent<C, A>, size: [usize; 4]) -> Result<Self> {
        let [_, _, len, batch] = size;
        let input = uniform(shape(rnn.config(), size), 4)?;
        let (rows, columns, _) = input.dim();
        let [h_0, c_0] = rnn.config().states(batch);
        Ok(Self {
            rnn,
            first: [uniform(h_0, 5)?, uniform(c_0, 16)?],
            lengths: (0..batch).map(|n| (n * 5 + 1) % (len + 1)).collect(),
            resets: Array2::from_shape_fn((rows, columns), |(a, b)| (a * 3 + b * 5) % 4 == 1),
            input,
        })
    }

    fn run(&self, way: Way) -> Result<Vec<A>> {
        let Self { rnn, input, first, lengths, resets } = self;
        let first = || C::lent(first);
        let (output, last) = match way {
            Way::Plain => rnn.forward(input, None)?,
            Way::First => rnn.forward(input, Some(first()))?,
            Way::Lengths => rnn.run(input).state(first()).lengths(lengths).forward()?,
            Way::Resets => rnn.run(input).state(first()).resets(resets).reset_state(first()).forward()?,
            Way::Last => {
                let (output, last) = rnn.run(input).lengths(lengths).resets(resets).last()?;
                return Ok(output.into_iter().chain(C::numbers(last)).collect());
            }
            Way::States => {
                let (layers, last) = rnn.run(input).state(first()).states()?;
                return Ok(layers.into_iter().flatten().chain(C::numbers(last)).collect());
            }
            Way::Packed => {
                let lengths: Vec<_> = lengths.iter().map(|&length| length.max(1)).collect();
                let packing = Packing::new().batch_first(rnn.config().batch_first()).enforce_sorted(false);
                let packed = PackedSequence::from_padded(input, &lengths, packing)?;
                let (output, last) = rnn.run(&packed).state(first()).forward()?;
                return Ok(output.data().iter().copied().chain(C::numbers(last)).collect());
            }
        };
        Ok(output.into_iter().chain(C::numbers(last)).collect())
    }
}

/// Output, state and every gradient of a pass in training, with dropout if the configuration has it.
pub fn backward<C: Net, A: Scalar>() -> Result<()> {
    for (i, size) in SIZES.into_iter().step_by(C::EVERY).enumerate() {
        for (j, (options, config)) in C::configs(size[0], size[1]).into_iter().enumerate() {
            if (i + j) % 2 == 1 {
                continue;
            }
            let rnn = Recurrent::<C, A>::new(config, &mut manual_seed(6))?;
            let [input, hidden, len, batch] = size;
            let name = format!("backward/{}/{options}/I{input}.H{hidden}.L{len}.N{batch}", dtype::<A>());
            case(&name, "", gradients(&rnn, size)?);
            for (set, arch) in archs() {
                case(&name, set, gradients(&rnn.clone().on(arch), size)?);
            }
        }
    }
    Ok(())
}

fn gradients<C: Net, A: Scalar>(rnn: &Recurrent<C, A>, size: [usize; 4]) -> Result<Vec<A>> {
    let pass = Pass::new(rnn, size)?;
    let lengths: Vec<_> = pass.lengths.iter().map(|&length| length.max(1)).collect();
    let run = rnn.run(&pass.input).state(C::lent(&pass.first)).lengths(&lengths).resets(&pass.resets);
    let (output, last, trace) = run.forward_train(&mut manual_seed(7))?;
    // The loss is half the sum of the squares of outputs and final states.
    let last = C::arrays(last);
    let gradients = rnn.backward(&trace, &output, Some(C::lent(&last)))?;
    let states = last.into_iter().flatten();
    let arrays = output.into_iter().chain(states).chain(gradients.input).chain(C::numbers(gradients.state));
    Ok(arrays.chain(numbers(&gradients.parameters)).collect())
}

/// The whole sequence, and chunks of 1, 2 and 5 steps: one case.
pub fn chunks<C: Net, A: Scalar>() -> Result<()> {
    for (input, hidden, batch) in [(3, 5, 1), (17, 33, 7), (8, 64, 1)] {
        let rnn = Recurrent::<C, A>::new(C::of(input, hidden, 2), &mut manual_seed(8))?;
        let x = uniform([11, batch, input], 9)?;
        let name = format!("chunks{}/{}/I{input}.H{hidden}.N{batch}", C::NAME, dtype::<A>());
        let (output, last) = rnn.forward(&x, None)?;
        case(&name, "whole", output.into_iter().chain(C::numbers(last)));
        for size in [1, 2, 5] {
            let mut session = rnn.session(batch)?;
            let chunks: Result<Vec<_>> =
                x.axis_chunks_iter(Axis(0), size).map(|chunk| session.chunk(&chunk)).collect();
            let output = chunks?.into_iter().flatten();
            case(&name, &format!("chunks_of_{size}"), output.chain(C::numbers_of(session.state())));
        }
    }
    Ok(())
}

pub fn cell<A: Scalar>() -> Result<()> {
    for (input, hidden) in [(1, 1), (4, 2), (17, 33), (64, 16)] {
        for nonlinearity in [Nonlinearity::Tanh, Nonlinearity::Relu] {
            let config = RnnCellConfig::new(input, hidden).nonlinearity(nonlinearity);
            let cell = RnnCell::<A>::new(config, &mut manual_seed(10))?;
            let (x, mut h) = (matrix([7, input], 11)?, matrix([7, hidden], 12)?);
            for _ in 0..5 {
                h = cell.forward(&x, Some(&h))?;
            }
            let alone = cell.forward(&x.index_axis(Axis(0), 3), None)?;
            let name = format!("cell/{}/{nonlinearity:?}/I{input}.H{hidden}", dtype::<A>());
            case(&name, "", h.into_iter().chain(alone));
        }
    }
    Ok(())
}

pub fn gated_cells<A: Scalar>() -> Result<()> {
    for (input, hidden) in [(1, 1), (4, 2), (17, 33), (64, 16)] {
        let name = |kind| format!("cell/{}/{kind}/I{input}.H{hidden}", dtype::<A>());
        let (x, h, c) = (matrix([7, input], 11)?, matrix([7, hidden], 12)?, matrix([7, hidden], 17)?);
        let row = x.index_axis(Axis(0), 3);
        let lstm = LstmCell::<A>::new(LstmCellConfig::new(input, hidden), &mut manual_seed(10))?;
        let mut state = (h.clone(), c);
        for _ in 0..5 {
            state = lstm.forward(&x, Some((&state.0, &state.1)))?;
        }
        let alone = lstm.forward(&row, None)?;
        case(&name("lstm"), "", state.0.into_iter().chain(state.1).chain(alone.0).chain(alone.1));
        let gru = GruCell::<A>::new(GruCellConfig::new(input, hidden), &mut manual_seed(10))?;
        let mut h = h;
        for _ in 0..5 {
            h = gru.forward(&x, Some(&h))?;
        }
        case(&name("gru"), "", h.into_iter().chain(gru.forward(&row, None)?));
    }
    Ok(())
}

/// Networks of any bits, which overflow, underflow, are infinite or NaN.
pub fn extremes<C: Net, A: Scalar>() -> Result<()> {
    let mut rng = manual_seed(13);
    for (options, config) in C::configs(5, 9) {
        let size = [5, 9, 3, 7];
        let mut rnn = Recurrent::<C, A>::zeros(config)?;
        for (_, mut value) in rnn.named_parameters_mut() {
            any_bits(&mut value, &mut rng);
        }
        let mut input = Array3::zeros(shape(rnn.config(), size));
        any_bits(&mut input, &mut rng);
        for (set, arch) in archs() {
            let (output, last) = rnn.clone().on(arch).forward(&input, None)?;
            case(
                &format!("extremes/{}/{options}", dtype::<A>()),
                set,
                output.into_iter().chain(C::numbers(last)),
            );
        }
    }
    Ok(())
}

/// Cases large enough to be split among threads: the units of one sequence, and the sequences of a batch.
#[cfg(feature = "rayon")]
pub fn threads<C: Net, A: Scalar>() -> Result<()> {
    for (len, batch) in [(88, 1), (11, 8)] {
        let rnn = Recurrent::<C, A>::new(C::of(32, 232, 1), &mut manual_seed(14))?;
        let x = uniform([len, batch, 32], 15)?;
        for threads in [1, 2, 3] {
            let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() else { continue };
            let pass = || {
                let (output, last) = rnn.forward(&x, None)?;
                Ok::<Vec<_>, ndarray_rnn::Error>(output.into_iter().chain(C::numbers(last)).collect())
            };
            let name = format!("threads{}/{}/L{len}.N{batch}", C::NAME, dtype::<A>());
            case(&name, &format!("{threads}_threads"), pool.install(pass)?);
        }
    }
    Ok(())
}
