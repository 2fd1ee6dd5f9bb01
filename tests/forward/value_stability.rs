//! Random numbers that no later version may change, over two generators.
//!
//! The Mersenne Twister's words are those of its reference implementation. The other frozen values are what the
//! crate drew when they were written down. Those from `manual_seed` agree with torch (`random.rs`). For ChaCha8,
//! uniform values are also worked out from the generator's words by another formula, so that more than the crate's
//! own word stands behind them.

use std::iter;

use crate::common::kinds::{Network, Shape};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types, uniform as uniform_array};
use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, arr2};
use ndarray_rnn::random::{NormalRng, WithSpare, bernoulli, normal, randperm, uniform};
use ndarray_rnn::{GruConfig, LstmConfig, Parameters, Recurrent, Rnn, RnnConfig, init, manual_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn chacha() -> WithSpare<ChaCha8Rng> {
    WithSpare::new(ChaCha8Rng::seed_from_u64(0))
}

/// The reference implementation's first words for its default seed, and the ways to read them.
#[test]
fn words_of_the_mersenne_twister() {
    const WORDS: [u32; 5] = [3499211612, 581869302, 3890346734, 3586334585, 545404204];
    let mut rng = manual_seed(5489);
    assert_eq!(WORDS.map(|_| rng.next_u32()), WORDS);
    let mut rng = manual_seed(5489);
    // The high word comes first, as in torch's random64.
    assert_eq!(rng.next_u64(), u64::from(WORDS[0]) << 32 | u64::from(WORDS[1]));
    let mut bytes = [0; 8];
    rng.fill_bytes(&mut bytes);
    assert_eq!(bytes[..4], WORDS[2].to_le_bytes());
    assert_eq!(bytes[4..], WORDS[3].to_le_bytes());
    // The ten thousandth word, as the C++ standard gives it for std::mt19937.
    let mut rng = manual_seed(5489);
    assert_eq!((0..10_000).map(|_| rng.next_u32()).last(), Some(4123659995));
}

/// The low 32 bits of a seed's two's complement decide, for every integer type up to 64 bits.
#[test]
fn seeds_of_any_type() {
    let minus_one = manual_seed(u64::MAX);
    assert_eq!(manual_seed(-1), minus_one);
    assert_eq!(manual_seed(-1_i64), minus_one);
    assert_eq!(manual_seed(u32::MAX), minus_one);
    assert_eq!(manual_seed(i64::MIN), manual_seed(0));
    assert_eq!(manual_seed(1_u64 << 32), manual_seed(0_u8));
    assert_eq!(manual_seed(i64::MAX), minus_one);
    assert_ne!(manual_seed(1), manual_seed(0));
}

/// `u * (high - low) + low` from a generator's words: not fused, but in a precision where nothing is lost.
fn uniform_f32_from_words(rng: &mut dyn Rng, low: f32, high: f32) -> f32 {
    let u = f64::from(rng.next_u32() % (1 << 24)) / 16_777_216.0;
    (u * f64::from(high - low) + f64::from(low)) as f32
}

/// The same for (-1, 1), where every step is exact but the last.
fn uniform_f64_from_words(rng: &mut dyn Rng) -> f64 {
    let high = i64::from(rng.next_u32() % (1 << 21));
    let low = i64::from(rng.next_u32());
    ((high << 32 | low) - (1 << 52)) as f64 / 4_503_599_627_370_496.0
}

#[test]
fn uniform_follows_from_the_words() -> TestResult {
    let generators: [fn() -> Box<dyn Rng>; 2] = [|| Box::new(manual_seed(0)), || Box::new(chacha())];
    for generator in generators {
        for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (-0.5, 0.25), (3.0, 3.0)] {
            let (mut rng, mut words) = (generator(), generator());
            let mut values = Array1::<f32>::zeros(1000);
            uniform(&mut values, low, high, &mut *rng)?;
            let expected = values.mapv(|_| uniform_f32_from_words(&mut *words, low as f32, high as f32));
            assert_same_bits(&values, &expected, "f32");
            assert_eq!(rng.next_u32(), words.next_u32(), "one word for each value");
        }
        let (mut rng, mut words) = (generator(), generator());
        let mut values = Array1::<f64>::zeros(1000);
        uniform(&mut values, -1.0, 1.0, &mut *rng)?;
        let expected = values.mapv(|_| uniform_f64_from_words(&mut *words));
        assert_same_bits(&values, &expected, "f64");
        assert_eq!(rng.next_u32(), words.next_u32(), "two words for each value");
    }
    Ok(())
}

/// The first three draws of each kind.
#[derive(Debug, PartialEq)]
struct Frozen {
    uniform_f32: [f32; 3],
    uniform_f64: [f64; 3],
    normal_f32: [f32; 3],
    normal_f64: [f64; 3],
    /// The first and the last of 17 values: the first of the block, and one that is drawn again.
    block_f32: [f32; 2],
    block_f64: [f64; 2],
    bernoulli: [bool; 12],
    randperm: [usize; 8],
}

