//! The generators, one file each, and the one list that names them: from random numbers to pictures.

mod dcgan;
mod residual;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use dcgan::{Dcgan, DcganConfig, Upsampling};
pub use residual::{Residual, ResidualConfig};

use crate::{
    ModelError, Tap,
    layers::{Embedding, GanLinear, Reparametrized},
};

/// What a generator makes, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// Colour channels of a picture.
    pub channels: usize,
    /// Its height and width.
    pub size: usize,
    /// Random numbers that a picture is made of.
    pub latent: usize,
    /// Classes that it may be asked for; none where it is asked for nothing.
    pub classes: Option<usize>,
}

impl Drawing {
    /// Values of one picture.
    #[must_use]
    pub fn features(&self) -> usize {
        self.channels * self.size * self.size
    }
}

/// A network that makes pictures.
pub trait Generates {
    /// From random numbers `[batch, latent]` and the class asked for of each, `[batch, 1]`, to pictures `[batch, channels · size ·
    /// size]` of values from −1 to 1.
    fn forward(&self, latent: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2>;
}

/// One line a generator: its variant, whose kebab-case name recipes use, its module and its configuration.
macro_rules! generators {
    ($($(#[$doc:meta])* $variant:ident($module:ty, $config:ty),)*) => {
        /// The recipe's `[gan.generator]` table: which network makes pictures, and its sizes.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum GeneratorConfig {
            $($(#[$doc])* $variant($config),)*
        }

        /// Any generator.
        #[derive(Module, Debug)]
        #[expect(clippy::large_enum_variant, reason = "there is one at a time, not many")]
        pub enum Generator {
            $($(#[$doc])* $variant($module),)*
        }

        impl GeneratorConfig {
            /// Builds the network with fresh weights drawn from `rng`.
            ///
            /// # Errors
            ///
            /// Where the sizes are impossible.
            pub fn init(
                &self,
                drawing: Drawing,
                rng: &mut ChaCha8Rng,
                device: &Device,
            ) -> Result<Generator, ModelError> {
                match self {
                    $(Self::$variant(config) => Ok(Generator::$variant(config.init(drawing, rng, device)?)),)*
                }
            }
        }

        impl Generates for Generator {
            fn forward(
                &self,
                latent: Tensor<2>,
                classes: Option<Tensor<2, Int>>,
                tap: &mut dyn Tap,
            ) -> Tensor<2> {
                match self {
                    $(Self::$variant(network) => network.forward(latent, classes, tap),)*
                }
            }
        }
    };
}

generators! {
    /// Transposed convolutions, or enlarged pictures and convolutions, with batch norm between (Radford et al. 2016).
    Dcgan(Dcgan, DcganConfig),
    /// Residual blocks (He et al. 2016) as SNGAN has them (Miyato et al. 2018).
    Residual(Residual, ResidualConfig),
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self::Dcgan(DcganConfig::default())
    }
}

/// Sides of the maps of a network for pictures of `size`, the smallest first: halved, and rounded down, until at most 7 remain,
/// once at least.
///
/// # Errors
///
/// Where the picture is smaller than 4 by 4.
pub(crate) fn sides(architecture: &'static str, size: usize) -> Result<Vec<usize>, ModelError> {
    const SMALLEST: usize = 4;
    /// Side from which a map is halved again.
    const LARGE: usize = 8;
    if size < SMALLEST {
        return Err(ModelError::TooSmall { architecture, minimum: SMALLEST, height: size, width: size });
    }
    let mut sides = vec![size / 2, size];
    while sides[0] >= LARGE {
        sides.insert(0, sides[0] / 2);
    }
    Ok(sides)
}

/// The first layer of a generator: random numbers, joined by a learned vector of the class, to the smallest map.
#[derive(Module, Debug)]
pub struct Seed {
    embedding: Option<Embedding>,
    dense: GanLinear,
}

impl Seed {
    /// To `outputs` values, with a vector of `embedding` numbers for each class.
    fn new(
        drawing: Drawing,
        embedding: usize,
        outputs: usize,
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let joined = drawing.classes.map_or(0, |_| embedding);
        Self {
            embedding: drawing
                .classes
                .map(|classes| Embedding::standard("embedding", classes, embedding, rng, device)),
            dense: GanLinear::new("dense", [drawing.latent + joined, outputs], options, rng, device),
        }
    }

    /// # Panics
    ///
    /// Where a class is missing that the network was built for.
    fn forward(&self, latent: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let Some(embedding) = &self.embedding else { return tap.gan_linear(&self.dense, latent) };
        let class = tap.embedding(embedding, classes.expect("a class for each picture")).squeeze_dim(1);
        let joined = tap.join(latent, class);
        tap.gan_linear(&self.dense, joined)
    }
}
