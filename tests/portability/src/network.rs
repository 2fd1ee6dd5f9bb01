//! The recurrent network: forward, in chunks, backward, cell by cell.

use ndarray::{Array2, Array3, Axis};
use ndarray_rnn::kernels::archs;
use ndarray_rnn::{
    Nonlinearity, PackedSequence, Packing, Parameters, Result, Rnn, RnnCell, RnnCellConfig, RnnConfig,
    Scalar, manual_seed,
};

use crate::draws::{any_bits, matrix, uniform};
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

fn configs(input: usize, hidden: usize) -> [(&'static str, RnnConfig); 6] {
    let config = || RnnConfig::new(input, hidden);
    [
        ("tanh", config()),
        ("relu", config().nonlinearity(Nonlinearity::Relu)),
        ("tanh.no_bias.batch_first", config().bias(false).batch_first(true)),
        ("tanh.both", config().bidirectional(true).dropout(0.5)),
        ("tanh.2_layers", config().num_layers(2).dropout(0.25)),
        ("relu.2_layers.both", config().num_layers(2).bidirectional(true).nonlinearity(Nonlinearity::Relu)),
    ]
}

fn shape(config: &RnnConfig, [input, _, len, batch]: [usize; 4]) -> [usize; 3] {
    if config.batch_first { [batch, len, input] } else { [len, batch, input] }
}

/// Every configuration with every size, and in turn every way to run it.
pub fn forward<A: Scalar>() -> Result<()> {
    for (i, size) in SIZES.into_iter().enumerate() {
        for (j, (options, config)) in configs(size[0], size[1]).into_iter().enumerate() {
            let rnn = Rnn::<A>::new(config, &mut manual_seed(3))?;
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
struct Pass<'a, A: Scalar> {
    rnn: &'a Rnn<A>,
    input: Array3<A>,
    h_0: Array3<A>,
    lengths: Vec<usize>,
    resets: Array2<bool>,
}

impl<'a, A: Scalar> Pass<'a, A> {
    fn new(rnn: &'a Rnn<A>, size: [usize; 4]) -> Result<Self> {
        let [_, hidden, len, batch] = size;
        let config = rnn.config();
        let states = config.num_layers * (1 + usize::from(config.bidirectional));
        let input = uniform(shape(config, size), 4)?;
        let (rows, columns, _) = input.dim();
        Ok(Self {
            rnn,
            h_0: uniform([states, batch, hidden], 5)?,
            lengths: (0..batch).map(|n| (n * 5 + 1) % (len + 1)).collect(),
            resets: Array2::from_shape_fn((rows, columns), |(a, b)| (a * 3 + b * 5) % 4 == 1),
            input,
        })
    }

    fn run(&self, way: Way) -> Result<Vec<A>> {
        let Self { rnn, input, h_0, lengths, resets } = self;
        let (output, h_n) = match way {
            Way::Plain => rnn.forward(input, None)?,
            Way::First => rnn.forward(input, Some(h_0))?,
            Way::Lengths => rnn.run(input).state(h_0).lengths(lengths).forward()?,
            Way::Resets => rnn.run(input).state(h_0).resets(resets).reset_state(h_0).forward()?,
            Way::Last => {
                let (last, h_n) = rnn.run(input).lengths(lengths).resets(resets).last()?;
                return Ok(last.into_iter().chain(h_n).collect());
            }
            Way::States => {
                let (layers, h_n) = rnn.run(input).state(h_0).states()?;
                return Ok(layers.into_iter().flatten().chain(h_n).collect());
            }
            Way::Packed => {
                let lengths: Vec<_> = lengths.iter().map(|&length| length.max(1)).collect();
                let packing = Packing::new().batch_first(rnn.config().batch_first).enforce_sorted(false);
                let packed = PackedSequence::from_padded(input, &lengths, packing)?;
                let (output, h_n) = rnn.run(&packed).state(h_0).forward()?;
                return Ok(output.data().iter().copied().chain(h_n).collect());
            }
        };
        Ok(output.into_iter().chain(h_n).collect())
    }
}

/// Output, state and every gradient of a pass in training, with dropout if the configuration has it.
pub fn backward<A: Scalar>() -> Result<()> {
    for (i, size) in SIZES.into_iter().enumerate() {
        for (j, (options, config)) in configs(size[0], size[1]).into_iter().enumerate() {
            if (i + j) % 2 == 1 {
                continue;
            }
            let rnn = Rnn::<A>::new(config, &mut manual_seed(6))?;
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

fn gradients<A: Scalar>(rnn: &Rnn<A>, size: [usize; 4]) -> Result<Vec<A>> {
    let pass = Pass::new(rnn, size)?;
    let lengths: Vec<_> = pass.lengths.iter().map(|&length| length.max(1)).collect();
    let run = rnn.run(&pass.input).state(&pass.h_0).lengths(&lengths).resets(&pass.resets);
    let (output, h_n, trace) = run.forward_train(&mut manual_seed(7))?;
    let gradients = rnn.backward(&trace, &output, Some(&h_n))?;
    let arrays = output.into_iter().chain(h_n).chain(gradients.input).chain(gradients.state);
    Ok(arrays.chain(numbers(&gradients.parameters)).collect())
}

/// The whole sequence, and chunks of 1, 2 and 5 steps: one case.
pub fn chunks<A: Scalar>() -> Result<()> {
    for (input, hidden, batch) in [(3, 5, 1), (17, 33, 7), (8, 64, 1)] {
        let rnn = Rnn::<A>::new(RnnConfig::new(input, hidden).num_layers(2), &mut manual_seed(8))?;
        let x = uniform([11, batch, input], 9)?;
        let name = format!("chunks/{}/I{input}.H{hidden}.N{batch}", dtype::<A>());
        let (output, h_n) = rnn.forward(&x, None)?;
        case(&name, "whole", output.into_iter().chain(h_n));
        for size in [1, 2, 5] {
            let mut stream = rnn.stream(batch)?;
            let chunks: Result<Vec<_>> =
                x.axis_chunks_iter(Axis(0), size).map(|chunk| stream.chunk(&chunk)).collect();
            let output = chunks?.into_iter().flatten();
            case(&name, &format!("chunks_of_{size}"), output.chain(stream.state().iter().copied()));
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

/// Networks of any bits, which overflow, underflow, are infinite or NaN.
pub fn extremes<A: Scalar>() -> Result<()> {
    let mut rng = manual_seed(13);
    for (options, config) in configs(5, 9) {
        let size = [5, 9, 3, 7];
        let mut rnn = Rnn::<A>::zeros(config)?;
        for (_, mut value) in rnn.named_parameters_mut() {
            any_bits(&mut value, &mut rng);
        }
        let mut input = Array3::zeros(shape(rnn.config(), size));
        any_bits(&mut input, &mut rng);
        for (set, arch) in archs() {
            let (output, h_n) = rnn.clone().on(arch).forward(&input, None)?;
            case(&format!("extremes/{}/{options}", dtype::<A>()), set, output.into_iter().chain(h_n));
        }
    }
    Ok(())
}

/// Cases large enough to be split among threads: the units of one sequence, and the sequences of a batch.
#[cfg(feature = "rayon")]
pub fn threads<A: Scalar>() -> Result<()> {
    for (len, batch) in [(88, 1), (11, 8)] {
        let rnn = Rnn::<A>::new(RnnConfig::new(32, 232), &mut manual_seed(14))?;
        let x = uniform([len, batch, 32], 15)?;
        for threads in [1, 2, 3] {
            let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() else { continue };
            let (output, h_n) = pool.install(|| rnn.forward(&x, None))?;
            let name = format!("threads/{}/L{len}.N{batch}", dtype::<A>());
            case(&name, &format!("{threads}_threads"), output.into_iter().chain(h_n));
        }
    }
    Ok(())
}
