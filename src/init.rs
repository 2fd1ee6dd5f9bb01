//! Initialisers, under the names of `torch.nn.init`.
//!
//! Each fills one array in row-major order from a generator. To initialise a model, go through its parameters:
//!
//! ```
//! use ndarray_rnn::{Parameters, Rnn, RnnConfig, init, manual_seed};
//!
//! let mut rng = manual_seed(0);
//! let mut rnn = Rnn::<f32>::zeros(RnnConfig::new(4, 2))?;
//! for (name, mut value) in rnn.named_parameters_mut() {
//!     if name.starts_with("weight_ih") {
//!         init::xavier_uniform(&mut value, 1.0, &mut rng)?; // Keras's glorot_uniform
//!     } else if name.starts_with("weight_hh") {
//!         init::orthogonal(&mut value, 1.0, &mut rng)?;
//!     } // biases stay zero, as Keras has them
//! }
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! In the parameters of an LSTM or a GRU the gates stand one below another. Here each gate's recurrent weight is orthogonal,
//! and an LSTM's forget gate, the second of four, has a bias of 1 (Jozefowicz, Zaremba, Sutskever 2015):
//!
//! ```
//! use ndarray::{Axis, Slice};
//! use ndarray_rnn::{Lstm, LstmConfig, Parameters, init, manual_seed};
//!
//! let (mut rng, hidden) = (manual_seed(0), 2);
//! let mut lstm = Lstm::<f32>::new(LstmConfig::new(4, hidden), &mut rng)?;
//! for (name, mut value) in lstm.named_parameters_mut() {
//!     if name.starts_with("weight_hh") {
//!         for mut gate in value.axis_chunks_iter_mut(Axis(0), hidden) {
//!             init::orthogonal(&mut gate, 1.0, &mut rng)?;
//!         }
//!     } else if name.starts_with("bias") {
//!         value.fill(0.0);
//!         if name.starts_with("bias_ih") {
//!             value.slice_axis_mut(Axis(0), Slice::from(hidden..2 * hidden)).fill(1.0);
//!         }
//!     }
//! }
//! # Ok::<(), ndarray_rnn::Error>(())
//! ```
//!
//! torch's own default, U(-1/sqrt(H), 1/sqrt(H)) for every parameter, is what [`Rnn::new`](crate::Rnn::new) draws, and
//! the other networks likewise.

use ndarray::{Array2, ArrayRef, ArrayView1, ArrayViewMut2, Axis, Dimension};
use rand::Rng;

use crate::error::{Error, Result, expect_finite};
use crate::random::{self, NormalRng};
use crate::room;
use crate::scalar::Scalar;

/// Zeros. Draws nothing.
///
/// ```
/// let mut bias = ndarray::array![1.0_f32, 2.0];
/// ndarray_rnn::init::zeros(&mut bias);
/// assert_eq!(bias, ndarray::array![0.0, 0.0]);
/// ```
pub fn zeros<A: Scalar, D: Dimension>(array: &mut ArrayRef<A, D>) {
    array.fill(A::zero());
}

/// `gain` on the diagonal, zeros elsewhere. With relu and a bias of zero it is the recurrent weight of an IRNN
/// (Le, Jaitly, Hinton 2015, <https://arxiv.org/abs/1504.00941>). Draws nothing.
///
/// # Errors
/// [`Error::Rank`] unless the array has two axes; [`Error::OutOfRange`] unless `gain` is finite.
///
/// ```
/// use ndarray::{Array2, array};
///
/// let mut weight = Array2::<f32>::zeros((2, 2));
/// ndarray_rnn::init::eye(&mut weight, 0.5)?;
/// assert_eq!(weight, array![[0.5, 0.0], [0.0, 0.5]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "identity")]
#[doc(alias = "irnn")]
pub fn eye<A: Scalar, D: Dimension>(array: &mut ArrayRef<A, D>, gain: f64) -> Result<()> {
    matrix(array)?;
    expect_finite("gain", gain)?;
    zeros(array);
    array.diag_mut().fill(A::from_f64(gain));
    Ok(())
}

