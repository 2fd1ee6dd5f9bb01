//! The notebook "RNN Basics", cell by cell, from its seed alone.
//!
//! ```text
//! cargo run --release --example hello_rnn
//! ```

use std::error::Error;

use ndarray::{Array3, ArrayViewD, Axis, array, stack};
use ndarray_rnn::{Parameters, Rnn, RnnConfig, manual_seed};

fn main() -> Result<(), Box<dyn Error>> {
    println!("torch.manual_seed(0)\n");
    let mut rng = manual_seed(0);

    let (input_size, hidden_size) = (4, 2);
    let input_data = words()?;
    println!("input_data, size {:?} =\n{}\n", input_data.shape(), tensor(&input_data.view().into_dyn(), 0));

    let rnn = Rnn::<f32>::new(RnnConfig::new(input_size, hidden_size), &mut rng)?;
    println!("rnn = {rnn}\n");

    let (outputs, state) = rnn.forward(&input_data, None)?;
    println!("outputs, size {:?} =\n{}\n", outputs.shape(), tensor(&outputs.view().into_dyn(), 4));
    println!("state, size {:?} =\n{}\n", state.shape(), tensor(&state.view().into_dyn(), 4));

    println!("rnn.named_parameters():");
    for (name, value) in rnn.named_parameters() {
        println!("{name}, size {:?} =\n{}", value.shape(), tensor(&value, 4));
    }

    let printed = printed_outputs();
    let difference = outputs.iter().zip(&printed).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference <= 5e-5, "outputs differ from the notebook's by {difference}");
    assert_eq!(state.index_axis(Axis(0), 0), outputs.index_axis(Axis(0), 2));
    println!(
        "\nThe notebook's outputs and state, to the last printed digit (largest difference {difference:.1e})."
    );
    Ok(())
}

/// "hello"-like words, one-hot: an array (3, 5, 4), which torch reads as 3 steps of 5 sequences.
fn words() -> Result<Array3<f32>, ndarray::ShapeError> {
    let (h, e) = (array![1., 0., 0., 0.], array![0., 1., 0., 0.]);
    let (l, o) = (array![0., 0., 1., 0.], array![0., 0., 0., 1.]);
    let word = |letters: [&ndarray::Array1<f32>; 5]| stack(Axis(0), &letters.map(|letter| letter.view()));
    let words = [word([&h, &e, &l, &l, &o])?, word([&e, &o, &l, &l, &l])?, word([&l, &l, &e, &e, &l])?];
    stack(Axis(0), &[words[0].view(), words[1].view(), words[2].view()])
}

/// What the notebook prints for `outputs`.
fn printed_outputs() -> Array3<f32> {
    array![
        [[-0.7497, -0.6135], [-0.5282, -0.2473], [-0.9136, -0.4269], [-0.9136, -0.4269], [-0.9028, 0.1180]],
        [[-0.5753, -0.0070], [-0.9052, 0.2597], [-0.9173, -0.1989], [-0.9173, -0.1989], [-0.8996, -0.2725]],
        [[-0.9077, -0.3205], [-0.8944, -0.2902], [-0.5134, -0.0288], [-0.5134, -0.0288], [-0.9127, -0.2222]],
    ]
}

/// An array as torch prints it: nested brackets, a fixed number of decimals.
fn tensor(array: &ArrayViewD<'_, f32>, decimals: usize) -> String {
    if array.ndim() == 0 {
        return array.iter().map(|x| format!("{x:.decimals$}")).collect();
    }
    let parts: Vec<_> = array.outer_iter().map(|part| tensor(&part, decimals)).collect();
    let parts =
        parts.iter().map(|part| if part.starts_with(['[', '-']) { part.clone() } else { format!(" {part}") });
    let separator = if array.ndim() == 3 { ",\n " } else { ", " };
    format!("[{}]", parts.collect::<Vec<_>>().join(separator))
}
