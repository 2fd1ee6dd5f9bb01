//! What the algorithms of optimisers have in common.

use std::fmt::Debug;

use crate::error::{Result, expect_non_negative, expect_number};
use crate::invariant::Invariant;
use crate::kernels::Update;
use crate::scalar::Scalar;

/// The options of an optimiser, and its formula: [`SgdConfig`](super::SgdConfig),
/// [`AdamConfig`](super::AdamConfig), [`RmsPropConfig`](super::RmsPropConfig). Sealed.
///
/// ```
/// use ndarray_rnn::optim::{Algorithm, Optimizer, Sgd, SgdConfig};
/// use ndarray_rnn::{Linear, LinearConfig};
///
/// /// For any optimiser.
/// fn halve<C: Algorithm>(optimizer: &mut Optimizer<C>) -> ndarray_rnn::Result<()> {
///     optimizer.set_lr(0.5 * optimizer.lr())
/// }
/// let mut sgd = Sgd::new(SgdConfig::new().lr(0.1), &Linear::zeros(LinearConfig::new(4, 2))?)?;
/// halve(&mut sgd)?;
/// assert_eq!(sgd.lr(), 0.05);
/// # Ok::<(), ndarray_rnn::Error>(())
/// ```
pub trait Algorithm: Debug + Clone + private::Sealed {
    /// Checks every option, for parameters of a type.
    #[doc(hidden)]
    fn validate<A: Scalar>(&self) -> Result<()>;

    #[doc(hidden)]
    fn lr(&self) -> f64;

    #[doc(hidden)]
    fn set_lr(&mut self, lr: f64);

    /// Every option under torch's name.
    #[doc(hidden)]
    fn options(&mut self) -> Vec<(&'static str, OptionMut<'_>)>;

    /// Whether torch counts the steps of each parameter.
    #[doc(hidden)]
    const COUNTS_STEPS: bool;

    /// torch's names of the buffers that the algorithm keeps for every parameter.
    #[doc(hidden)]
    fn buffers(&self) -> Vec<&'static str>;

    /// The change of one parameter at a step, counted from 1, with the buffers in the order of
    /// [`buffers`](Self::buffers).
    #[doc(hidden)]
    fn update<'a, A: Scalar>(
        &self,
        step: u64,
        parameter: &'a mut [A],
        gradient: &'a [A],
        buffers: impl Iterator<Item = &'a mut [A]>,
    ) -> Update<'a, A>;
}

/// The items of an [`Algorithm`] that follow from its options, given in torch's order, each with its [`OptionMut`].
macro_rules! torch_options {
    ($($option:ident: $kind:ident),*) => {
        fn lr(&self) -> f64 {
            self.lr
        }

        fn set_lr(&mut self, lr: f64) {
            self.lr = lr;
        }

        fn options(&mut self) -> Vec<(&'static str, OptionMut<'_>)> {
            vec![$((stringify!($option), OptionMut::$kind(&mut self.$option))),*]
        }
    };
}

pub(super) use torch_options;

/// An option, to be read or changed.
#[doc(hidden)]
#[derive(Debug)]
pub enum OptionMut<'a> {
    Number(&'a mut f64),
    Pair(&'a mut (f64, f64)),
    Flag(&'a mut bool),
}

/// The next buffer of a parameter.
pub(super) fn next<'a, A>(buffers: &mut impl Iterator<Item = &'a mut [A]>) -> &'a mut [A] {
    buffers.next().invariant("a parameter has every buffer that its algorithm names")
}

/// Checks that an option is finite in the parameters' type.
pub(super) fn expect_of_type<A: Scalar>(name: &'static str, actual: f64) -> Result<()> {
    expect_number(name, actual, "finite in the type of the parameters", |x| A::from_f64(x).is_finite())
}

/// Checks that an option is finite, in the parameters' type too, and not negative.
pub(super) fn expect_option<A: Scalar>(name: &'static str, actual: f64) -> Result<()> {
    expect_non_negative(name, actual)?;
    expect_of_type::<A>(name, actual)
}

mod private {
    pub trait Sealed {}
    impl Sealed for crate::optim::SgdConfig {}
    impl Sealed for crate::optim::AdamConfig {}
    impl Sealed for crate::optim::RmsPropConfig {}
}
