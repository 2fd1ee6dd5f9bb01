//! Files of every format, read and written.

use ndarray::{Array2, Array3};
use ndarray_rnn::io::{StateDict, Tensor, npy, npz, onnx, pt, safetensors};
use ndarray_rnn::optim::{Adam, AdamConfig};
use ndarray_rnn::{Linear, LinearConfig, Lstm, LstmConfig, Result, manual_seed};

use crate::refusals::Refusing;

fn linear() -> Linear {
    Linear::new(LinearConfig::new(40, 1100), &mut manual_seed(0)).unwrap()
}

fn dict() -> StateDict {
    let mut dict = StateDict::new();
    dict.add("", &linear()).unwrap();
    dict
}

/// Bytes and a file of them, written and read, and a model made of what was read.
fn format(
    refusing: &Refusing,
    to_bytes: impl Fn(&StateDict) -> Result<Vec<u8>>,
    from_bytes: impl Fn(&[u8]) -> Result<StateDict>,
    read: impl Fn(&std::path::Path) -> Result<StateDict>,
) {
    let dict = dict();
    refusing.each(&(), |()| to_bytes(&dict));
    let bytes = to_bytes(&dict).unwrap();
    refusing.each(&(), |()| from_bytes(&bytes));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, &bytes).unwrap();
    refusing.each(&(), |()| read(&path));
}

pub(crate) fn safetensors(refusing: &Refusing) {
    format(refusing, safetensors::to_bytes, safetensors::from_bytes, |path| safetensors::read(path));
}

pub(crate) fn npz(refusing: &Refusing) {
    format(refusing, npz::to_bytes, npz::from_bytes, |path| npz::read(path));
}

pub(crate) fn pt(refusing: &Refusing) {
    format(refusing, pt::to_bytes, pt::from_bytes, |path| pt::read(path));
}

/// Big-endian numbers in column-major order too.
pub(crate) fn npy(refusing: &Refusing) {
    let tensor = Tensor::from_array(&Array2::<f64>::ones((40, 50))).unwrap();
    refusing.each(&(), |()| npy::to_bytes(&tensor));
    let bytes = npy::to_bytes(&tensor).unwrap();
    refusing.each(&(), |()| npy::from_bytes(&bytes));
    let mut other = bytes.clone();
    let at = other.windows(3).position(|three| three == b"<f8").unwrap();
    other[at] = b'>';
    let at = other.windows(5).position(|five| five == b"False").unwrap();
    other[at..at + 5].copy_from_slice(b"True ");
    refusing.each(&(), |()| npy::from_bytes(&other));
}

pub(crate) fn models(refusing: &Refusing) {
    let (dict, model) = (dict(), linear());
    refusing.each(&(), |()| Linear::<f32>::from_state_dict(&dict));
    refusing.each(&Linear::<f32>::zeros(model.config().clone()).unwrap(), |model| dict.load_into(model));
    refusing.each(&(), |()| dict.to::<f64>());
    refusing.each(&(), |()| dict.to::<f64>()?.arrays::<f64>());
    refusing.each(&StateDict::new(), |dict| dict.add("", &model));
}

pub(crate) fn checkpoint(refusing: &Refusing) {
    let model = linear();
    let mut adam = Adam::new(AdamConfig::new(), &model).unwrap();
    adam.step(&mut model.clone(), model.parameters()).unwrap();
    let bytes = pt::Checkpoint::new().optimizer("optimizer", &adam).to_bytes().unwrap();
    let read = pt::from_bytes(&bytes).unwrap();
    refusing
        .each(&Adam::new(AdamConfig::new(), &model).unwrap(), |adam| adam.load_torch(&read, "optimizer."));
    let state = adam.state_dict();
    refusing.each(&Adam::new(AdamConfig::new(), &model).unwrap(), |adam| adam.load_state_dict(&state));
}

/// To read a model is not among them: prost, which decodes it, allocates as it likes, within the budget of a file.
pub(crate) fn onnx(refusing: &Refusing) {
    let lstm = Lstm::<f32>::new(LstmConfig::new(30, 128), &mut manual_seed(0)).unwrap();
    refusing.each(&(), |()| onnx::Export::new(&lstm).to_bytes());
    let bytes = onnx::Export::new(&lstm).to_bytes().unwrap();
    let model = onnx::Model::<f32>::from_bytes(&bytes).unwrap();
    refusing.each(&(), |()| model.to_network::<LstmConfig>());
    let x = Array3::<f32>::ones((20, 30, 30));
    let lengths: Vec<usize> = (0..30).map(|n| n % 20 + 1).collect();
    let node = &model.nodes()[0];
    refusing.each(node, |node| Ok(node.run(&x).sequence_lens(&lengths).forward()?.y));
}
