//! Models as lists of named arrays, for optimisers, initialisers and files.

mod fit;
pub mod members;

pub(crate) use fit::{expect_fit, expect_same};
pub(crate) use members::joined;

use fit::by_name;
use ndarray::{ArrayBase, ArrayD, ArrayViewD, ArrayViewMutD, Data, Dimension, IxDyn, RawData};

use crate::arrays::{elements_mut, standard, try_standard};
use crate::error::{Result, expect_shape};
use crate::scalar::Scalar;

/// A model, or the gradient of one, as a list of named arrays in torch's order.
///
/// What is made of models is a model too. A name begins with the names of what the array is in:
///
/// | a model | names | in torch |
/// |---|---|---|
/// | a struct of [`parameters!`](crate::parameters!) | `rnn.weight_ih_l0`, `head.bias` | a module of one's own |
/// | a tuple of two to six models | `0.weight_ih_l0`, `1.bias` | `nn.Sequential` |
/// | a `Vec` of models | `0.weight`, `1.weight` | `nn.ModuleList`, `nn.ParameterList` |
/// | an `Option` of a model | those of the model, or none | a module or `None` |
/// | an array | none: it goes by the name of the member that it is | `nn.Parameter` |
///
/// A gradient of each is made likewise: a tuple of gradients is the gradient of a tuple of models.
///
/// ```
/// use ndarray_rnn::{Parameters, Rnn, RnnConfig, manual_seed};
///
/// let mut rnn = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
/// let names: Vec<_> = rnn.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]);
///
/// for (name, mut value) in rnn.named_parameters_mut() {
///     if name.starts_with("bias") {
///         value.fill(0.0);
///     }
/// }
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[doc(alias = "state_dict")]
pub trait Parameters {
    /// The arrays' element type.
    type Elem: Scalar;

