//! Models made of models: structs, tuples, lists, members that may be missing; and arrays.

use std::fmt::Display;

use ndarray::{Array, Dimension};
pub use ndarray::{ArrayViewD, ArrayViewMutD};

use super::{Parameters, Trainable, zeros_of};
use crate::scalar::Scalar;

/// Makes a struct of models a model, as a module of one's own is in torch, and the same struct of their gradients its
/// gradient.
///
/// Members are networks, layers, arrays, other such structs, and `Option`s, `Vec`s and tuples of all these. Their arrays are
/// named after the members, such as `rnn.weight_ih_l0` (see [`Parameters`]). The struct's own arrays come first, as torch
/// lists them; then the members follow in the order in which they are declared.
///
/// ```
/// use ndarray::{Array2, Array3, ArrayRef2, Axis, array};
/// use ndarray_rnn::loss::CrossEntropyLoss;
/// use ndarray_rnn::optim::{Adam, AdamConfig, MaxNorm, clip_grad_norm};
/// use ndarray_rnn::random::Mt19937;
/// use ndarray_rnn::{
///     Embedding, EmbeddingConfig, GradientOf, Gru, GruConfig, Linear, LinearConfig, Parameters, Result, Trainable,
///     manual_seed, parameters,
/// };
///
/// parameters! {
///     /// Words to a class.
///     #[derive(Debug, Clone, PartialEq)]
///     pub struct Net {
///         embedding: Embedding,
///         rnn: Gru,
///         head: Linear,
///         h_0: Array3<f32>, // a first state that is learnt
///     }
/// }
///
/// impl Net {
///     fn new(rng: &mut Mt19937) -> Result<Self> {
///         Ok(Self {
///             embedding: Embedding::new(EmbeddingConfig::new(10, 4), rng)?,
///             rnn: Gru::new(GruConfig::new(4, 8).batch_first(true), rng)?,
///             head: Linear::new(LinearConfig::new(8, 2), rng)?,
///             h_0: Array3::zeros((1, 1, 8)),
///         })
///     }
///
///     fn train(&self, words: &ArrayRef2<usize>, class: usize, rng: &mut Mt19937) -> Result<(f32, GradientOf<Net>)> {
///         let x = self.embedding.forward(words)?;
///         let (last, _, trace) = self.rnn.run(&x).state(&self.h_0).last_train(rng)?;
///         let loss = CrossEntropyLoss::new().forward(&self.head.forward(&last)?, &array![class])?;
///
///         let head = self.head.backward(&last, &loss.gradient)?;
///         let rnn = self.rnn.back(&trace).last(&head.input).gradients()?;
///         let embedding = self.embedding.backward(words, &rnn.input)?;
///         let gradients = Net { embedding, rnn: rnn.parameters, head: head.parameters, h_0: rnn.state };
///         Ok((loss.value, gradients))
///     }
/// }
///
/// let mut rng = manual_seed(0);
/// let mut net = Net::new(&mut rng)?;
/// let names: Vec<_> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names[..3], ["h_0", "embedding.weight", "rnn.weight_ih_l0"]);
///
/// let mut adam = Adam::new(AdamConfig::new().lr(0.05), &net)?;
/// for _ in 0..30 {
///     let mut gradients = net.zeros_like();
///     for (words, class) in [(array![[1, 2, 3, 4]], 0), (array![[4, 3, 2]], 1)] {
///         gradients.accumulate(&net.train(&words, class, &mut rng)?.1)?;
///     }
///     clip_grad_norm(&mut gradients, MaxNorm::new(1.0))?;
///     adam.step(&mut net, &gradients)?;
/// }
/// assert!(net.train(&array![[4, 3, 2]], 1, &mut rng)?.0 < 0.1);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
///
/// The macro writes a struct with a type parameter for each member, 24 at most, whose defaults are the types given. So
/// `Net` where a type stands is the model, and an expression `Net { .. }` is a model or a gradient, by what is in it;
/// `Net<Embedding<f64>, Gru<f64>, Linear<f64>, Array3<f64>>` is a model of `f64`. Attributes, derives and documentation
/// are kept, of the struct and of its members. A value that is no parameter, such as a
/// [`Dropout`](crate::Dropout), stands beside the struct.
///
/// # Files
/// A state dict takes and loads a model of one's own as any other:
///
/// ```
/// use ndarray_rnn::io::StateDict;
/// use ndarray_rnn::{Linear, LinearConfig, Nonlinearity, Rnn, RnnConfig, manual_seed, parameters};
///
/// parameters!(#[derive(Debug, PartialEq)] struct Net { rnn: Rnn, layers: Vec<Linear>, head: Option<Linear> });
///
/// let mut rng = manual_seed(0);
/// let rnn = Rnn::<f32>::new(RnnConfig::new(4, 3), &mut rng)?;
/// let net: Net = Net { rnn, layers: vec![Linear::new(LinearConfig::new(3, 2), &mut rng)?], head: None };
/// let mut dict = StateDict::new();
/// dict.add("model.", &net)?;
/// assert_eq!(dict.names().last(), Some("model.layers.0.bias"));
///
/// // Of sizes from the dict:
/// let rnn = Rnn::from_state_dict(&dict.under("model.rnn."), Nonlinearity::Tanh)?;
/// let layers = vec![Linear::from_state_dict(&dict.under("model.layers.0."))?];
/// assert_eq!(Net { rnn, layers, head: None }, net);
///
/// // Into a model of these sizes: strict, as torch's `load_state_dict`.
/// let mut other = net;
/// dict.under("model.").load_into(&mut other)?;
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$of_member:meta])* $of:vis $member:ident: $type:ty),+ $(,)?
        }
    ) => {
        $crate::parameterised! {
            [M0 M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22 M23]
            { $(#[$attribute])* $visibility struct $name }
            {}
            $({ $(#[$of_member])* $of $member: $type })+
        }
    };
}

/// Gives each member the next type parameter, then writes the struct of them and what it implements.
#[doc(hidden)]
#[macro_export]
macro_rules! parameterised {
    ([$next:ident $($free:ident)*] $head:tt { $($done:tt)* } $member:tt $($members:tt)*) => {
        $crate::parameterised! { [$($free)*] $head { $($done)* $next $member } $($members)* }
    };
    (
        [$($free:ident)*]
        { $(#[$attribute:meta])* $visibility:vis struct $name:ident }
        { $($model:ident { $(#[$of_member:meta])* $of:vis $member:ident: $type:ty })+ }
    ) => {
        $(#[$attribute])*
        $visibility struct $name<$($model = $type),+> {
            $($(#[$of_member])* $of $member: $model),+
        }

        impl<Element, $($model),+> $crate::Parameters for $name<$($model),+>
        where
            Element: $crate::Scalar,
            $($model: $crate::Parameters<Elem = Element>),+
        {
            type Elem = Element;

            fn named_parameters(
                &self,
            ) -> ::std::vec::Vec<(::std::string::String, $crate::members::ArrayViewD<'_, Element>)> {
                $crate::members::joined([
                    $((stringify!($member), $crate::Parameters::named_parameters(&self.$member))),+
                ])
            }

            fn named_parameters_mut(
                &mut self,
            ) -> ::std::vec::Vec<(::std::string::String, $crate::members::ArrayViewMutD<'_, Element>)> {
                $crate::members::joined([
                    $((stringify!($member), $crate::Parameters::named_parameters_mut(&mut self.$member))),+
                ])
            }
        }

        impl<Element, $($model),+> $crate::Trainable for $name<$($model),+>
        where
            Element: $crate::Scalar,
            $($model: $crate::Trainable<Elem = Element>),+
        {
            type Gradient = $name<$($crate::GradientOf<$model>),+>;

            fn zeros_like(&self) -> Self::Gradient {
                $name { $($member: $crate::Trainable::zeros_like(&self.$member)),+ }
            }
        }
    };
    ([] $($rest:tt)*) => {
        ::std::compile_error!("a struct of `parameters!` has 24 members at most; a member may be such a struct");
    };
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

        impl<$first: Trainable, $($other: Trainable<Elem = $first::Elem>),+> Trainable for ($first, $($other),+) {
            type Gradient = ($first::Gradient, $($other::Gradient),+);

            fn zeros_like(&self) -> Self::Gradient {
                ($(self.$index.zeros_like()),+)
            }
        }
    };
}

tuple!(A B, 0 1);
tuple!(A B C, 0 1 2);
tuple!(A B C D, 0 1 2 3);
tuple!(A B C D E, 0 1 2 3 4);
tuple!(A B C D E F, 0 1 2 3 4 5);

impl<M: Parameters> Parameters for Vec<M> {
    type Elem = M::Elem;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, M::Elem>)> {
        joined(self.iter().map(M::named_parameters).enumerate())
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, M::Elem>)> {
        joined(self.iter_mut().map(M::named_parameters_mut).enumerate())
    }
}

impl<M: Trainable> Trainable for Vec<M> {
    type Gradient = Vec<M::Gradient>;

    fn zeros_like(&self) -> Vec<M::Gradient> {
        self.iter().map(M::zeros_like).collect()
    }
}

impl<M: Parameters> Parameters for Option<M> {
    type Elem = M::Elem;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, M::Elem>)> {
        self.as_ref().map(M::named_parameters).unwrap_or_default()
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, M::Elem>)> {
        self.as_mut().map(M::named_parameters_mut).unwrap_or_default()
    }
}

impl<M: Trainable> Trainable for Option<M> {
    type Gradient = Option<M::Gradient>;

    fn zeros_like(&self) -> Option<M::Gradient> {
        self.as_ref().map(M::zeros_like)
    }
}

/// A parameter by itself, which goes by the name of the member that it is.
impl<A: Scalar, D: Dimension> Parameters for Array<A, D> {
    type Elem = A;

    fn named_parameters(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        vec![(String::new(), self.view().into_dyn())]
    }

    fn named_parameters_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, A>)> {
        vec![(String::new(), self.view_mut().into_dyn())]
    }
}

impl<A: Scalar, D: Dimension> Trainable for Array<A, D> {
    type Gradient = Self;

    fn zeros_like(&self) -> Self {
        zeros_of(self)
    }
}

/// Every member's arrays; each name begins with the member's. A member that is an array itself comes before those that
/// hold arrays, as in torch a module's own parameters come before its modules'.
#[doc(hidden)]
pub fn joined<V, M: Display>(members: impl IntoIterator<Item = (M, Vec<(String, V)>)>) -> Vec<(String, V)> {
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for (member, arrays) in members {
        for (name, array) in arrays {
            match &name[..] {
                "" => own.push((member.to_string(), array)),
                _ => all.push((format!("{member}.{name}"), array)),
            }
        }
    }
    own.append(&mut all);
    own
}
