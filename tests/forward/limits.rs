//! Sizes that take no memory, or more than there is: an answer at once, and nothing drawn.
//!
//! An array may have 2^60 rows of no width, and a broadcast view as many of the same one. What walks over them all runs for
//! years; a test of it here would not end. What asks for all of them at once ends the program.

use ndarray::{Array, Array1, Array2, Array3, ArrayView, Axis, Dimension, IntoDimension, array};
use ndarray_rnn::io::Tensor;
use ndarray_rnn::keras::{self, Initializer, SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::loss::{CrossEntropyLoss, MseLoss, NllLoss};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Error, PackedSequence, Packing, Padding, Result, Rnn, RnnConfig, functional,
    init, manual_seed, one_hot, pad_sequence, unpad_sequence,
};

use crate::common::TestResult;

const MANY: usize = 1 << 56;

/// The one element of an array, many times.
fn broadcast<A, D: Dimension, I: IntoDimension<Dim = D>>(
    one: &Array<A, D>,
    shape: I,
) -> TestResult<ArrayView<'_, A, D>> {
    Ok(one.broadcast(shape.into_dimension()).ok_or("cannot be broadcast")?)
}

#[track_caller]
fn expect_overflow<T>(result: Result<T>, name: &str, shape: &[usize]) {
    let error = Error::SizeOverflow { name: name.into(), shape: shape.into() };
    assert_eq!(result.err(), Some(error));
}

/// No memory for a square of the rows.
#[test]
fn orthogonal_matrices_take_rows_times_columns() -> TestResult {
    for (rows, columns) in [(100_000, 1), (1, 100_000), (1 << 33, 0), (0, 1 << 33), (0, 0)] {
        let mut weight = Array2::<f32>::zeros((rows, columns));
        init::orthogonal(&mut weight, 1.0, &mut manual_seed(0))?;
        Initializer::orthogonal(1.0).fill(&mut weight, &mut keras::set_random_seed(0))?;
        let norm: f64 = weight.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!((norm - rows.min(columns) as f64).abs() < 1e-5, "{rows} {columns}: {norm}");
    }
    Ok(())
}

/// A view of one step, many times, is copied for the engine, or refused.
#[test]
fn broadcast_inputs() -> TestResult {
    let rnn = Rnn::<f32>::new(RnnConfig::new(3, 2), &mut manual_seed(0))?;
    let one = Array3::from_elem((1, 1, 3), 0.5);
    let some = broadcast(&one, (20, 4, 3))?;
    assert_eq!(rnn.run(&some).last()?, rnn.run(&some.to_owned()).last()?);
    let many = broadcast(&one, (1 << 20, 1 << 30, 3))?;
    expect_overflow(rnn.run(&many).last(), "input", &[1 << 20, 1 << 30, 3]);
    expect_overflow(rnn.run(&many).forward(), "output", &[1 << 20, 1 << 30, 2]);
    let lstm = keras::Lstm::<f32>::zeros(keras::LstmConfig::new(3, 2))?;
    assert!(matches!(lstm.call(&many).last(), Err(Error::SizeOverflow { .. })));
    Ok(())
}

/// An initialiser that is refused has drawn no seed.
#[test]
fn refused_initialisers_draw_nothing() -> TestResult {
    let mut rng = keras::set_random_seed(0);
    let fresh = rng.clone();
    for refused in [
        Initializer::orthogonal(f64::NAN),
        Initializer::random_uniform(0.0, f64::INFINITY),
        Initializer::random_normal(0.0, -1.0),
        Initializer::variance_scaling(-1.0, keras::FanMode::FanIn, keras::Distribution::Uniform),
    ] {
        assert!(refused.fill(&mut Array2::<f32>::zeros((2, 2)), &mut rng).is_err());
        let config = SimpleRnnConfig::new(2, 2).kernel_initializer(refused);
        assert!(SimpleRnn::<f32>::new(config.clone(), &mut rng).is_err());
        assert!(keras::Bidirectional::<f32>::new(config, keras::MergeMode::Sum, &mut rng).is_err());
    }
    assert!(Initializer::orthogonal(1.0).fill(&mut Array1::<f32>::zeros(2), &mut rng).is_err());
    assert_eq!(rng, fresh);
    Ok(())
}

