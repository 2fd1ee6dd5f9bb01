//! What the configurations of all kinds of layers have in common, written once.

/// Makes a configuration: its own fields with their defaults, and those of every kind; its text; and its
/// [`Architecture`](super::Architecture), of which only the kind's own items are given.
macro_rules! config {
    (
        $(#[$attribute:meta])*
        pub struct $config:ident {
            $($(#[$own_attribute:meta])* $own:ident: $type:ty = $default:expr,)*
        }

        impl Architecture { $($item:tt)* }
    ) => {
        $crate::options::options! {
            $(#[$attribute])*
            #[derive(Debug, Clone, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
            pub struct $config(
                /// Features of the input, at least 1; Keras learns it from the first input.
                input_dim: usize,
                /// Features of the output, at least 1.
                units: usize,
            ) {
                $($(#[$own_attribute])* $own: $type = $default,)*
                /// Whether there is a bias. Default true.
                use_bias: bool = true,
                /// How the kernel is made. Default Glorot's uniform.
                kernel_initializer: $crate::keras::Initializer = $crate::keras::Initializer::glorot_uniform(),
                /// How the recurrent kernel is made. Default orthogonal.
                recurrent_initializer: $crate::keras::Initializer = $crate::keras::Initializer::orthogonal(1.0),
                /// How the bias is made. Default zeros.
                bias_initializer: $crate::keras::Initializer = $crate::keras::Initializer::zeros(),
                /// The probability, in [0, 1], that training zeroes a feature of a sequence's input, at all steps.
                /// Default 0.
                dropout: f64 = 0.0,
                /// The probability, in [0, 1], that training zeroes a unit of a sequence's state for the recurrent
                /// product, at all steps. Default 0.
                recurrent_dropout: f64 = 0.0,
                /// Whether the layer runs from the last step to the first. Its outputs are then in the order of
                /// processing: the last step's is the first. Default false.
                go_backwards: bool = false,
                /// Whether a masked step shows zero in place of the output of the step before. Default false.
                zero_output_for_mask: bool = false,
                ..
                /// The seed of dropout. Default: drawn when the layer is made.
                seed: Option<i64> = None,
            }
        }

        impl $config {
            /// Sets [`seed`](Self#structfield.seed).
            #[must_use]
            pub fn seed(self, seed: i64) -> Self {
                Self { seed: Some(seed), ..self }
            }
        }

        impl $crate::keras::Architecture for $config {
            $($item)*

            fn options(&self) -> $crate::keras::architecture::Options {
                $crate::keras::architecture::Options {
                    input_dim: self.input_dim,
                    units: self.units,
                    use_bias: self.use_bias,
                    dropout: self.dropout,
                    recurrent_dropout: self.recurrent_dropout,
                    go_backwards: self.go_backwards,
                    zero_output_for_mask: self.zero_output_for_mask,
                    seed: self.seed,
                }
            }

            fn initializers(&self) -> [&$crate::keras::Initializer; 3] {
                [&self.kernel_initializer, &self.recurrent_initializer, &self.bias_initializer]
            }

            fn sized(self, [input_dim, units]: [usize; 2], use_bias: bool) -> Self {
                Self { input_dim, units, use_bias, ..self }
            }

            fn seeded<R: rand::Rng + ?Sized>(self, rng: &mut R) -> Self {
                let mut seed = self.seed;
                if Self::DROPOUT_FIRST {
                    seed.get_or_insert_with(|| $crate::keras::seeds::default_seed(rng));
                }
                let kernel_initializer = self.kernel_initializer.seeded(rng);
                let recurrent_initializer = self.recurrent_initializer.seeded(rng);
                let bias_initializer = self.bias_initializer.seeded(rng);
                seed.get_or_insert_with(|| $crate::keras::seeds::default_seed(rng));
                Self { seed, kernel_initializer, recurrent_initializer, bias_initializer, ..self }
            }

            fn both_ways(self) -> [Self; 2] {
                let seed = self.seed.filter(|_| Self::HANDS_SEED_ON);
                [false, true].map(|go_backwards| Self { seed, go_backwards, ..self.clone() })
            }
        }

        /// The options that differ from their default, in the manner of Keras's constructor.
        impl std::fmt::Display for $config {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let own = [$((stringify!($own), self.$own.to_string(), <$type>::to_string(&$default))),*];
                use $crate::keras::Architecture as _;
                self.options().fmt(f, Self::CLASS, &own)
            }
        }
    };
}

pub(super) use config;
