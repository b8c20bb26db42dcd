//! Ways of fine-tuning a network that learned something else before, one file each, and the one list that names them.
//!
//! A way says of each parameter whether it is trained, and at which share of the learning rate.

mod bit_fit;
mod fine_tuning;
mod full;
mod layers;
mod lora;
mod place;
mod probe;
mod scratch;

use crucible_models::Network;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bit_fit::BitFit;
pub use fine_tuning::{FineTuning, Parameters};
pub use full::Full;
pub use layers::Layers;
pub use lora::Lora;
pub use place::{Place, Places};
pub use probe::{LinearProbe, Probe};
pub use scratch::Scratch;

/// How parameters of a network are trained on.
pub trait Way {
    /// Whether a parameter is trained at all.
    fn trains(&self, place: &Place) -> bool;

    /// What its learning rate is multiplied by in an epoch, from 1; with 0 it stays as it is.
    fn rate(&self, place: &Place, epoch: u64) -> f64 {
        let _ = (place, epoch);
        1.0
    }

    /// The network with what is trained beside its layers.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the settings for this network.
    fn adapted(&self, network: Network, rng: &mut ChaCha8Rng) -> Result<Network, String> {
        let _ = rng;
        Ok(network)
    }

    /// Whether training starts from the weights that the network had.
    fn takes_over(&self) -> bool {
        true
    }

    /// Whether the network has what the settings name.
    ///
    /// # Errors
    ///
    /// Says what it lacks, and what it has.
    fn check(&self, places: &Places) -> Result<(), String> {
        let _ = places;
        Ok(())
    }
}

/// One line a way: its variant, the name that recipes use, and its settings.
macro_rules! ways {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Which parameters are trained on.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "mode")]
        pub enum Mode {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($variant),)*
        }

        impl Mode {
            /// Every one with its default settings.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$(Self::$variant($variant::default())),*]
            }

            /// The name that recipes use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// What it is.
            #[must_use]
            pub fn about(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => concat!($($doc),*).trim_ascii(),)*
                }
            }

            /// The way itself.
            #[must_use]
            pub fn way(&self) -> &dyn Way {
                match self {
                    $(Self::$variant(way) => way,)*
                }
            }
        }
    };
}

ways! {
    /// All parameters, from fresh weights: what the others are held against.
    Scratch = "scratch",
    /// A linear layer on the features that the network had, which are computed once.
    Probe = "probe",
    /// Adapters of low rank beside linear layers, and the last layer (Hu et al. 2021).
    Lora = "lora",
    /// All parameters.
    Full = "full",
    /// Some layers, and the last.
    Layers = "layers",
    /// Biases, and the last layer (Zaken, Goldberg, Ravfogel 2022).
    BitFit = "bit-fit",
}
