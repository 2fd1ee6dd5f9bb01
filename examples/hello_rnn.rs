//! The notebook "RNN Basics", cell by cell: torch's results from its seed alone, Keras's from weights that give
//! its printed outputs.
//!
//! ```text
//! cargo run --release --example hello_rnn
//! ```

use std::error::Error;

use ndarray::{Array2, Array3, ArrayRef, ArrayViewD, Axis, Dimension, array, stack};
use ndarray_rnn::keras::{SimpleRnn, SimpleRnnConfig};
use ndarray_rnn::{Parameters, Rnn, RnnConfig, manual_seed};

fn main() -> Result<(), Box<dyn Error>> {
    torch_s_cells()?;
    keras_s_cells()
}

fn torch_s_cells() -> Result<(), Box<dyn Error>> {
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
    let difference = difference(&outputs, &printed);
    assert!(difference <= 5e-5, "outputs differ from the notebook's by {difference}");
    assert_eq!(state.index_axis(Axis(0), 0), outputs.index_axis(Axis(0), 2));
    println!(
        "\nThe notebook's outputs and state, to the last printed digit (largest difference {difference:.1e})."
    );
    Ok(())
}

/// The same array, which Keras reads as 3 sequences of 5 steps.
fn keras_s_cells() -> Result<(), Box<dyn Error>> {
    let input_data = words()?;

    println!("\nsimple_rnn = SimpleRNN(2)\n");
    let (output, _) = simple_rnn(LAST_KERNEL, LAST_RECURRENT)?.call(&input_data).last()?;
    println!("output, size {:?} =\n{}\n", output.shape(), tensor(&output.view().into_dyn(), 8));

    println!("simple_rnn = SimpleRNN(2, return_sequences=True, return_state=True)\n");
    let simple_rnn = simple_rnn(KERNEL, RECURRENT)?;
    let (sequences, state) = simple_rnn.forward(&input_data)?;
    println!("output, size {:?} =\n{}\n", sequences.shape(), tensor(&sequences.view().into_dyn(), 8));
    println!("state, size {:?} =\n{}\n", state.shape(), tensor(&state.view().into_dyn(), 8));

    let differences = [difference(&output, &printed_last()), difference(&sequences, &printed_sequences())];
    assert!(differences.iter().all(|&difference| difference < 1e-6), "{differences:?} from the notebook's");
    assert_eq!(state, sequences.index_axis(Axis(1), 4));
    println!("The notebook's outputs and state, within {:.1e}.", differences[0].max(differences[1]));
    Ok(())
}

/// The weights of the second call follow from its 30 printed numbers, see `tests/keras/notebook.rs`.
const KERNEL: [[f32; 2]; 4] =
    [[0.44371462, 0.9763843], [0.38745618, 0.7200552], [-0.25349188, -0.7507761], [0.649966, 0.44059375]];
const RECURRENT: [[f32; 2]; 2] = [[-0.9997064, -0.0242289], [0.02422891, -0.9997066]];

/// The weights of the first call do not follow: these are one of many sets that Keras could have drawn.
const LAST_KERNEL: [[f32; 2]; 4] = [
    [-0.18016148, 0.82775795],
    [-0.84281313, -0.04004598],
    [0.6311905, -0.9588445],
    [0.0354544, -0.92437613],
];
const LAST_RECURRENT: [[f32; 2]; 2] = [[0.9574187, 0.28870198], [-0.28870198, 0.9574187]];

/// Keras's layer with given weights and a bias of zero.
fn simple_rnn(kernel: [[f32; 2]; 4], recurrent: [[f32; 2]; 2]) -> Result<SimpleRnn, Box<dyn Error>> {
    let mut layer = SimpleRnn::zeros(SimpleRnnConfig::new(4, 2))?;
    let (kernel, recurrent) = (Array2::from(kernel.to_vec()), Array2::from(recurrent.to_vec()));
    layer.set_weights([kernel.into_dyn(), recurrent.into_dyn(), array![0., 0.].into_dyn()])?;
    Ok(layer)
}

/// The largest difference of two arrays.
fn difference<D: Dimension>(a: &ArrayRef<f32, D>, b: &ArrayRef<f32, D>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
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

/// What the notebook prints for Keras's first call.
fn printed_last() -> Array2<f32> {
    array![[0.63927287, -0.9321795], [0.9366004, -0.9246495], [0.36197236, -0.9104857]]
}

/// What the notebook prints for Keras's second call.
fn printed_sequences() -> Array3<f32> {
    #[rustfmt::skip]
    let printed = array![
        [[0.41671875, 0.75149643], [-0.01093186, -0.0412939], [-0.23885903, -0.61019343],
         [-0.02947876, -0.13416067], [0.589034, 0.5193354]],
        [[0.36916515, 0.6169435], [0.2875167, -0.18302734], [-0.4970336, -0.51885283],
         [0.22681062, -0.21654943], [-0.45062372, -0.49282563]],
        [[-0.24819823, -0.6356118], [-0.02076373, -0.10890364], [0.38470918, 0.6801698],
         [0.01933733, 0.03075416], [-0.2655577, -0.6538473]],
    ];
    printed
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