#[test]
fn sequences_without_features() -> TestResult {
    let (long, short) = (Array2::<f32>::zeros((MANY, 0)), Array2::<f32>::zeros((1, 0)));
    let padded = pad_sequence(&[long, short.clone()], Padding::new(0.0))?;
    assert_eq!(padded.dim(), (MANY, 2, 0));
    let sequences = unpad_sequence(&padded, &[MANY, 3], Padding::new(0.0))?;
    assert_eq!((sequences[0].dim(), sequences[1].dim()), ((MANY, 0), (3, 0)));
    expect_overflow(PackedSequence::from_padded(&padded, &[MANY, 3], Packing::new()), "batch_sizes", &[MANY]);
    let padding = Padding::new(0.0).total_length(usize::MAX);
    expect_overflow(pad_sequence(&[short], padding), "padded", &[usize::MAX, 1, 0]);
    Ok(())
}

/// Elements that take no memory.
#[test]
fn sequences_of_nothing() -> TestResult {
    let one = Array2::from_elem((1, 1), ());
    let padding = Padding::new(()).total_length(usize::MAX);
    expect_overflow(pad_sequence(std::slice::from_ref(&one), padding), "padded", &[usize::MAX, 1, 1]);
    let packed = PackedSequence::from_sequences(&[one.clone(), one])?;
    expect_overflow(packed.to_padded(padding).map(drop), "padded", &[usize::MAX, 2, 1]);
    Ok(())
}

/// Each of 2^20 sequences would find memory, all together do not.
#[test]
fn sequences_are_counted_together() -> TestResult {
    let one = Array3::<f32>::zeros((1, 1, 1));
    let padded = broadcast(&one, (1 << 10, 1 << 12, 1 << 14))?;
    let rows = (1 << 10) * (1 << 12);
    expect_overflow(
        unpad_sequence(&padded, &[1 << 10; 1 << 12], Padding::new(0.0)),
        "data",
        &[rows, 1 << 14],
    );
    let batch = 1 << 33;
    let packed = PackedSequence::from_parts(Array2::<f32>::zeros((batch, 0)), vec![batch], None);
    expect_overflow(packed, "lengths", &[batch]);
    Ok(())
}

/// A layer finds memory, all of them do not.
#[test]
fn layers_are_counted_together() -> TestResult {
    let (layers, len) = (1 << 14, 1 << 23);
    let rnn = Rnn::<f32>::zeros(RnnConfig::new(1, 1).num_layers(layers).dropout(0.5))?;
    let one = Array3::zeros((1, 1, 1));
    let input = broadcast(&one, (len, 1, 1))?;
    expect_overflow(rnn.run(&input).states(), "output", &[layers, len, 1]);
    let mut rng = manual_seed(0);
    assert!(
        matches!(rnn.run(&input).last_train(&mut rng), Err(Error::SizeOverflow { name, .. }) if name == "trace")
    );
    assert_eq!(rng, manual_seed(0), "drawn");
    Ok(())
}

/// No sequences, of years.
#[test]
fn batches_of_none() -> TestResult {
    let rnn = Rnn::<f32>::new(RnnConfig::new(4, 2).num_layers(2).bidirectional(true), &mut manual_seed(0))?;
    let input = Array3::zeros((MANY, 0, 4));
    let mask = Array2::from_elem((MANY, 0), true);
    let (output, h_n) = rnn.run(&input).resets(&mask).forward()?;
    assert_eq!((output.dim(), h_n.dim()), ((MANY, 0, 4), (4, 0, 2)));
    let (output, _, trace) = rnn.run(&input).resets(&mask).forward_train(&mut manual_seed(0))?;
    assert_eq!(rnn.backward(&trace, &output, None)?.input.dim(), input.dim());
    assert_eq!(rnn.run(&input).lengths(&[]).last()?.0.dim(), (0, 4));

    let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
    let input = Array3::zeros((0, MANY >> 3, 4));
    let mask = Array2::from_elem((0, MANY >> 3), true);
    for masked in [false, true] {
        let call = layer.call(&input);
        let call = if masked { call.mask(&mask) } else { call };
        let (output, _, trace) = call.forward_train(&mut layer.seed_generator())?;
        assert_eq!(output.dim(), (0, MANY >> 3, 2));
        assert_eq!(layer.backward(&trace, &output, None)?.input.dim(), input.dim());
    }
    Ok(())
}

