//! Models as lists of named arrays, for optimisers, initialisers and files.

use std::collections::BTreeMap;
use std::fmt::Display;

use ndarray::{ArrayBase, ArrayD, ArrayViewD, ArrayViewMutD, Data, Dimension};

use crate::arrays::standard;
use crate::error::{Error, Result, expect_shape};
use crate::scalar::Scalar;

/// A model, or the gradient of one, as a list of named arrays in torch's order.
///
/// A tuple of two or three models is a model too, and so is a tuple of such tuples. The names of its members' arrays
/// begin with `0.`, `1.`, `2.`, as in `torch.nn.Sequential`. A tuple of gradients is the gradient of a tuple of
/// models.
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
    /// [`Error::UnexpectedParameter`], [`Error::DuplicateParameter`], [`Error::MissingParameter`] or
    /// [`Error::Shape`]; the model is unchanged then.
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
}

/// Checks that given arrays have the names and shapes of a model's parameters.
pub(crate) fn expect_fit<A>(
    targets: &[(String, ArrayViewMutD<'_, A>)],
    given: &BTreeMap<&str, &[usize]>,
) -> Result<()> {
    for (&name, &shape) in given {
        if !targets.iter().any(|(target, _)| target == name) {
            let expected = targets.iter().map(|(name, _)| name.clone()).collect();
            return Err(Error::UnexpectedParameter { name: name.into(), actual: shape.into(), expected });
        }
    }
    for (name, target) in targets {
        match given.get(&name[..]) {
            Some(shape) => expect_shape(name, target.shape(), shape)?,
            None => {
                let expected = target.shape().into();
                return Err(Error::MissingParameter { name: name.clone(), expected });
            }
        }
    }
    Ok(())
}

/// Hands over an array's elements in row-major order, to be changed.
pub(crate) fn with_elements<A: Scalar>(array: &mut ArrayViewMutD<'_, A>, change: impl FnOnce(&mut [A])) {
    if let Some(elements) = array.as_slice_mut() {
        change(elements);
    } else {
        let mut elements: Vec<A> = array.iter().copied().collect();
        change(&mut elements);
        array.iter_mut().zip(elements).for_each(|(to, from)| *to = from);
    }
}

fn by_name<N: Into<String>, T>(pairs: impl IntoIterator<Item = (N, T)>) -> Result<BTreeMap<String, T>> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        let name = name.into();
        if map.contains_key(&name) {
            return Err(Error::DuplicateParameter { name });
        }
        map.insert(name, value);
    }
    Ok(map)
}

/// Makes a tuple of models a model.
macro_rules! tuple {
    ($first:ident $($other:ident)+, $($index:tt)+) => {
        impl<$first: Parameters, $($other: Parameters<Elem = $first::Elem>),+> Parameters for ($first, $($other),+) {
            type Elem = $first::Elem;

            fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, Self::Elem>)> {
                joined([$(($index, self.$index.named_parameters())),+])
            }

            fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, Self::Elem>)> {
                joined([$(($index, self.$index.named_parameters_mut())),+])
            }
        }
    };
}

tuple!(A B, 0 1);
tuple!(A B C, 0 1 2);

/// Every member's arrays; each name begins with the member's.
pub(crate) fn joined<V, M: Display>(
    members: impl IntoIterator<Item = (M, Vec<(String, V)>)>,
) -> Vec<(String, V)> {
    let mut all = Vec::new();
    for (member, arrays) in members {
        all.extend(arrays.into_iter().map(|(name, array)| (format!("{member}.{name}"), array)));
    }
    all
}

/// What a network, cell or layer made of `config` and `parameters` has in common: named parameters, whose change makes
/// what was packed of them worthless; equality of configuration and parameters; and the configuration's text.
macro_rules! of_parameters {
    ($name:ident<$kind:ident>) => {
        impl<C: $kind, A: Scalar> Parameters for $name<C, A> {
            type Elem = A;

            fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
                self.parameters.named_parameters()
            }

            fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
                self.cache.forget();
                self.parameters.named_parameters_mut()
            }
        }

        /// Equal configurations and parameters.
        impl<C: $kind, A: Scalar> PartialEq for $name<C, A> {
            fn eq(&self, other: &Self) -> bool {
                self.config == other.config && self.parameters == other.parameters
            }
        }

        /// As its library shows it.
        impl<C: $kind, A: Scalar> fmt::Display for $name<C, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.config, f)
            }
        }
    };
}

pub(crate) use of_parameters;
