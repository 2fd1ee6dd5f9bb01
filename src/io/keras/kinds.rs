//! Kinds of layers: from what a file says of one to the layer itself.

use super::config::Fields;
use super::entries::Entries;
use super::layer::Layer;
use super::{CUDNN, FORMAT, cudnn};
use crate::error::{Error, Result, expect_shape};
use crate::io::StateDict;
use crate::io::files::unsupported;
use crate::keras::{
    Architecture, Bidirectional, GruConfig, LayerPair, LstmConfig, MergeMode, SimpleRnnConfig, Stacked,
    StackedLayer,
};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// A model that a layer's weights can be loaded into. Sealed.
pub trait LoadKeras: Parameters + Sized {
    /// What such a layer is called where none is found.
    #[doc(hidden)]
    const KIND: &'static str;

    /// Whether a layer of a file is of this kind.
    #[doc(hidden)]
    fn is(layer: &Layer) -> bool;

    /// The layer's weights under this model's names.
    #[doc(hidden)]
    fn named_weights(layer: &Layer) -> Result<StateDict> {
        layer.weights().cloned()
    }

    /// Loads the layer's weights.
    #[doc(hidden)]
    fn load(&mut self, layer: &Layer) -> Result<()> {
        Self::named_weights(layer)?.load_into(self)
    }
}

/// What [`Model::layer`](super::Model::layer) makes of a layer of a file. Sealed.
pub trait FromKeras: Sized {
    /// The model that the weights are loaded into.
    #[doc(hidden)]
    type Loaded: LoadKeras;

    #[doc(hidden)]
    fn make(layer: &Layer) -> Result<Self>;
}

/// A kind of recurrent layer, as configurations describe it. Sealed.
pub trait FromConfig: Architecture {
    /// The names of the layer and of the wrappers around two of it.
    #[doc(hidden)]
    const KINDS: [&'static str; 3];

    /// The layer's options but for the input's width, which the kernel says: those of its cell and those of the layer
    /// around it.
    #[doc(hidden)]
    fn of(cell: &Entries<'_>, layer: &Entries<'_>) -> Result<Self>;

    /// The same for an input of this width.
    #[doc(hidden)]
    fn with_input_dim(self, input_dim: usize) -> Self;
}

/// The [`FromConfig`] of a kind: the options that every kind has, then the kind's own.
macro_rules! from_config {
    ($config:ty, $class:literal, |$cell:ident| $($own:tt)*) => {
        impl FromConfig for $config {
            const KINDS: [&'static str; 3] = [
                concat!($class, " layer"),
                concat!("Bidirectional layer of ", $class, "s"),
                concat!("Bidirectional layer of ", $class, "s, merge_mode None"),
            ];

            fn of($cell: &Entries<'_>, layer: &Entries<'_>) -> Result<Self> {
                let (fields, around) = (&$cell.fields, &layer.fields);
                let dropout = fields.dropout.or(fields.dropout_w);
                let recurrent_dropout = fields.recurrent_dropout.or(fields.dropout_u);
                let zeroes = around.zero_output_for_mask;
                let config = Self::new(0, $cell.size("units", fields.units.or(fields.output_dim))?)
                    .activation($cell.activation("activation", fields.activation, "tanh")?)
                    .use_bias($cell.switch("use_bias", fields.use_bias, true)?)
                    .dropout($cell.rate("dropout", dropout)?)
                    .recurrent_dropout($cell.rate("recurrent_dropout", recurrent_dropout)?)
                    .go_backwards(layer.switch("go_backwards", around.go_backwards, false)?)
                    .zero_output_for_mask(layer.switch("zero_output_for_mask", zeroes, false)?)
                    $($own)*;
                Ok($cell.seed()?.into_iter().fold(config, Self::seed))
            }

            fn with_input_dim(self, input_dim: usize) -> Self {
                Self { input_dim, ..self }
            }
        }
    };
}

from_config!(SimpleRnnConfig, "SimpleRNN", |cell|);
from_config!(LstmConfig, "LSTM", |cell| .recurrent_activation(cell.recurrent_activation()?)
    .unit_forget_bias(cell.switch("unit_forget_bias", cell.fields.unit_forget_bias, true)?));
from_config!(GruConfig, "GRU", |cell| .recurrent_activation(cell.recurrent_activation()?)
    .reset_after(cell.reset_after()?));

/// The classes of layers of a kind: Keras's own, a general layer around the kind's cell, and Keras 2's of cuDNN.
fn classes<C: Architecture>() -> [String; 3] {
    [C::CLASS.into(), format!("RNN({}Cell)", C::CLASS), format!("{CUDNN}{}", C::CLASS)]
}

/// A layer's configuration for a kind; `prefix` is that of its arrays.
fn config<C: FromConfig>(entries: &Entries<'_>, class: &str, prefix: &str) -> Result<C> {
    let cell = match class {
        _ if class.starts_with("RNN") => entries.inner(entries.fields.cell).map(|(_, cell)| cell),
        _ => class.starts_with(CUDNN).then(|| entries.of_cudnn()),
    };
    sized(cell.as_ref().unwrap_or(entries), entries, prefix)
}

/// The configuration of a cell and the layer around it, for the arrays of a prefix.
fn sized<C: FromConfig>(cell: &Entries<'_>, entries: &Entries<'_>, prefix: &str) -> Result<C> {
    entries.expect_batch_major()?;
    let config = C::of(cell, entries)?;
    // A kernel is as large as the file has it: a description alone makes no layer take memory.
    let layer = entries.layer;
    let name = format!("{prefix}kernel");
    let kernel = layer.array(&name)?.shape();
    let &[input_dim, columns] = kernel else {
        return Err(Error::Rank { array: "kernel", expected: 2, actual: kernel.len() });
    };
    let units = config.options().units;
    let width = units.saturating_mul(C::GATES);
    expect_shape(&name, &[input_dim, width], &[input_dim, columns])?;
    let recurrent = format!("{prefix}recurrent_kernel");
    expect_shape(&recurrent, &[units, width], layer.array(&recurrent)?.shape())?;
    Ok(config.with_input_dim(input_dim))
}

/// Whether arrays have the shapes that a kind's have: the files of weights alone do not say the class.
fn fits<C: Architecture>(layer: &Layer, prefix: &str) -> bool {
    let shape = |name: &str| layer.shape(&format!("{prefix}{name}"));
    match (shape("kernel"), shape("recurrent_kernel")) {
        (Some(&[_, columns]), Some(&[units, width])) => {
            columns == width && units.checked_mul(C::GATES) == Some(width)
        }
        _ => false,
    }
}

impl<C: FromConfig, A: Scalar> LoadKeras for crate::keras::Layer<C, A> {
    const KIND: &'static str = C::KINDS[0];