/// A mask takes 16 bytes a step: too many are refused before they are counted.
#[test]
fn masks_of_years() -> TestResult {
    let layer = SimpleRnn::<f32>::new(SimpleRnnConfig::new(4, 2), &mut keras::set_random_seed(0))?;
    let (one, yes) = (Array3::zeros((1, 1, 1)), Array2::from_elem((1, 1), true));
    let steps = 1 << 40;
    let input = broadcast(&one, (1, steps, 4))?;
    let mask = broadcast(&yes, (1, steps))?;
    expect_overflow(layer.call(&input).mask(&mask).last(), "mask", &[1, steps]);
    let mask = broadcast(&yes, (steps, 1))?;
    let input = broadcast(&one, (steps, 1, 4))?;
    expect_overflow(layer.call(&input).mask(&mask).last(), "mask", &[steps, 1]);
    Ok(())
}

/// As many targets or indices as no memory holds are refused before they are read.
#[test]
fn indices_of_years() -> TestResult {
    let count = 1 << 42;
    let (index, value) = (Array1::zeros(1), Array2::<f32>::zeros((1, 1)));
    let indices = broadcast(&index, count)?;
    expect_overflow(one_hot::<f32, _>(&indices, 3), "one_hot", &[count, 3]);
    let embedding = Embedding::<f32>::zeros(EmbeddingConfig::new(3, 2))?;
    expect_overflow(embedding.forward(&indices), "output", &[count, 2]);
    let input = broadcast(&value, (count, 4))?;
    expect_overflow(
        CrossEntropyLoss::new().ignore_index(0).forward(&input, &indices),
        "gradient",
        &[count, 4],
    );
    expect_overflow(
        CrossEntropyLoss::new().ignore_index(0).unreduced(&input, &indices).map(drop),
        "values",
        &[count],
    );
    expect_overflow(NllLoss::new().ignore_index(0).forward(&input, &indices), "gradient", &[count, 4]);
    Ok(())
}

/// Rows of no width.
#[test]
fn rows_of_nothing() -> TestResult {
    let input = Array2::<f32>::zeros((1 << 50, 0));
    let losses = MseLoss::new().unreduced(&input, &input)?;
    assert_eq!(losses.values.dim(), input.dim());
    assert_eq!(functional::softmax(&input, Axis(1))?.dim(), input.dim());
    assert_eq!(functional::relu(&input)?.dim(), input.dim());
    let input = Array3::<f32>::zeros((1 << 50, 4, 0));
    assert_eq!(
        CrossEntropyLoss::new().unreduced(&input, &Array2::zeros((1 << 50, 0)))?.values.dim(),
        (1 << 50, 0)
    );
    assert_eq!(one_hot::<f32, _>(&Array2::zeros((1 << 50, 0)), 3)?.dim(), (1 << 50, 0, 3));
    Ok(())
}

#[test]
fn layers_of_years() {
    let mut rng = manual_seed(0);
    let result = Rnn::<f32>::new(RnnConfig::new(1, 1).num_layers(1 << 24), &mut rng);
    let (name, expected, actual) = ("num_layers", "at most 65536", f64::from(1 << 24));
    assert_eq!(result.err(), Some(Error::OutOfRange { name, expected, actual }));
    assert_eq!(rng, manual_seed(0), "drawn");
}

#[test]
fn tensors_of_years() -> TestResult {
    let value = Array1::<f32>::zeros(1);
    let view = broadcast(&value, 1 << 50)?;
    expect_overflow(Tensor::from_array(&view), "tensor", &[1 << 50, 4]);
    assert_eq!(Tensor::from_array(&array![1.0_f32])?.shape(), [1]);
    Ok(())
}
