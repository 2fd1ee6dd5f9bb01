//! Vectors in place of indices: one-hot, or learnt.

use std::fmt;

use ndarray::{Array, Array2, ArrayRef, ArrayView1, ArrayViewD, ArrayViewMutD, Axis, Dimension};

use crate::error::{Result, expect_index, expect_number, expect_positive, expect_shape};
use crate::norm::norm;
use crate::options::setters;
use crate::parameters::{Parameters, of_parameters};
use crate::random::{self, NormalRng};
use crate::room::zeros;
use crate::scalar::Scalar;

/// A row of zeros with a one at the index, for each index: `torch.nn.functional.one_hot`: (*) to (*, num_classes).
///
/// # Errors
/// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for an index not below `num_classes`,
/// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a result that no memory holds.
///
/// ```
/// use ndarray::{Array2, array};
/// use ndarray_rnn::one_hot;
///
/// let letters: Array2<f32> = one_hot(&array![0, 2], 3)?;
/// assert_eq!(letters, array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html>
pub fn one_hot<A: Scalar, D: Dimension>(
    indices: &ArrayRef<usize, D>,
    num_classes: usize,
) -> Result<Array<A, D::Larger>> {
    // Before the indices are read: a broadcast array may have more of them than memory.
    let mut rows = zeros("one_hot", with_last_axis(indices, num_classes))?;
    expect_indices("indices", "num_classes", num_classes, indices)?;
    let last = Axis(indices.ndim());
    for (mut row, &index) in rows.lanes_mut(last).into_iter().zip(indices) {
        row[index] = A::one();
    }
    Ok(rows)
}

/// The arguments of `torch.nn.Embedding`, with torch's names and defaults.
///
/// ```
/// use ndarray_rnn::EmbeddingConfig;
///
/// assert_eq!(EmbeddingConfig::new(10, 3).padding_idx(0).to_string(), "Embedding(10, 3, padding_idx=0)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct EmbeddingConfig {
    /// The number of vectors, at least 1.
    pub num_embeddings: usize,
    /// The length of each vector, at least 1.
    pub embedding_dim: usize,
    /// The index of a vector that begins as zero and whose gradient is zero. Default none.
    pub padding_idx: Option<usize>,
    /// The greatest norm of a vector that is looked up, at least 0: a longer one is shortened to it, see
    /// [`Embedding::renorm`]. Default none.
    pub max_norm: Option<f64>,
    /// Which norm, greater than 0; infinity is the largest absolute value. Default 2.
    pub norm_type: f64,
}

impl EmbeddingConfig {
    /// A table without a padding index.
    #[must_use]
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim, padding_idx: None, max_norm: None, norm_type: 2.0 }
    }

    /// Sets [`padding_idx`](Self#structfield.padding_idx).
    #[must_use]
    pub fn padding_idx(self, padding_idx: usize) -> Self {
        Self { padding_idx: Some(padding_idx), ..self }
    }

    /// Sets [`max_norm`](Self#structfield.max_norm).
    #[must_use]
    pub fn max_norm(self, max_norm: f64) -> Self {
        Self { max_norm: Some(max_norm), ..self }
    }

    setters!(norm_type: f64);
}

/// The text that torch shows for the module.
impl fmt::Display for EmbeddingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding({}, {}", self.num_embeddings, self.embedding_dim)?;
        if let Some(index) = self.padding_idx {
            write!(f, ", padding_idx={index}")?;
        }
        if let Some(max_norm) = self.max_norm {
            write!(f, ", max_norm={max_norm:?}")?;
        }
        if self.norm_type != 2.0 {
            write!(f, ", norm_type={:?}", self.norm_type)?;
        }
        f.write_str(")")
    }
}

/// The parameters of an [`Embedding`], or their gradient: `weight` of shape (num_embeddings, embedding_dim).
///
/// ```
/// use ndarray::{Array2, array};
/// use ndarray_rnn::{Embedding, EmbeddingConfig};
///
/// let embedding = Embedding::<f32>::zeros(EmbeddingConfig::new(3, 2))?;
/// let gradient = embedding.backward(&array![1, 1], &Array2::ones((2, 2)))?;
/// assert_eq!(gradient.weight(), array![[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingParameters<A> {
    weight: Array2<A>,
}

