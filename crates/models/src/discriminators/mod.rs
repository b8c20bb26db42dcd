//! The discriminators, one file each, and the one list that names them: from pictures to how real they look.

mod dcgan;
mod residual;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use dcgan::{Dcgan, DcganConfig};
pub use residual::{Residual, ResidualConfig};

use crate::{
    ModelError, Tap,
    layers::{GanLinear, Projection, Reparametrized},
};

/// What a discriminator looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gaze {
    /// Colour channels of a picture.
    pub channels: usize,
    /// Its height and width.
    pub size: usize,
    /// Classes, where it is told which a picture should be of.
    pub classes: Option<usize>,
}

/// A network that tells real pictures from generated ones.
pub trait Discriminates {
    /// From pictures `[batch, channels · size · size]` and the class of each, `[batch, 1]`, to one score each, `[batch, 1]`: high
    /// for real ones.
    fn forward(&self, pictures: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2>;

    /// Whether a score depends on the other pictures of a batch.
    fn mixes_batches(&self) -> bool;
}

/// What is done to a discriminator's layers, so that neither side wins too early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// Each weight is held to spectral norm 1 (Miyato et al. 2018).
    #[default]
    Spectral,
    /// Batch norm, after all layers but the first and the last (Radford et al. 2016).
    Batch,
    /// Nothing.
    None,
}

/// One line a discriminator: its variant, whose kebab-case name recipes use, its module and its configuration.
macro_rules! discriminators {
    ($($(#[$doc:meta])* $variant:ident($module:ty, $config:ty),)*) => {
        /// The recipe's `[gan.discriminator]` table: which network judges pictures, and its sizes.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum DiscriminatorConfig {
            $($(#[$doc])* $variant($config),)*
        }

        /// Any discriminator.
        #[derive(Module, Debug)]
        pub enum Discriminator {
            $($(#[$doc])* $variant($module),)*
        }

        impl DiscriminatorConfig {
            /// Builds the network with fresh weights drawn from `rng`.
            ///
            /// # Errors
            ///
            /// Where the sizes are impossible.
            pub fn init(
                &self,
                gaze: Gaze,
                rng: &mut ChaCha8Rng,
                device: &Device,
            ) -> Result<Discriminator, ModelError> {
                match self {
                    $(Self::$variant(config) => {
                        Ok(Discriminator::$variant(config.init(gaze, rng, device)?))
                    })*
                }
            }
        }

        impl Discriminates for Discriminator {
            fn forward(
                &self,
                pictures: Tensor<2>,
                classes: Option<Tensor<2, Int>>,
                tap: &mut dyn Tap,
            ) -> Tensor<2> {
                match self {
                    $(Self::$variant(network) => network.forward(pictures, classes, tap),)*
                }
            }

            fn mixes_batches(&self) -> bool {
                match self {
                    $(Self::$variant(network) => network.mixes_batches(),)*
                }
            }
        }
    };
}

discriminators! {
    /// Strided convolutions and leaky rectifiers (Radford et al. 2016).
    Dcgan(Dcgan, DcganConfig),
    /// Residual blocks as SNGAN has them (Miyato et al. 2018).
    Residual(Residual, ResidualConfig),
}

impl Default for DiscriminatorConfig {
    fn default() -> Self {
        Self::Dcgan(DcganConfig::default())
    }
}

/// The last layer of a discriminator: a score of the features, and how well they fit the class.
#[derive(Module, Debug)]
pub struct Verdict {
    linear: GanLinear,
    projection: Option<Projection>,
}

impl Verdict {
    fn new(
        features: usize,
        classes: Option<usize>,
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let projection = classes
            .map(|classes| Projection::new("projection", [classes, features], options.spectral, rng, device));
        Self { linear: GanLinear::new("linear", [features, 1], options, rng, device), projection }
    }

    /// # Panics
    ///
    /// Where a class is missing that the network was built for.
    fn forward(&self, features: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let score = tap.gan_linear(&self.linear, features.clone());
        let Some(projection) = &self.projection else { return score };
        let fit = tap.projection(projection, features, classes.expect("a class for each picture"));
        let whole = |score: Tensor<2>| score.unsqueeze_dim::<3>(2);
        tap.add(whole(score), whole(fit)).squeeze_dim(2)
    }
}