/// Each kind from a generator of its own.
fn draw_all<R: NormalRng>(generator: impl Fn() -> R) -> TestResult<Frozen> {
    fn first<A: Real, const N: usize>(values: &Array1<A>) -> [A; N] {
        std::array::from_fn(|i| values[i])
    }
    fn uniform_values<A: Real>(rng: &mut dyn Rng) -> TestResult<[A; 3]> {
        let mut values = Array1::zeros(3);
        uniform(&mut values, -1.0, 1.0, rng)?;
        Ok(first(&values))
    }
    fn normal_values<A: Real>(n: usize, rng: &mut dyn NormalRng) -> TestResult<Array1<A>> {
        let mut values = Array1::zeros(n);
        normal(&mut values, 0.5, 2.0, rng)?;
        Ok(values)
    }
    let (block_f32, block_f64) = (normal_values(17, &mut generator())?, normal_values(17, &mut generator())?);
    let mut events = generator();
    let events: Vec<bool> = (0..12).map(|_| bernoulli(0.5, &mut events)).collect::<Result<_, _>>()?;
    Ok(Frozen {
        uniform_f32: uniform_values(&mut generator())?,
        uniform_f64: uniform_values(&mut generator())?,
        normal_f32: first(&normal_values(3, &mut generator())?),
        normal_f64: first(&normal_values(3, &mut generator())?),
        block_f32: [block_f32[0], block_f32[16]],
        block_f64: [block_f64[0], block_f64[16]],
        bernoulli: std::array::from_fn(|i| events[i]),
        randperm: randperm(8, &mut generator())?.try_into().map_err(|_| "not eight")?,
    })
}

#[test]
fn values_of_the_mersenne_twister_are_frozen() -> TestResult {
    let frozen = Frozen {
        uniform_f32: [-0.00748682, 0.5364436, -0.82304513],
        uniform_f64: [0.9401060036131061, 0.4156397287995759, -0.08123411374509826],
        normal_f32: [3.5819921, -0.08685781, -3.8575788],
        normal_f64: [3.5819922164880866, -0.08685781152189276, -3.857578764149115],
        block_f32: [-1.7516797, 2.3636532],
        block_f64: [-4.120823600468353, 1.8497150871880077],
        bernoulli: [0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1].map(|event| event == 1),
        randperm: [4, 0, 7, 3, 2, 5, 1, 6],
    };
    assert_eq!(draw_all(|| manual_seed(0))?, frozen);
    Ok(())
}

#[test]
fn values_of_chacha_are_frozen() -> TestResult {
    const WORDS: [u32; 4] = [2811902828, 3045455719, 3134767159, 2001118559];
    let mut rng = chacha();
    assert_eq!(WORDS.map(|_| rng.next_u32()), WORDS, "rand_chacha itself has changed");
    let frozen = Frozen {
        uniform_f32: [0.20493841, 0.04661262, 0.69336593],
        uniform_f64: [0.6395079699281838, 0.5469278964249822, -0.8342526444022726],
        normal_f32: [1.9626536, -2.6208098, 3.9429114],
        normal_f64: [1.9626536822915477, -2.6208097710628806, 3.9429113791067576],
        block_f32: [3.2123556, -0.684934],
        block_f64: [-0.15079979960558632, -1.5347180104146596],
        bernoulli: [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0].map(|event| event == 1),
        randperm: [4, 6, 3, 7, 1, 5, 0, 2],
    };
    assert_eq!(draw_all(chacha)?, frozen);
    Ok(())
}

/// The initialisers, one after another from one generator.
#[test]
fn initialisers_are_frozen() -> TestResult {
    let (mut weight, rng) = (Array2::<f64>::zeros((2, 2)), &mut chacha());
    init::orthogonal(&mut weight, 1.0, rng)?;
    let expected = [[0.39100847996355464, -0.9203870754180495], [0.9203870754180495, 0.3910084799635546]];
    assert_same_bits(&weight, &arr2(&expected), "orthogonal");
    init::xavier_uniform(&mut weight, 1.0, rng)?;
    let expected = [[-1.0505787082387446, 1.1244989139776078], [-0.10936660335839986, 0.2609550431588915]];
    assert_same_bits(&weight, &arr2(&expected), "xavier_uniform");
    init::xavier_normal(&mut weight, 1.0, rng)?;
    let expected = [[-0.16766953547003244, 0.9390092807147951], [1.1494076143747811, -1.2444384284499783]];
    assert_same_bits(&weight, &arr2(&expected), "xavier_normal");
    let rnn = Rnn::<f32>::new(RnnConfig::new(2, 1), rng)?;
    let values: Vec<f32> = rnn.state_dict().iter().flat_map(|(_, value)| value).copied().collect();
    assert_eq!(values, [-0.41208994, -0.68383384, 0.114528656, 0.6023724, -0.8213155]);
    Ok(())
}