    /// Every parameter's name and value, in torch's order.
    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, Self::Elem>)>;

    /// Every parameter's name and value, to be changed.
    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, Self::Elem>)>;

    /// A copy of every parameter, in torch's order.
    fn state_dict(&self) -> Vec<(String, ArrayD<Self::Elem>)> {
        let parameters = self.named_parameters().into_iter();
        parameters.map(|(name, value)| (name, standard(&value))).collect()
    }

    /// Sets every parameter to the array of its name, given in any order; strict, as torch's `load_state_dict`.
    ///
    /// # Errors
    /// [`Error::UnexpectedParameter`](crate::Error::UnexpectedParameter),
    /// [`Error::DuplicateParameter`](crate::Error::DuplicateParameter),
    /// [`Error::MissingParameter`](crate::Error::MissingParameter) or [`Error::Shape`](crate::Error::Shape); the model is
    /// unchanged then.
    ///
    /// ```
    /// use ndarray_rnn::{Parameters, Rnn, RnnConfig, manual_seed};
    ///
    /// let trained = Rnn::<f32>::new(RnnConfig::new(4, 2), &mut manual_seed(0))?;
    /// let mut rnn = Rnn::zeros(RnnConfig::new(4, 2))?;
    /// rnn.load_state_dict(trained.state_dict())?;
    /// assert_eq!(rnn.state_dict(), trained.state_dict());
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    fn load_state_dict<N, S, D>(
        &mut self,
        state_dict: impl IntoIterator<Item = (N, ArrayBase<S, D>)>,
    ) -> Result<()>
    where
        N: Into<String>,
        S: Data<Elem = Self::Elem>,
        D: Dimension,
        Self: Sized,
    {
        let mut targets = self.named_parameters_mut();
        let given = by_name(state_dict)?;
        expect_fit(&targets, &given.iter().map(|(name, value)| (&name[..], value.shape())).collect())?;
        for (name, target) in &mut targets {
            target.iter_mut().zip(&given[name]).for_each(|(to, &from)| *to = from);
        }
        Ok(())
    }

    /// Adds other arrays of the same names and shapes, in the same order: torch's `backward`, which adds to the gradients
    /// that are there until `zero_grad`. A batch too large for the memory is so passed in parts.
    ///
    /// # Errors
    /// [`Error::MissingParameter`](crate::Error::MissingParameter),
    /// [`Error::UnexpectedParameter`](crate::Error::UnexpectedParameter) or [`Error::Shape`](crate::Error::Shape) for
    /// arrays of other names or shapes; nothing is changed then.
    ///
    /// ```
    /// use ndarray::{Array2, Axis};
    /// use ndarray_rnn::optim::{Sgd, SgdConfig};
    /// use ndarray_rnn::{Linear, LinearConfig, Parameters, Trainable, loss::MseLoss, manual_seed};
    ///
    /// let mut linear = Linear::<f32>::new(LinearConfig::new(3, 1), &mut manual_seed(0))?;
    /// let (x, y) = (Array2::ones((8, 3)), Array2::zeros((8, 1)));
    /// let mut gradients = linear.zeros_like();
    /// for (x, y) in x.axis_chunks_iter(Axis(0), 4).zip(y.axis_chunks_iter(Axis(0), 4)) {
    ///     let loss = MseLoss::new().forward(&linear.forward(&x)?, &y)?;
    ///     gradients.accumulate(&linear.backward(&x, &loss.gradient)?.parameters)?;
    /// }
    /// gradients.scale(0.5); // the mean of two parts
    /// Sgd::new(SgdConfig::new().lr(0.1), &linear)?.step(&mut linear, &gradients)?;
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    fn accumulate(&mut self, other: &impl Parameters<Elem = Self::Elem>) -> Result<()>
    where
        Self: Sized,
    {
        let (mut sums, terms) = (self.named_parameters_mut(), other.named_parameters());
        expect_same("", shapes(&sums), shapes(&terms))?;
        for ((_, sum), (_, term)) in sums.iter_mut().zip(&terms) {
            sum.zip_mut_with(term, |sum, &term| *sum += term);
        }
        Ok(())
    }

    /// Every element in one list: the arrays in their order, each in row-major order. torch's `parameters_to_vector`.
    ///
    /// ```
    /// use ndarray_rnn::{Linear, LinearConfig, Parameters, manual_seed};
    ///
    /// let linear = Linear::<f32>::new(LinearConfig::new(3, 2), &mut manual_seed(0))?;
    /// let mut other = Linear::<f32>::zeros(LinearConfig::new(3, 2))?;
    /// let vector = linear.to_vector(); // the weight's 6 elements, and the bias's 2
    /// assert_eq!((vector.len(), vector[6]), (8, linear.parameters().bias().unwrap()[0]));
    /// other.load_vector(&vector)?;
    /// assert_eq!(other, linear);
    /// # Ok::<(), ndarray_rnn::Error>(())
    /// ```
    #[doc(alias = "parameters_to_vector")]
    fn to_vector(&self) -> Vec<Self::Elem> {
        self.named_parameters().iter().flat_map(|(_, array)| array).copied().collect()
    }

    /// Sets every element to that of a list in the order of [`to_vector`](Self::to_vector). torch's
    /// `vector_to_parameters`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a list of another length; nothing is changed then.
    #[doc(alias = "vector_to_parameters")]
    fn load_vector(&mut self, vector: &[Self::Elem]) -> Result<()> {
        let mut arrays = self.named_parameters_mut();
        let len = arrays.iter().map(|(_, array)| array.len()).sum();
        expect_shape("vector", &[len], &[vector.len()])?;
        let elements = arrays.iter_mut().flat_map(|(_, array)| array);
        elements.zip(vector).for_each(|(to, &from)| *to = from);
        Ok(())
    }

    /// Multiplies every element by a factor, as for the mean of gradients that were [added](Self::accumulate).
    fn scale(&mut self, factor: Self::Elem) {
        for (_, mut array) in self.named_parameters_mut() {
            array.mapv_inplace(|x| x * factor);
        }
    }
}

/// A model whose gradient has a type: what its `backward` returns, or a struct, tuple, `Vec` or `Option` of such.
///
/// ```
/// use ndarray_rnn::{GradientOf, Linear, LinearConfig, Parameters, Rnn, RnnConfig, Trainable};
///
/// let model = (Rnn::<f32>::zeros(RnnConfig::new(4, 3))?, Linear::zeros(LinearConfig::new(3, 2))?);
/// let gradients: GradientOf<(Rnn, Linear)> = model.zeros_like();
/// assert_eq!(gradients.1.weight().dim(), (2, 3));
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Trainable: Parameters {
    /// The type of the gradient. Its arrays have the parameters' names, shapes and order.
    type Gradient: Parameters<Elem = Self::Elem>;

    /// A gradient of zeros, to [add](Parameters::accumulate) others to.
    fn zeros_like(&self) -> Self::Gradient;
}