    fn is(layer: &Layer) -> bool {
        match layer.class() {
            Some(class) => classes::<C>().iter().any(|own| own == class),
            None => fits::<C>(layer, ""),
        }
    }

    fn named_weights(layer: &Layer) -> Result<StateDict> {
        cudnn::converted::<C, A>(layer.weights()?)
    }
}

impl<C: FromConfig, A: Scalar> FromKeras for crate::keras::Layer<C, A> {
    type Loaded = Self;

    fn make(layer: &Layer) -> Result<Self> {
        let entries = Entries::of(layer)?;
        let mut made = Self::zeros(config(&entries, layer.class().unwrap_or_default(), "")?)?;
        made.load(layer)?;
        Ok(made)
    }
}

/// Makes two layers of a kind something that the weights of a Bidirectional layer can be loaded into.
macro_rules! load_bidirectional {
    ($pair:ident, $kind:literal) => {
        impl<C: FromConfig, A: Scalar> LoadKeras for $pair<A, C> {
            const KIND: &'static str = C::KINDS[$kind];

            fn is(layer: &Layer) -> bool {
                match layer.class() {
                    Some(class) => classes::<C>().iter().any(|own| class == format!("Bidirectional({own})")),
                    None => fits::<C>(layer, "forward.") && fits::<C>(layer, "backward."),
                }
            }

            fn named_weights(layer: &Layer) -> Result<StateDict> {
                cudnn::converted::<C, A>(layer.weights()?)
            }
        }
    };
}

load_bidirectional!(Bidirectional, 1);
load_bidirectional!(LayerPair, 2);

/// The layers of a Bidirectional one, whose outputs are merged as told.
fn bidirectional<C: FromConfig, A: Scalar>(
    entries: &Entries<'_>,
    merge_mode: MergeMode,
) -> Result<Bidirectional<A, C>> {
    let Fields { layer, backward_layer, .. } = entries.fields;
    let inner =
        |name, entry| entries.inner(entry).ok_or_else(|| entries.refused(name, "a recurrent layer", entry));
    let (class, layer) = inner("layer", layer)?;
    let forward = config(&layer, &class, "forward.")?;
    let backward = match backward_layer.text() {
        // Versions before 3 say nothing of the backward layer that Keras makes itself.
        None | Some("null") => {
            let [_, backward] = config::<C>(&layer, &class, "backward.")?.both_ways();
            backward
        }
        Some(_) => {
            let (class, backward) = inner("backward_layer", backward_layer)?;
            config(&backward, &class, "backward.")?
        }
    };
    let [forward, backward] = [forward, backward].map(crate::keras::Layer::zeros);
    let mut made = Bidirectional::from_layers(forward?, backward?, merge_mode)?;
    made.load(entries.layer)?;
    Ok(made)
}

impl<C: FromConfig, A: Scalar> FromKeras for Bidirectional<A, C> {
    type Loaded = Self;