impl<A: Scalar> EmbeddingParameters<A> {
    /// The vectors, one in each row.
    #[must_use]
    pub fn weight(&self) -> &Array2<A> {
        &self.weight
    }
}

impl<A: Scalar> Parameters for EmbeddingParameters<A> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        vec![("weight".into(), self.weight.view().into_dyn())]
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        vec![("weight".into(), self.weight.view_mut().into_dyn())]
    }
}

/// A table of vectors, `torch.nn.Embedding`: indices (*) to vectors (*, embedding_dim).
///
/// ```
/// use ndarray::{Array2, array};
/// use ndarray_rnn::{Embedding, EmbeddingConfig, manual_seed};
///
/// let embedding = Embedding::<f64>::new(EmbeddingConfig::new(10, 3), &mut manual_seed(0))?;
/// let indices = array![4, 2, 4];
/// assert_eq!(embedding.forward(&indices)?.row(1), embedding.weight().row(2));
///
/// let gradient = embedding.backward(&indices, &Array2::ones((3, 3)))?;
/// assert_eq!(gradient.weight().row(4), array![2.0, 2.0, 2.0]); // used twice
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// Source: <https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html>
#[derive(Debug, Clone)]
#[doc(alias = "torch.nn.Embedding")]
pub struct Embedding<A: Scalar = f32> {
    config: EmbeddingConfig,
    parameters: EmbeddingParameters<A>,
}

impl<A: Scalar> Embedding<A> {
    /// A table with torch's initial vectors, every element from N(0, 1), within 1e-6 of torch's in `f32` (see
    /// [`random::normal`]).
    ///
    /// # Errors
    /// [`Error::ZeroSize`](crate::Error::ZeroSize) for a size of zero,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a table that no memory holds,
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for a `padding_idx` not below `num_embeddings`,
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a `max_norm` or `norm_type` out of its range.
    pub fn new<R: NormalRng + ?Sized>(config: EmbeddingConfig, rng: &mut R) -> Result<Self> {
        let mut embedding = Self::zeros(config)?;
        let weight = &mut embedding.parameters.weight;
        random::normal(weight, 0.0, 1.0, rng)?;
        if let Some(index) = embedding.config.padding_idx {
            weight.row_mut(index).fill(A::zero());
        }
        Ok(embedding)
    }

    /// A table of zeros, to be loaded or initialised otherwise (see [`init`](crate::init)).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(config: EmbeddingConfig) -> Result<Self> {
        let EmbeddingConfig { num_embeddings, embedding_dim, padding_idx, max_norm, norm_type } = config;
        expect_positive("num_embeddings", num_embeddings)?;
        expect_positive("embedding_dim", embedding_dim)?;
        if let Some(index) = padding_idx {
            expect_index("padding_idx", "num_embeddings", num_embeddings, index)?;
        }
        expect_number("max_norm", max_norm.unwrap_or(0.0), "at least 0", |x| x >= 0.0)?;
        expect_number("norm_type", norm_type, "greater than 0", |x| x > 0.0)?;
        let weight = zeros("weight", (num_embeddings, embedding_dim))?;
        Ok(Self { config, parameters: EmbeddingParameters { weight } })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &EmbeddingConfig {
        &self.config
    }

    /// The vectors, one in each row.
    #[must_use]
    pub fn weight(&self) -> &Array2<A> {
        &self.parameters.weight
    }

    /// Shortens the vectors at `indices` that are longer than `max_norm`: torch's `embedding_renorm_`, which torch's
    /// forward pass calls. In training call it before [`forward`](Self::forward), so that the optimiser moves what torch's
    /// moves. Without a `max_norm` nothing changes.
    ///
    /// ```text
    /// v = v max_norm / (norm of v + 1e-7)     where the norm is greater than max_norm
    /// ```
    ///
    /// # Errors
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for an index not below `num_embeddings`; nothing
    /// changes then.
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_rnn::{Embedding, EmbeddingConfig, Parameters};
    ///
    /// let mut embedding = Embedding::<f32>::zeros(EmbeddingConfig::new(2, 2).max_norm(1.0))?;
    /// embedding.load_state_dict([("weight", array![[3.0, 4.0], [3.0, 4.0]])])?;
    /// embedding.renorm(&array![1, 1])?;
    /// assert_eq!(embedding.weight(), array![[3.0, 4.0], [0.6, 0.8]]);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[doc(alias = "embedding_renorm_")]
    pub fn renorm<D: Dimension>(&mut self, indices: &ArrayRef<usize, D>) -> Result<()> {
        expect_indices("indices", "num_embeddings", self.config.num_embeddings, indices)?;
        for &index in indices {
            if let Some(scale) = self.shortening(self.weight().row(index)) {
                self.parameters.weight.row_mut(index).mapv_inplace(|x| x * scale);
            }
        }
        Ok(())
    }

