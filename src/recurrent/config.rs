//! What the configurations of all networks and cells have in common, written once.

use std::fmt::{Display, Formatter};

/// Makes the configurations of a network and of its cell, each under torch's name of the module: the fields that every kind
/// has, and the kind's own with their defaults, `both` and the network's alone, a projection; their texts; and their
/// [`Kind`](super::Kind), of which only the kind's own items are given.
macro_rules! kind {
    (
        $(#[$of_network:meta])*
        pub struct $network:ident($module:literal) {
            $($(#[$of_projection:meta])* $projection:ident: usize = 0,)?
        }

        $(#[$of_cell:meta])*
        pub struct $cell:ident($cell_module:literal) {}

        both {
            $($(#[$of_own:meta])* $own:ident: $type:ty = $default:expr,)?
        }

        impl Kind { $($item:tt)* }
    ) => {
        $crate::options::options! {
            $(#[$of_network])*
            #[derive(Debug, Clone, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
            pub struct $network(
                /// Features of the input, at least 1.
                input_size: usize,
                /// Units: features of the hidden state, at least 1.
                hidden_size: usize,
            ) {
                /// Layers, each reading the outputs of the one below; at least 1. Default 1.
                num_layers: usize = 1,
                $($(#[$of_own])* $own: $type = $default,)?
                /// Whether there are `bias_ih` and `bias_hh`. Default true.
                bias: bool = true,
                /// Whether batches come and go as (N, L, features) and not (L, N, features); states do not. Default
                /// false.
                batch_first: bool = false,
                /// The probability, in [0, 1], that training zeroes an element of the output of any layer but the last:
                /// with one layer none, as in torch, which warns of it. Default 0.
                dropout: f64 = 0.0,
                /// Whether each layer also runs from the last step to the first. Default false.
                bidirectional: bool = false,
                $($(#[$of_projection])* $projection: usize = 0,)?
            }
        }

        impl $network {
            /// 2 if bidirectional, else 1.
            #[must_use]
            pub fn num_directions(&self) -> usize {
                1 + usize::from(self.bidirectional)
            }

            /// The width of an output row: all directions' hidden states side by side.
            #[must_use]
            pub fn output_size(&self) -> usize {
                self.sizes().output_size()
            }
        }

        impl Architecture for $network {}

        impl Sealed for $network {}

        impl Kind for $network {
            $($item)*

            const STATE: [&'static str; 2] = ["h_0", "c_0"];

            fn sizes(&self) -> Sizes {
                Sizes {
                    input_size: self.input_size,
                    hidden_size: self.hidden_size,
                    proj_size: 0 $(+ self.$projection)?,
                    num_layers: self.num_layers,
                    num_directions: self.num_directions(),
                    bias: self.bias,
                    batch_first: self.batch_first,
                    dropout: self.dropout,
                }
            }

            fn of_sizes(sizes: &Sizes) -> Self {
                Self {
                    num_layers: sizes.num_layers,
                    bias: sizes.bias,
                    batch_first: sizes.batch_first,
                    dropout: sizes.dropout,
                    bidirectional: sizes.num_directions == 2,
                    $($projection: sizes.proj_size,)?
                    ..Self::new(sizes.input_size, sizes.hidden_size)
                }
            }
        }

        /// As torch shows the module: what differs from the default. Unlike torch it shows an RNN's relu too.
        impl std::fmt::Display for $network {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let options: &[(bool, &str, &dyn std::fmt::Display)] = &[
                    $((self.$projection != 0, stringify!($projection), &self.$projection),)?
                    (self.num_layers != 1, "num_layers", &self.num_layers),
                    $((self.$own != $default, stringify!($own), &self.$own),)?
                    (!self.bias, "bias", &"False"),
                    (self.batch_first, "batch_first", &"True"),
                    (self.dropout != 0.0, "dropout", &self.dropout),
                    (self.bidirectional, "bidirectional", &"True"),
                ];
                show(f, $module, [self.input_size, self.hidden_size], options)
            }
        }

        $crate::options::options! {
            $(#[$of_cell])*
            #[derive(Debug, Clone, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
            pub struct $cell(
                /// Features of the input, at least 1.
                input_size: usize,
                /// Units: features of the hidden state, at least 1.
                hidden_size: usize,
            ) {
                /// Whether there are `bias_ih` and `bias_hh`. Default true.
                bias: bool = true,
                $($(#[$of_own])* $own: $type = $default,)?
            }
        }

        impl CellArchitecture for $cell {}

        impl Sealed for $cell {}

        impl Kind for $cell {
            $($item)*

            const STATE: [&'static str; 2] = if Self::CARRIES { ["h_0", "c_0"] } else { ["hidden", ""] };

            fn sizes(&self) -> Sizes {
                Sizes::of_cell(self.input_size, self.hidden_size, self.bias)
            }

            fn of_sizes(sizes: &Sizes) -> Self {
                Self { bias: sizes.bias, ..Self::new(sizes.input_size, sizes.hidden_size) }
            }
        }

        /// As torch shows the module: what differs from the default.
        impl std::fmt::Display for $cell {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let options: &[(bool, &str, &dyn std::fmt::Display)] = &[
                    (!self.bias, "bias", &"False"),
                    $((self.$own != $default, stringify!($own), &self.$own),)?
                ];
                show(f, $cell_module, [self.input_size, self.hidden_size], options)
            }
        }
    };
}

pub(super) use kind;

/// Writes a module as torch shows it: its name, its sizes, and those options that differ from the default.
pub(super) fn show(
    f: &mut Formatter<'_>,
    name: &str,
    [input_size, hidden_size]: [usize; 2],
    options: &[(bool, &str, &dyn Display)],
) -> std::fmt::Result {
    write!(f, "{name}({input_size}, {hidden_size}")?;
    for (_, option, value) in options.iter().filter(|(differs, ..)| *differs) {
        write!(f, ", {option}={value}")?;
    }
    f.write_str(")")
}
