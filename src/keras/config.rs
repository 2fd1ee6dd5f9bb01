//! What the configurations of all kinds of layers have in common, written once.

/// Makes a configuration: its own fields with their defaults, those of every kind, and the methods that set them; its text;
/// and its [`Architecture`](super::Architecture), of which only the kind's own items are given.
macro_rules! config {
    (
        $(#[$attribute:meta])*
        pub struct $config:ident {
            $($(#[$own_attribute:meta])* $own:ident: $type:ty = $default:expr,)*
        }

        impl Architecture { $($item:tt)* }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
        #[non_exhaustive]
        pub struct $config {
            /// Features of the input, at least 1; Keras learns it from the first input.
            pub input_dim: usize,
            /// Features of the output, at least 1.
            pub units: usize,
            $($(#[$own_attribute])* pub $own: $type,)*
            /// Whether there is a bias. Default true.
            pub use_bias: bool,
            /// How the kernel is made. Default Glorot's uniform.
            pub kernel_initializer: $crate::keras::Initializer,
            /// How the recurrent kernel is made. Default orthogonal.
            pub recurrent_initializer: $crate::keras::Initializer,
            /// How the bias is made. Default zeros.
            pub bias_initializer: $crate::keras::Initializer,
            /// The probability, in [0, 1], that training zeroes a feature of a sequence's input, at all steps. Default 0.
            pub dropout: f64,
            /// The probability, in [0, 1], that training zeroes a unit of a sequence's state for the recurrent product,
            /// at all steps. Default 0.
            pub recurrent_dropout: f64,
            /// Whether the layer runs from the last step to the first. Its outputs are then in the order of processing:
            /// the last step's is the first. Default false.
            pub go_backwards: bool,
            /// Whether a masked step shows zero in place of the output of the step before. Default false.
            pub zero_output_for_mask: bool,
            /// The seed of dropout. Default: drawn when the layer is made.
            pub seed: Option<i64>,
        }

        impl $config {
            /// Keras's defaults.
            #[must_use]
            pub fn new(input_dim: usize, units: usize) -> Self {
                Self {
                    input_dim,
                    units,
                    $($own: $default,)*
                    use_bias: true,
                    kernel_initializer: $crate::keras::Initializer::glorot_uniform(),
                    recurrent_initializer: $crate::keras::Initializer::orthogonal(1.0),
                    bias_initializer: $crate::keras::Initializer::zeros(),
                    dropout: 0.0,
                    recurrent_dropout: 0.0,
                    go_backwards: false,
                    zero_output_for_mask: false,
                    seed: None,
                }
            }

            $crate::setters::setters! {
                $($own: $type,)*
                use_bias: bool,
                kernel_initializer: $crate::keras::Initializer,
                recurrent_initializer: $crate::keras::Initializer,
                bias_initializer: $crate::keras::Initializer,
                dropout: f64,
                recurrent_dropout: f64,
                go_backwards: bool,
                zero_output_for_mask: bool,
            }

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
