//! Passes of networks of every kind, forward and back, over numbers and sizes that the bytes choose.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::{Array2, Array3};
use ndarray_rnn::{Architecture, GruConfig, LstmConfig, Parameters, Recurrent, RnnConfig, manual_seed};

/// What the bytes choose beside the network's options.
struct Choice<'a> {
    len: usize,
    batch: usize,
    input: usize,
    lengths: bool,
    resets: bool,
    last: bool,
    numbers: &'a [u8],
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[kind, options, input, hidden, layers, batch, len, more], numbers)) =
        bytes.split_first_chunk()
    else {
        return;
    };
    let size = |byte: u8, sizes: usize| usize::from(byte) % sizes;
    let (input, hidden, layers) = (1 + size(input, 20), 1 + size(hidden, 40), 1 + size(layers, 3));
    let is = |bit: u8| options >> bit & 1 == 1;
    let dropout = if is(2) { 0.5 } else { 0.0 };
    let choice = Choice {
        len: 1 + size(len, 6),
        batch: size(batch, 6),
        input,
        lengths: is(3),
        resets: is(4),
        last: is(5),
        numbers,
    };
    macro_rules! pass {
        ($config:ident) => {
            $config::new(input, hidden).num_layers(layers).bias(is(0)).bidirectional(is(1)).dropout(dropout)
        };
    }
    match kind % 3 {
        0 => pass(pass!(RnnConfig), dropout, &choice),
        1 => pass(pass!(LstmConfig).proj_size(size(more, hidden)), dropout, &choice),
        _ => pass(pass!(GruConfig), dropout, &choice),
    }
});

/// Weights and inputs are the bits that come, NaN and infinity among them. A pass in training gives what a pass gives, if
/// nothing is dropped, and nothing panics.
fn pass<C: Architecture>(config: C, dropout: f64, choice: &Choice<'_>) {
    let Choice { len, batch, input, .. } = *choice;
    let mut network = Recurrent::<C, f32>::new(config, &mut manual_seed(0)).expect("the options are right");
    let (words, _) = choice.numbers.as_chunks();
    let mut numbers = words.iter().map(|&word| f32::from_le_bytes(word));
    let x = Array3::from_shape_fn((len, batch, input), |_| numbers.next().unwrap_or(0.5));
    let all = network.named_parameters_mut().into_iter().flat_map(|(_, array)| array.into_iter());
    all.zip(numbers).for_each(|(weight, number)| *weight = number);
    let byte = |i: usize| choice.numbers.get(i).copied().unwrap_or(1);
    let lengths: Vec<usize> = (0..batch).map(|b| usize::from(byte(b)) % (len + 1)).collect();
    let resets = Array2::from_shape_fn((len, batch), |(t, b)| byte(t * batch + b) % 4 == 0);
    let run = || {
        let run = network.run(&x);
        let run = if choice.lengths { run.lengths(&lengths) } else { run };
        if choice.resets { run.resets(&resets) } else { run }
    };
    let bits = |of: &mut dyn Iterator<Item = &f32>| -> Vec<_> {
        of.map(|x| if x.is_nan() { f32::NAN } else { *x }.to_bits()).collect()
    };
    if choice.last {
        let (last, _) = run().last().expect("the arguments are right");
        let (trained, _, trace) = run().last_train(&mut manual_seed(1)).expect("the arguments are right");
        assert!(dropout > 0.0 || bits(&mut last.iter()) == bits(&mut trained.iter()));
        let gradients = network.back(&trace).last(&trained).gradients().expect("the gradient is right");
        assert_eq!(gradients.input.dim(), x.dim());
    } else {
        let (output, _) = run().forward().expect("the arguments are right");
        let (trained, _, trace) = run().forward_train(&mut manual_seed(1)).expect("the arguments are right");
        assert!(dropout > 0.0 || bits(&mut output.iter()) == bits(&mut trained.iter()));
        let gradients = network.backward(&trace, &trained, None).expect("the gradient is right");
        assert_eq!(gradients.input.dim(), x.dim());
    }
}