    /// What a vector is multiplied with if it is too long.
    fn shortening(&self, row: ArrayView1<'_, A>) -> Option<A> {
        let max_norm = self.config.max_norm?;
        // In the element type, as torch has it.
        let norm = A::from_f64(norm(row.iter().map(|x| x.into_f64()), self.config.norm_type)).into_f64();
        (norm > max_norm).then(|| A::from_f64(max_norm / (norm + 1e-7)))
    }

    /// The vectors at `indices`, those longer than `max_norm` as [`renorm`](Self::renorm) shortens them; the table stays.
    ///
    /// # Errors
    /// [`Error::IndexOutOfBounds`](crate::Error::IndexOutOfBounds) for an index not below `num_embeddings`,
    /// [`Error::SizeOverflow`](crate::Error::SizeOverflow) for a result that no memory holds.
    pub fn forward<D: Dimension>(&self, indices: &ArrayRef<usize, D>) -> Result<Array<A, D::Larger>> {
        let mut output = zeros("output", with_last_axis(indices, self.config.embedding_dim))?;
        expect_indices("indices", "num_embeddings", self.config.num_embeddings, indices)?;
        let rows = output.lanes_mut(Axis(indices.ndim())).into_iter();
        for (mut row, &index) in rows.zip(indices) {
            row.assign(&self.weight().row(index));
            if let Some(scale) = self.shortening(row.view()) {
                row.mapv_inplace(|x| x * scale);
            }
        }
        Ok(output)
    }

    /// The table's gradient, given the indices and the gradient `d_output` of the vectors at them:
    /// `d_weight[i]` is the sum of `d_output` wherever the index is i, in row-major order of the indices, and 0 for the
    /// `padding_idx`. Of a vector that is too long it is the gradient of the shortened one, as in torch.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`](crate::Error::Shape) for a `d_output` of another shape than the
    /// output's.
    pub fn backward<D: Dimension>(
        &self,
        indices: &ArrayRef<usize, D>,
        d_output: &ArrayRef<A, D::Larger>,
    ) -> Result<EmbeddingParameters<A>> {
        let expected = with_last_axis(indices, self.config.embedding_dim);
        expect_indices("indices", "num_embeddings", self.config.num_embeddings, indices)?;
        expect_shape("d_output", expected.slice(), d_output.shape())?;
        let EmbeddingConfig { num_embeddings, embedding_dim, padding_idx, .. } = self.config;
        let mut weight = zeros("d_weight", (num_embeddings, embedding_dim))?;
        let rows = d_output.lanes(Axis(indices.ndim())).into_iter();
        for (row, &index) in rows.zip(indices).filter(|&(_, &index)| Some(index) != padding_idx) {
            weight.row_mut(index).zip_mut_with(&row, |sum, &d| *sum += d);
        }
        Ok(EmbeddingParameters { weight })
    }
}

of_parameters!([A: Scalar] Embedding<A> { EmbeddingParameters<A> });

fn expect_indices<D: Dimension>(
    array: &'static str,
    size: &'static str,
    expected: usize,
    indices: &ArrayRef<usize, D>,
) -> Result<()> {
    indices.iter().try_for_each(|&index| expect_index(array, size, expected, index))
}

/// The shape of an array of indices with one more axis after the last.
fn with_last_axis<D: Dimension>(indices: &ArrayRef<usize, D>, width: usize) -> D::Larger {
    let last = indices.ndim();
    let mut dim = indices.view().insert_axis(Axis(last)).raw_dim();
    dim[last] = width;
    dim
}
