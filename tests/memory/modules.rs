//! What training needs beside a network: modules, losses, functions, packed sequences.

use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_rnn::loss::{CrossEntropyLoss, MseLoss};
use ndarray_rnn::{
    Dropout, Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, PackedSequence, Packing,
    Padding, functional, init, manual_seed, one_hot, pad_sequence, random, unpad_sequence,
};

use crate::refusals::Refusing;

fn numbers(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i + 3 * j) % 11) as f32 * 0.25 - 1.0)
}

/// Forwards and back, with arrays in column-major order.
pub(crate) fn linear(refusing: &Refusing) {
    let linear = Linear::<f32>::new(LinearConfig::new(40, 1100), &mut manual_seed(0)).unwrap();
    let (x, d_y) = (numbers(40, 30).reversed_axes(), numbers(1100, 30).reversed_axes());
    let x = numbers(40, x.nrows()).reversed_axes();
    refusing.each(&linear, |linear| {
        linear.forward(&x)?;
        linear.backward(&x, &d_y)
    });
}

pub(crate) fn embedding(refusing: &Refusing) {
    let config = EmbeddingConfig::new(50, 30).max_norm(1.0);
    let embedding = Embedding::<f32>::new(config, &mut manual_seed(0)).unwrap();
    let indices = Array1::from_shape_fn(60, |i| i * 7 % 50);
    let vectors = embedding.forward(&indices).unwrap();
    refusing.each(&embedding, |embedding| embedding.forward(&indices));
    refusing.each(&embedding, |embedding| embedding.renorm(&indices));
    refusing.each(&embedding, |embedding| embedding.backward(&indices, &vectors));
    refusing.each(&(), |()| one_hot::<f32, _>(&indices, 50));
}

pub(crate) fn dropout(refusing: &Refusing) {
    let (dropout, x) = (Dropout::new(0.5).unwrap(), numbers(40, 50));
    refusing.each(&manual_seed(0), |rng| {
        let (output, mask) = dropout.forward_train(&x, rng)?;
        assert_eq!(output.dim(), x.dim());
        Ok(mask)
    });
    let (_, mask) = dropout.forward_train(&x, &mut manual_seed(0)).unwrap();
    refusing.each(&(), |()| mask.backward(&x));
}

pub(crate) fn functions(refusing: &Refusing) {
    let x = numbers(600, 40);
    refusing.each(&(), |()| {
        let (soft, best) = (functional::softmax(&x, Axis(1))?, functional::argmax(&x, Axis(1))?);
        Ok((soft, functional::log_softmax(&x, Axis(0))?, best, functional::relu_backward(&x, &x)?))
    });
    refusing.each(&manual_seed(0), |rng| functional::sample(&x, 1.0, rng));
    refusing.each(&manual_seed(0), |rng| random::randperm(600, rng));
}

pub(crate) fn initialisers(refusing: &Refusing) {
    let array = Array2::<f32>::zeros((1100, 40));
    refusing.each(&(array.clone(), manual_seed(0)), |(array, rng)| init::orthogonal(array, 1.0, rng));
    refusing.each(&(array, manual_seed(0)), |(array, rng)| init::xavier_normal(array, 1.0, rng));
}

pub(crate) fn losses(refusing: &Refusing) {
    let (x, d_values) = (numbers(600, 40), Array1::from_elem(600, 0.5));
    let target = Array1::from_shape_fn(600, |i| i * 7 % 40);
    let probabilities = functional::softmax(&x, Axis(1)).unwrap();
    let cross = CrossEntropyLoss::new().label_smoothing(0.1);
    refusing.each(&(), |()| cross.forward(&x, &target));
    refusing.each(&(), |()| cross.forward_probabilities(&x, &probabilities));
    refusing.each(&(), |()| cross.unreduced(&x, &target)?.backward(&d_values));
    refusing.each(&(), |()| MseLoss::new().forward(&x, &probabilities));
    refusing.each(&(), |()| MseLoss::new().unreduced(&x, &probabilities)?.backward(&x));
}

pub(crate) fn sequences(refusing: &Refusing) {
    let lengths: Vec<usize> = (0..600).map(|n| if n == 7 { 600 } else { 1 + n % 3 }).collect();
    let sequences: Vec<_> = lengths.iter().map(|&length| numbers(length, 2)).collect();
    let padded = pad_sequence(&sequences, Padding::default()).unwrap();
    let packed = PackedSequence::from_sequences(&sequences).unwrap();
    refusing.each(&(), |()| pad_sequence(&sequences, Padding::default()));
    refusing
        .each(&(), |()| PackedSequence::from_padded(&padded, &lengths, Packing::new().enforce_sorted(false)));
    refusing.each(&(), |()| packed.to_padded(Padding::default().batch_first(true)));
    let rows = packed.data().nrows();
    refusing.each(&(), |()| packed.with_data(Array2::<u8>::default((rows, 0)))?.lengths());
    let lstm = Lstm::<f32>::new(LstmConfig::new(2, 4), &mut manual_seed(0)).unwrap();
    refusing.each(&manual_seed(0), |rng| {
        let (output, _, _) = lstm.run(&packed).forward_train(rng)?;
        Ok(output)
    });
}

/// The arrays of a sequence each are smaller than what is refused, their list is not.
pub(crate) fn lists_of_sequences(refusing: &Refusing) {
    let sequences: Vec<_> = (0..60).map(|n| numbers(520 + n, 2)).collect();
    let packed = PackedSequence::from_sequences(&sequences).unwrap();
    let (padded, lengths) = packed.to_padded(Padding::default()).unwrap();
    refusing.each(&(), |()| packed.to_sequences());
    refusing.each(&(), |()| unpad_sequence(&padded, &lengths, Padding::default()));
}

/// A batch first, resets that are in no row's way.
pub(crate) fn batch_first(refusing: &Refusing) {
    let config = LstmConfig::new(30, 40).batch_first(true).bidirectional(true);
    let lstm = Lstm::<f32>::new(config, &mut manual_seed(0)).unwrap();
    let input = Array3::from_elem((20, 30, 30), 0.5);
    refusing.each(&lstm, |lstm| lstm.forward(&input, None));
    let (output, _, trace) = lstm.forward_train(&input, None, &mut manual_seed(0)).unwrap();
    refusing.each(&(), |()| lstm.backward(&trace, &output, None));
}