    fn make(layer: &Layer) -> Result<Self> {
        let entries = Entries::of(layer)?;
        let entry = entries.fields.merge_mode;
        let mode = match entry.text() {
            None => Some(MergeMode::Concat),
            Some(_) => entry.get::<&str>().and_then(MergeMode::of_name),
        };
        let expected = "\"concat\", \"sum\", \"mul\" or \"ave\"; null is read as a LayerPair";
        bidirectional(&entries, mode.ok_or_else(|| entries.refused("merge_mode", expected, entry))?)
    }
}

impl<C: FromConfig, A: Scalar> FromKeras for LayerPair<A, C> {
    type Loaded = Self;

    fn make(layer: &Layer) -> Result<Self> {
        let entries = Entries::of(layer)?;
        let entry = entries.fields.merge_mode;
        if entry.text() != Some("null") {
            return Err(entries.refused("merge_mode", "null; others are read as a Bidirectional", entry));
        }
        // Their outputs are not merged, so they may have any widths: concatenation takes any.
        Ok(bidirectional::<C, A>(&entries, MergeMode::Concat)?.layers().clone())
    }
}

impl<A: Scalar> LoadKeras for Stacked<A> {
    const KIND: &'static str = "RNN layer of stacked cells";

    fn is(layer: &Layer) -> bool {
        layer
            .class()
            .map_or_else(|| layer.shape("0.kernel").is_some(), |class| class == "RNN(StackedRNNCells)")
    }

    /// A file of weights alone has the cells class by class; this model says in which order they go.
    fn load(&mut self, layer: &Layer) -> Result<()> {
        let weights = layer.weights()?;
        if layer.class().is_some() {
            return weights.load_into(self);
        }
        let parameters = self.named_parameters();
        let own = gates(parameters.iter().map(|(name, array)| (&**name, array.shape())));
        let theirs = gates(weights.iter().map(|(name, array)| (name, array.shape())));
        let (mut unread, mut ordered): (Vec<_>, _) = ((0..theirs.len()).collect(), StateDict::new());
        for (i, gates) in own.into_iter().enumerate() {
            let found = unread.iter().position(|&j| theirs[j] == gates).map(|at| unread.remove(at));
            let cell = found.map(|j| weights.under(&format!("{j}."))).unwrap_or_default();
            for (name, array) in cell.iter() {
                ordered.insert(format!("{i}.{name}"), array.clone())?;
            }
        }
        // Cells that are left over are those of another model, as the names and shapes say.
        if unread.is_empty() { ordered.load_into(self) } else { weights.load_into(self) }
    }
}

/// The number of gates of each cell, as many as the recurrent kernel has columns for a unit.
fn gates<'a>(arrays: impl Iterator<Item = (&'a str, &'a [usize])>) -> Vec<usize> {
    let recurrent = arrays.filter(|(name, _)| name.ends_with(".recurrent_kernel"));
    let count = |shape: &[usize]| match *shape {
        [units, columns] => columns.checked_div(units).unwrap_or_default(),
        _ => 0,
    };
    recurrent.map(|(_, shape)| count(shape)).collect()
}

impl<A: Scalar> FromKeras for Stacked<A> {
    type Loaded = Self;

    fn make(layer: &Layer) -> Result<Self> {
        let entries = Entries::of(layer)?;
        if entries.switch("go_backwards", entries.fields.go_backwards, false)? {
            return Err(unsupported(
                FORMAT,
                format!("{}.go_backwards", layer.path),
                "stacked cells that go backwards",
            ));
        }
        let (_, stack) = entries
            .inner(entries.fields.cell)
            .ok_or_else(|| entries.refused("cell", "stacked cells", entries.fields.cell))?;
        let cells = stack.fields.cells;
        let cells = cells.only_objects().ok_or_else(|| stack.refused("cells", "a list of cells", cells))?;
        let layers = cells.into_iter().enumerate().map(|(i, cell)| {
            let (class, cell) = stack.inner(cell).ok_or_else(|| stack.refused("cells", "a cell", cell))?;
            member(&entries, &class, &cell, &format!("{i}."))
        });
        let mut made = Self::new(layers.collect::<Result<Vec<_>>>()?)?;
        layer.weights()?.load_into(&mut made)?;
        Ok(made)
    }
}

/// The layer of one of stacked cells.
fn member<A: Scalar>(
    entries: &Entries<'_>,
    class: &str,
    cell: &Entries<'_>,
    prefix: &str,
) -> Result<StackedLayer<A>> {
    fn of_kind<C: FromConfig, A: Scalar>(config: Result<C>) -> Result<StackedLayer<A>> {
        Ok(crate::keras::Layer::<C, A>::zeros(config?)?.into())
    }
    match class {
        "SimpleRNNCell" => of_kind(sized::<SimpleRnnConfig>(cell, entries, prefix)),
        "LSTMCell" => of_kind(sized::<LstmConfig>(cell, entries, prefix)),
        "GRUCell" => of_kind(sized::<GruConfig>(cell, entries, prefix)),
        _ => Err(unsupported(FORMAT, &*entries.layer.path, format!("a cell of class {class}"))),
    }
}