/// U(-a, a), `a = gain * sqrt(6 / (fan_in + fan_out))` for an array (fan_out, fan_in).
///
/// Glorot, Bengio 2010; torch's `xavier_uniform_` bit for bit from [`manual_seed`](crate::manual_seed).
///
/// # Errors
/// [`Error::Rank`] unless the array has two axes; [`Error::OutOfRange`] unless `gain` is finite.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{init, manual_seed};
///
/// let mut weight = Array2::<f32>::zeros((3, 3));
/// init::xavier_uniform(&mut weight, 1.0, &mut manual_seed(0))?;
/// assert!(weight.iter().all(|w| w.abs() <= 1.0)); // sqrt(6 / (3 + 3))
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "glorot_uniform")]
pub fn xavier_uniform<A: Scalar, D: Dimension, R: Rng + ?Sized>(
    array: &mut ArrayRef<A, D>,
    gain: f64,
    rng: &mut R,
) -> Result<()> {
    // torch's order of operations.
    let bound = 3_f64.sqrt() * xavier_std(array, gain)?;
    random::uniform(array, -bound, bound, rng)
}

/// N(0, std^2), `std = gain * sqrt(2 / (fan_in + fan_out))` for an array (fan_out, fan_in).
///
/// Glorot, Bengio 2010; torch's `xavier_normal_` from [`manual_seed`](crate::manual_seed), within 1e-6.
///
/// # Errors
/// [`Error::Rank`] unless the array has two axes; [`Error::OutOfRange`] unless `gain` is finite.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{init, manual_seed};
///
/// let mut weight = Array2::<f32>::zeros((8, 2));
/// init::xavier_normal(&mut weight, 1.0, &mut manual_seed(0))?;
/// assert!(weight.iter().all(|w| w.abs() < 2.0)); // a standard deviation of sqrt(2 / (8 + 2)) = 0.45
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "glorot_normal")]
pub fn xavier_normal<A: Scalar, D: Dimension, R: NormalRng + ?Sized>(
    array: &mut ArrayRef<A, D>,
    gain: f64,
    rng: &mut R,
) -> Result<()> {
    let std = xavier_std(array, gain)?;
    random::normal(array, 0.0, std, rng)
}

fn xavier_std<A: Scalar, D: Dimension>(array: &ArrayRef<A, D>, gain: f64) -> Result<f64> {
    let [fan_out, fan_in] = matrix(array)?;
    expect_finite("gain", gain)?;
    if fan_out == 0 && fan_in == 0 {
        return Ok(0.0);
    }
    Ok(gain * (2.0 / (fan_in as f64 + fan_out as f64)).sqrt())
}

/// `gain` times a random matrix with orthonormal rows or columns, whichever are fewer.
///
/// N(0, 1) of shape (max, min), Q of its QR decomposition with the signs of R's diagonal, transposed for a wide
/// array (Saxe, McClelland, Ganguli 2013, <https://arxiv.org/abs/1312.6120>). torch's `orthogonal_` from
/// [`manual_seed`](crate::manual_seed) up to the rounding of its QR. Computed in `f64`.
///
/// # Errors
/// [`Error::Rank`] unless the array has two axes; [`Error::OutOfRange`] unless `gain` is finite;
/// [`Error::SizeOverflow`] if no memory holds three copies of the array. Nothing is drawn then.
///
/// ```
/// use ndarray::Array2;
/// use ndarray_rnn::{init, manual_seed};
///
/// let mut weight = Array2::<f64>::zeros((3, 3));
/// init::orthogonal(&mut weight, 1.0, &mut manual_seed(0))?;
/// let product = weight.dot(&weight.t());
/// assert!((product - Array2::<f64>::eye(3)).iter().all(|d| d.abs() < 1e-12));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub fn orthogonal<A: Scalar, D: Dimension, R: NormalRng + ?Sized>(
    array: &mut ArrayRef<A, D>,
    gain: f64,
    rng: &mut R,
) -> Result<()> {
    let [rows, columns] = matrix(array)?;
    expect_finite("gain", gain)?;
    // Before a draw, since memory may be short.
    let mut qr = Qr::new(rows.max(columns), rows.min(columns))?;
    let mut normal = room::zeros::<A, _>("weight", (rows, columns))?;
    random::normal(&mut normal, 0.0, 1.0, rng)?;
    let tall = if rows < columns { normal.t() } else { normal.view() };
    qr.a.zip_mut_with(&tall, |a, &x| *a = x.into_f64());
    let q = qr.signed_q();
    let q = if rows < columns { q.reversed_axes() } else { q };
    array.iter_mut().zip(&q).for_each(|(value, q)| *value = A::from_f64(q * gain));
    Ok(())
}