/// A pass in training and its way back over three sequences of 3, 2 and 4 steps: the last number of the output and of
/// each plane of the final state, then the first of each gradient: of the input, the first state, and every parameter.
fn trained<C: Network, A: Real>(shape: Shape) -> TestResult<Vec<A>> {
    let rng = &mut chacha();
    let network = Recurrent::<C, A>::new(C::of(shape), rng)?;
    let input: Array3<A> = uniform_array((4, 3, shape.input_size), rng)?;
    let rows = shape.num_layers * shape.directions();
    let widths = shape.widths::<C>().into_iter();
    let first = widths.map(|width| uniform_array((rows, 3, width), rng)).collect::<TestResult<Vec<_>>>()?;
    let run = network.run(&input).lengths(&[3, 2, 4]).state(C::lend(&first));
    let (output, state, trace) = run.forward_train(rng)?;
    let state = C::split(state);
    let last = |array: &Array3<A>| array.last().copied();
    let mut values: Vec<_> = iter::once(last(&output)).chain(state.iter().map(last)).collect();
    let gradients = network.backward(&trace, &output, Some(C::lend(&state)))?;
    values.extend(iter::once(gradients.input).chain(C::split(gradients.state)).map(|g| g.first().copied()));
    let parameters = gradients.parameters.named_parameters();
    values.extend(parameters.iter().map(|(_, gradient)| gradient.first().copied()));
    Ok(values.into_iter().collect::<Option<_>>().ok_or("an empty array")?)
}

/// Passes of networks with gates. That the values are right is shown by torch's, in `gradients/gated.rs`.
#[test]
fn passes_of_gates_are_frozen() -> TestResult {
    let two = Shape { num_layers: 2, dropout: 0.5, ..Shape::new(2, 3) };
    let projected = Shape { num_layers: 1, bidirectional: true, proj_size: 2, ..two };
    let both = Shape { proj_size: 0, ..projected };
    let text = "[-0.27596232, -0.27596232, -0.70498127, -0.100161105, -0.049621746, 0.44039237, -0.070768684, \
         0.0013666331, 0.18518029, 0.18518029, 0.10103932, -0.40897536, 1.2279837, 1.2279837]";
    assert_eq!(format!("{:?}", trained::<LstmConfig, f32>(two)?), text);
    let text = "[0.024183251645081987, -0.10344282520938976, -0.007941639207554719, 0.0691005146808791, \
         0.052502777039243075, 0.04234733595261725, -0.18631298042102365, -0.020360483597621704, \
         0.45390960041479456, 0.45390960041479456, -0.23356529264280743, 0.19954142542350653, \
         0.03833467419556077, 0.6065427042370649, 0.6065427042370649, -0.3727550398495074]";
    assert_eq!(format!("{:?}", trained::<LstmConfig, f64>(projected)?), text);
    let text = "[-0.7286424, -0.12821701, -0.03993321, -0.31526628, -0.01920492, 0.12766896, 0.19621003, 0.19621003, \
         -0.020660587, 0.0025735372, 0.050340667, 0.050340667]";
    assert_eq!(format!("{:?}", trained::<GruConfig, f32>(both)?), text);
    let text = "[0.20909546655905356, 0.20909546655905356, -0.03515781775368244, 0.2745487028475055, \
         -0.00708844939269339, 0.06665140350876676, 0.12747405367533288, 0.12747405367533288, \
         0.0022432481363106015, -0.006802211650528582, -0.03320431710185754, -0.03320431710185754]";
    assert_eq!(format!("{:?}", trained::<GruConfig, f64>(two)?), text);
    Ok(())
}

/// The generator may be a trait object, and draws the same then.
fn any_generator_serves<A: Real>() -> TestResult {
    fn draw<A: Real, R: NormalRng + ?Sized>(rng: &mut R) -> TestResult<(Array2<A>, bool, Vec<usize>)> {
        let (mut first, mut second) = (Array2::zeros((3, 6)), Array2::zeros((3, 6)));
        uniform(&mut first, 0.0, 1.0, rng)?;
        normal(&mut second, 0.0, 1.0, rng)?;
        Ok((first + second, bernoulli(0.5, rng)?, randperm(9, rng)?))
    }
    let dynamic: &mut dyn NormalRng = &mut chacha();
    assert_eq!(draw::<A, dyn NormalRng>(dynamic)?, draw(&mut chacha())?);
    let mut boxed: Box<dyn NormalRng> = Box::new(manual_seed(1));
    assert_eq!(draw::<A, Box<dyn NormalRng>>(&mut boxed)?, draw(&mut manual_seed(1))?);
    Ok(())
}

/// Arrays are filled in logical order, whatever their layout.
fn layout_does_not_matter<A: Real>() -> TestResult {
    type Fill<A> = fn(&mut ArrayRef2<A>) -> ndarray_rnn::Result<()>;
    let fills: [Fill<A>; 2] =
        [|array| uniform(array, -1.0, 1.0, &mut chacha()), |array| normal(array, 0.0, 1.0, &mut chacha())];
    for fill in fills {
        for (rows, columns) in [(3, 4), (5, 7)] {
            let (mut standard, mut other) = (Array2::zeros((rows, columns)), Array2::zeros((columns, rows)));
            fill(&mut standard)?;
            let mut view = other.view_mut().reversed_axes();
            view.invert_axis(Axis(1));
            fill(&mut view)?;
            assert_same_bits(&view, &standard, "column-major and reversed");
        }
    }
    Ok(())
}

in_both_types!(any_generator_serves, layout_does_not_matter);
