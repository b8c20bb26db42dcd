//! The lists that name algorithms by which other crates attack, certify, compress: one line each.

/// One line an algorithm: its variant, which is also the type of its settings, and the name that recipes and commands use.
/// The first line names the enum of all, the trait that each is one of, and the method that gives it as such.
///
/// Whoever uses it depends on `serde` and `schemars`, whose derives it names.
#[macro_export]
macro_rules! registry {
    (
        $(#[doc = $about:literal])*
        pub enum $config:ident: $kind:ident by $method:ident;
        $($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "name")]
        pub enum $config {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($variant),)*
        }

        impl $config {
            /// Every one as its name, what it is, and its default settings.
            #[must_use]
            pub fn all() -> Vec<(&'static str, &'static str, Self)> {
                vec![$(($name, concat!($($doc),*).trim_ascii(), Self::$variant($variant::default())),)*]
            }

            /// The name that recipes and commands use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The algorithm itself.
            #[must_use]
            pub fn $method(&self) -> &dyn $kind {
                match self {
                    $(Self::$variant(settings) => settings,)*
                }
            }
        }
    };
}