/// The QR decomposition of a tall matrix by Householder's reflections, with all the memory that it needs.
#[derive(Debug)]
pub(crate) struct Qr {
    /// The matrix.
    pub(crate) a: Array2<f64>,
    q: Array2<f64>,
    signs: Vec<f64>,
}

impl Qr {
    /// For a matrix of at least as many rows as columns.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds it.
    pub(crate) fn new(rows: usize, columns: usize) -> Result<Self> {
        let mut q = room::zeros("weight", (rows, columns))?;
        q.diag_mut().fill(1.0);
        Ok(Self { a: room::zeros("weight", (rows, columns))?, q, signs: room::room("weight", &[columns])? })
    }

    /// Q, its columns times the signs of R's diagonal.
    pub(crate) fn signed_q(self) -> Array2<f64> {
        let Self { mut a, mut q, mut signs } = self;
        for k in 0..a.ncols() {
            let (done, rest) = a.view_mut().split_at(Axis(1), k + 1);
            let (mut column, rest) = (from_row(done, k).index_axis_move(Axis(1), k), from_row(rest, k));
            let norm = column.iter().fold(0.0, |sum: f64, x| x.mul_add(*x, sum)).sqrt();
            let diagonal = if column[0] > 0.0 { -norm } else { norm };
            column[0] -= diagonal;
            // Nothing needs R, so the vector of the reflection stays in its place.
            reflect(rest, column.view());
            signs.push(if diagonal < 0.0 { -1.0 } else { 1.0 });
        }
        for k in (0..a.ncols()).rev() {
            reflect(from_row(q.view_mut(), k), from_row(a.view_mut(), k).column(k));
        }
        for (mut column, sign) in q.axis_iter_mut(Axis(1)).zip(signs) {
            column.mapv_inplace(|x| x * sign);
        }
        q
    }
}

/// The rows from the k-th on.
fn from_row(matrix: ArrayViewMut2<'_, f64>, k: usize) -> ArrayViewMut2<'_, f64> {
    matrix.split_at(Axis(0), k).1
}

/// Applies `I - 2 v v' / v'v` to a matrix.
fn reflect(mut a: ArrayViewMut2<'_, f64>, v: ArrayView1<'_, f64>) {
    let square = v.iter().fold(0.0, |sum: f64, x| x.mul_add(*x, sum));
    if square == 0.0 {
        return;
    }
    for mut column in a.axis_iter_mut(Axis(1)) {
        let projection = column.iter().zip(v).fold(0.0, |sum: f64, (x, v)| v.mul_add(*x, sum));
        let scale = -2.0 * projection / square;
        column.iter_mut().zip(v).for_each(|(x, v)| *x = v.mul_add(scale, *x));
    }
}

fn matrix<A, D: Dimension>(array: &ArrayRef<A, D>) -> Result<[usize; 2]> {
    <[usize; 2]>::try_from(array.shape()).map_err(|_| Error::Rank {
        array: "weight",
        expected: 2,
        actual: array.ndim(),
    })
}