/// The type of a model's gradient, such as `GradientOf<Net>`.
///
/// ```
/// use ndarray_rnn::{GradientOf, Linear, Result, Trainable};
///
/// /// What `backward` of a `Linear` returns.
/// fn none(linear: &Linear) -> GradientOf<Linear> {
///     linear.zeros_like()
/// }
/// ```
pub type GradientOf<M> = <M as Trainable>::Gradient;

/// Zeros of the same names and shapes.
pub(crate) fn zeros_of<A: Scalar, P: Parameters<Elem = A> + Clone>(parameters: &P) -> P {
    let mut zeros = parameters.clone();
    zeros.named_parameters_mut().iter_mut().for_each(|(_, array)| array.fill(A::zero()));
    zeros
}

/// Every array's name and shape.
pub(crate) fn shapes<S: RawData>(
    named: &[(String, ArrayBase<S, IxDyn>)],
) -> impl Iterator<Item = (&str, &[usize])> + Clone {
    named.iter().map(|(name, array)| (&name[..], array.shape()))
}

/// An array's elements in row-major order, to be changed: the array itself if it lies so, else a copy.
pub(crate) enum InOrder<'a, 'v, A> {
    Itself(&'a mut [A]),
    Copy(Vec<A>, &'a mut ArrayViewMutD<'v, A>),
}

impl<'a, 'v, A: Scalar> InOrder<'a, 'v, A> {
    /// Those of an array that is called `name`.
    ///
    /// # Errors
    /// [`Error::SizeOverflow`] if no memory holds the copy.
    pub(crate) fn of(name: &str, array: &'a mut ArrayViewMutD<'v, A>) -> Result<Self> {
        if array.is_standard_layout() {
            return Ok(Self::Itself(elements_mut(array)));
        }
        let copy = try_standard(name, array)?.into_raw_vec_and_offset().0;
        Ok(Self::Copy(copy, array))
    }

    pub(crate) fn elements(&mut self) -> &mut [A] {
        match self {
            Self::Itself(elements) => elements,
            Self::Copy(copy, _) => copy,
        }
    }

    /// Copies what was changed back to the array.
    pub(crate) fn put(self) {
        if let Self::Copy(copy, array) = self {
            array.iter_mut().zip(copy).for_each(|(to, from)| *to = from);
        }
    }
}

/// What models made of `config` and `parameters` have in common: named parameters, whose change makes what was packed of
/// them worthless; their gradient; equality of configuration and parameters; and the configuration's text. With the type of
/// the configuration also access to both.
macro_rules! of_parameters {
    ([$($bounds:tt)*] $model:ty { $config:ty, $parameters:ty, $packed:ident }) => {
        impl<$($bounds)*> $model {
            /// The configuration.
            #[must_use]
            pub fn config(&self) -> &$config {
                &self.config
            }

            /// The parameters, with typed access. For access by name see [`Parameters`](crate::Parameters).
            #[must_use]
            pub fn parameters(&self) -> &$parameters {
                &self.parameters
            }
        }

        $crate::parameters::of_parameters!([$($bounds)*] $model { $parameters, $packed });
    };
    ([$($bounds:tt)*] $model:ty { $parameters:ty $(, $packed:ident)? }) => {
        impl<$($bounds)*> $crate::Parameters for $model {
            type Elem = A;

            fn named_parameters(&self) -> Vec<(String, ndarray::ArrayViewD<'_, A>)> {
                self.parameters.named_parameters()
            }

            fn named_parameters_mut(&mut self) -> Vec<(String, ndarray::ArrayViewMutD<'_, A>)> {
                $(self.$packed.forget();)?
                self.parameters.named_parameters_mut()
            }
        }

        impl<$($bounds)*> $crate::Trainable for $model {
            type Gradient = $parameters;

            fn zeros_like(&self) -> $parameters {
                $crate::parameters::zeros_of(&self.parameters)
            }
        }

        /// Equal configurations and parameters.
        impl<$($bounds)*> PartialEq for $model {
            fn eq(&self, other: &Self) -> bool {
                self.config == other.config && self.parameters == other.parameters
            }
        }

        /// As its library shows it.
        impl<$($bounds)*> std::fmt::Display for $model {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.config, f)
            }
        }
    };
}

pub(crate) use of_parameters;
