//! The layers whose weights are written.

use std::fmt::Debug;

use ndarray::ArrayViewD;

use super::FORMAT;
use super::config::{numbered, snake_case};
use super::layer::Part;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::invariant::Invariant;
use crate::io::files::unsupported;
use crate::keras::{
    Architecture, Bidirectional, GruConfig, Layer, LayerPair, LstmConfig, SimpleRnnConfig, Stacked,
    StackedLayer,
};
use crate::linear::Linear;
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// A layer whose weights [`Weights`](super::Weights) writes. Sealed.
pub trait WriteKeras<A: Scalar>: Debug + Sync {
    /// Keras's name of the class.
    #[doc(hidden)]
    fn class(&self) -> &'static str;

    /// The class that the layer's cell has in Keras, if the layer is that cell taken forwards in time.
    #[doc(hidden)]
    fn cell(&self) -> Option<&'static str> {
        None
    }

    /// Where the arrays are within the layer's group.
    #[doc(hidden)]
    fn parts(&self) -> Result<Vec<Part>>;

    /// The arrays, of each part in Keras's order, under the part's prefix and Keras's names.
    #[doc(hidden)]
    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)>;
}

impl<C: Architecture, A: Scalar> WriteKeras<A> for Layer<C, A> {
    fn class(&self) -> &'static str {
        C::CLASS
    }

    fn cell(&self) -> Option<&'static str> {
        (!self.config().options().go_backwards).then_some(C::CLASS)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(vec![Part::cell()])
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.named_parameters()
    }
}

impl<C: Architecture, A: Scalar> WriteKeras<A> for LayerPair<A, C> {
    fn class(&self) -> &'static str {
        "Bidirectional"
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(Part::both(None, None))
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.named_parameters()
    }
}

impl<C: Architecture, A: Scalar> WriteKeras<A> for Bidirectional<A, C> {
    fn class(&self) -> &'static str {
        self.layers().class()
    }

    fn parts(&self) -> Result<Vec<Part>> {
        self.layers().parts()
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.layers().arrays()
    }
}

impl<A: Scalar> WriteKeras<A> for Stacked<A> {
    fn class(&self) -> &'static str {
        "RNN"
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let cells = self.layers().iter().map(|layer| {
            let layer = of_kind(layer);
            layer.cell().map(|class| snake_case(&format!("{class}Cell"))).ok_or_else(|| {
                let feature = format!("a {} layer that is no cell taken forwards,", layer.class());
                unsupported(FORMAT, "RNN of stacked cells", feature)
            })
        });
        let groups = numbered(cells.collect::<Result<Vec<_>>>()?.into_iter());
        Ok(groups.iter().enumerate().map(|(i, group)| Part::stacked(i, group, None)).collect())
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        self.named_parameters()
    }
}

impl<A: Scalar> WriteKeras<A> for StackedLayer<A> {
    fn class(&self) -> &'static str {
        of_kind(self).class()
    }

    fn cell(&self) -> Option<&'static str> {
        of_kind(self).cell()
    }

    fn parts(&self) -> Result<Vec<Part>> {
        of_kind(self).parts()
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        of_kind(self).arrays()
    }
}

/// The layer itself.
fn of_kind<A: Scalar>(layer: &StackedLayer<A>) -> &dyn WriteKeras<A> {
    fn of<C: Architecture, A: Scalar>(layer: &StackedLayer<A>) -> Option<&dyn WriteKeras<A>> {
        let single = layer.downcast_ref::<Layer<C, A>>().map(|layer| layer as _);
        single.or_else(|| layer.downcast_ref::<Bidirectional<A, C>>().map(|layer| layer as _))
    }
    let found = of::<SimpleRnnConfig, A>(layer).or_else(|| of::<LstmConfig, A>(layer));
    found.or_else(|| of::<GruConfig, A>(layer)).invariant("a layer of a stack is of one of three kinds")
}

impl<A: Scalar> WriteKeras<A> for Linear<A> {
    fn class(&self) -> &'static str {
        "Dense"
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(vec![Part::own(&["kernel", "bias"])])
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        let kernel = ("kernel".into(), self.parameters().weight().t().into_dyn());
        let bias = self.parameters().bias().map(|bias| ("bias".into(), bias.view().into_dyn()));
        [kernel].into_iter().chain(bias).collect()
    }
}

impl<A: Scalar> WriteKeras<A> for Embedding<A> {
    fn class(&self) -> &'static str {
        "Embedding"
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(vec![Part::own(&["embeddings"])])
    }

    fn arrays(&self) -> Vec<(String, ArrayViewD<'_, A>)> {
        vec![("embeddings".into(), self.weight().view().into_dyn())]
    }
}
