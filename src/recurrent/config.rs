//! What the configurations of all networks have in common, and those of all cells, written once.

use std::fmt::{Display, Formatter};

/// Makes the configuration of a network, under torch's name of the module: the fields that every network has, which
/// `..num_layers` and `..bidirectional` stand for, and the kind's own with their defaults; its text; and
/// its [`Kind`](super::Kind), of which only the kind's own items are given.
macro_rules! network {
    (
        $(#[$attribute:meta])*
        pub struct $config:ident($module:literal) {
            ..num_layers,
            $($(#[$of_own:meta])* $own:ident: $type:ty = $default:expr,)*
            ..bidirectional,
            $($(#[$of_projection:meta])* $projection:ident: usize = 0,)?
        }

        impl Kind { $($item:tt)* }
    ) => {
        $crate::options::options! {
            $(#[$attribute])*
            #[derive(Debug, Clone, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
            pub struct $config(
                /// Features of the input, at least 1.
                input_size: usize,
                /// Units: features of the hidden state, at least 1.
                hidden_size: usize,
            ) {
                /// Layers, each reading the outputs of the one below; at least 1. Default 1.
                num_layers: usize = 1,
                $($(#[$of_own])* $own: $type = $default,)*
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

        impl $config {
            /// 2 if bidirectional, else 1.
            #[must_use]
            pub fn num_directions(&self) -> usize {
                1 + usize::from(self.bidirectional)
            }

            /// The width of an output row: all directions' hidden states side by side.
            #[must_use]
            pub fn output_size(&self) -> usize {
                $crate::recurrent::Kind::sizes(self).output_size()
            }
        }

        impl $crate::recurrent::architecture::Sealed for $config {}

        impl $crate::recurrent::Architecture for $config {}

        impl $crate::recurrent::Kind for $config {
            $($item)*

            fn sizes(&self) -> $crate::recurrent::architecture::Sizes {
                $crate::recurrent::architecture::Sizes {
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
        }

        /// As torch shows the module: what differs from the default. Unlike torch it shows an RNN's relu too.
        impl std::fmt::Display for $config {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let options: &[(bool, &str, &dyn std::fmt::Display)] = &[
                    $((self.$projection != 0, stringify!($projection), &self.$projection),)?
                    (self.num_layers != 1, "num_layers", &self.num_layers),
                    $((self.$own != $default, stringify!($own), &self.$own),)*
                    (!self.bias, "bias", &"False"),
                    (self.batch_first, "batch_first", &"True"),
                    (self.dropout != 0.0, "dropout", &self.dropout),
                    (self.bidirectional, "bidirectional", &"True"),
                ];
                $crate::recurrent::config::show(f, $module, [self.input_size, self.hidden_size], options)
            }
        }
    };
}

/// As [`network`], of a cell.
macro_rules! cell {
    (
        $(#[$attribute:meta])*
        pub struct $config:ident($module:literal) {
            ..bias,
            $($(#[$of_own:meta])* $own:ident: $type:ty = $default:expr,)*
        }

        impl Kind { $($item:tt)* }
    ) => {
        $crate::options::options! {
            $(#[$attribute])*
            #[derive(Debug, Clone, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
            pub struct $config(
                /// Features of the input, at least 1.
                input_size: usize,
                /// Units: features of the hidden state, at least 1.
                hidden_size: usize,
            ) {
                /// Whether there are `bias_ih` and `bias_hh`. Default true.
                bias: bool = true,
                $($(#[$of_own])* $own: $type = $default,)*
            }
        }

        impl $crate::recurrent::architecture::Sealed for $config {}

        impl $crate::recurrent::CellArchitecture for $config {}

        impl $crate::recurrent::Kind for $config {
            $($item)*

            fn sizes(&self) -> $crate::recurrent::architecture::Sizes {
                $crate::recurrent::architecture::Sizes::of_cell(self.input_size, self.hidden_size, self.bias)
            }
        }

        /// As torch shows the module: what differs from the default.
        impl std::fmt::Display for $config {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let options: &[(bool, &str, &dyn std::fmt::Display)] = &[
                    (!self.bias, "bias", &"False"),
                    $((self.$own != $default, stringify!($own), &self.$own),)*
                ];
                $crate::recurrent::config::show(f, $module, [self.input_size, self.hidden_size], options)
            }
        }
    };
}

pub(super) use {cell, network};

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
