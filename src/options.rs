//! Structs of options.

/// Makes a struct of options: in parentheses the fields that `new` takes, in braces those with a default, each of which a
/// method of its name sets. Fields behind `..` have a default and are set otherwise.
macro_rules! options {
    ($(#[$attribute:meta])* pub struct $options:ident() { $($field:tt)* }) => {
        $crate::options::options!(@of $(#[$attribute])* pub struct $options() { $($field)* });

        impl Default for $options {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    ($(#[$attribute:meta])* pub struct $options:ident($($given:tt)+) { $($field:tt)* }) => {
        $crate::options::options!(@of $(#[$attribute])* pub struct $options($($given)+) { $($field)* });
    };
    (
        @of $(#[$attribute:meta])*
        pub struct $options:ident($($(#[$of_given:meta])* $given:ident: $given_type:ty,)*) {
            $($(#[$of_field:meta])* $field:ident: $type:ty = $default:expr,)*
            $(.. $($(#[$of_other:meta])* $other:ident: $other_type:ty = $other_default:expr,)*)?
        }
    ) => {
        $(#[$attribute])*
        #[non_exhaustive]
        pub struct $options {
            $($(#[$of_given])* pub $given: $given_type,)*
            $($(#[$of_field])* pub $field: $type,)*
            $($($(#[$of_other])* pub $other: $other_type,)*)?
        }

        impl $options {
            /// With the default of every option.
            #[must_use]
            pub fn new($($given: $given_type),*) -> Self {
                Self { $($given,)* $($field: $default,)* $($($other: $other_default,)*)? }
            }

            $crate::options::setters!($($field: $type),*);
        }
    };
}

/// For each field a method of its name.
macro_rules! setters {
    ($($field:ident: $type:ty),*) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
        #[must_use]
        pub fn $field(self, $field: $type) -> Self {
            Self { $field, ..self }
        }
    )*};
}

pub(crate) use {options, setters};
