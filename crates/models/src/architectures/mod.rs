//! The architectures, one file each, and the one list that names them.

mod bert;
mod cnn;
mod convnet;
mod lenet5;
mod mlp;
mod transformer;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bert::{Bert, BertConfig, TokenPooling, hugging_face};
pub use cnn::{Cnn, CnnConfig};
pub use convnet::{Convnet, ConvnetConfig, Convolution, Pooling};
pub use lenet5::{Lenet5, Lenet5Config};
pub use mlp::{Mlp, MlpConfig};
pub use transformer::{Transformer, TransformerConfig};

use crate::{Tap, Tapped, layers::Linear};

/// One line an architecture: its variant, whose kebab-case name recipes use, its module and its configuration.
macro_rules! architectures {
    ($($(#[$doc:meta])* $variant:ident($module:ty, $config:ty),)*) => {
        /// The recipe's `[model]` table: which network, and its sizes.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum Architecture {
            $($(#[$doc])* $variant($config),)*
        }

        /// A network of any architecture.
        #[derive(Module, Debug)]
        pub enum Network {
            $($(#[$doc])* $variant($module),)*
        }

        impl Architecture {
            /// Builds the network with fresh weights drawn from `rng`.
            ///
            /// # Errors
            ///
            /// Where the sizes are impossible or do not fit the input.
            pub fn init(
                &self,
                input: InputShape,
                outputs: usize,
                rng: &mut ChaCha8Rng,
                device: &Device,
            ) -> Result<Network, ModelError> {
                match self {
                    $(Self::$variant(config) => Ok(Network::$variant(config.init(input, outputs, rng, device)?)),)*
                }
            }
        }

        impl Network {
            /// Its linear layers, in the order of the forward pass.
            pub fn linears(&mut self) -> Vec<&mut Linear> {
                match self {
                    $(Self::$variant(network) => network.linears(),)*
                }
            }
        }

        impl Tapped for Network {
            fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
                match self {
                    $(Self::$variant(network) => network.forward(input, tap),)*
                }
            }
        }
    };
}

architectures! {
    /// Multilayer perceptron: fully connected layers of any number and width.
    Mlp(Mlp, MlpConfig),
    /// LeNet-5 (LeCun et al. 1998): two convolutions and three fully connected layers.
    Lenet5(Lenet5, Lenet5Config),
    /// Small convolutional network: two 3x3 convolutions, max-pooling, two fully connected layers.
    Cnn(Cnn, CnnConfig),
    /// Convolutional network of any depth: convolutions, then fully connected layers.
    Convnet(Convnet, ConvnetConfig),
    /// Transformer encoder (Vaswani et al. 2017) over the patches of a picture (Dosovitskiy et al. 2021).
    Transformer(Transformer, TransformerConfig),
    /// Encoder of texts (Devlin et al. 2019), as BERT, MiniLM, RoBERTa and DistilBERT have it.
    Bert(Bert, BertConfig),
}

/// The shape of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputShape {
    /// A picture, channels first.
    Image {
        /// Colour channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A row of a table.
    Features {
        /// Values in the row.
        count: usize,
    },
    /// A sequence of vectors, one after another.
    Sequence {
        /// Vectors.
        length: usize,
        /// Values of each.
        width: usize,
    },
    /// A text as the numbers of its tokens, whole numbers of any float type, padded at the end with −1.
    Tokens {
        /// Tokens of the longest text.
        length: usize,
        /// Tokens that there are: each number is below.
        vocabulary: usize,
    },
}

impl InputShape {
    /// Values in one input.
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Self::Image { channels, height, width } => channels * height * width,
            Self::Features { count } => count,
            Self::Sequence { length, width } => length * width,
            Self::Tokens { length, .. } => length,
        }
    }

    /// Channels and size, for an architecture that needs pictures.
    ///
    /// # Errors
    ///
    /// For rows of a table, sequences and texts.
    pub fn picture(self, architecture: &'static str) -> Result<(usize, [usize; 2]), ModelError> {
        match self {
            Self::Image { channels, height, width } => Ok((channels, [height, width])),
            Self::Tokens { .. } => Err(ModelError::NeedsNumbers { architecture }),
            Self::Features { .. } | Self::Sequence { .. } => {
                Err(ModelError::NeedsPictures { architecture, count: self.features() })
            }
        }
    }
}

/// Why a network cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A convolutional network was asked to read table rows.
    #[error(
        "`{architecture}` reads pictures, but the data are table rows of {count} values; `mlp` reads both"
    )]
    NeedsPictures {
        /// The architecture.
        architecture: &'static str,
        /// Values in a row.
        count: usize,
    },
    /// A network that computes with its inputs was asked to read texts.
    #[error(
        "`{architecture}` computes with its inputs, but the data are texts, the numbers of tokens; `bert` reads those"
    )]
    NeedsNumbers {
        /// The architecture.
        architecture: &'static str,
    },
    /// A network of texts was asked to read something else.
    #[error(
        "`{architecture}` reads texts, the numbers of tokens, but the data are none; `mlp` reads any other input"
    )]
    NeedsTexts {
        /// The architecture.
        architecture: &'static str,
    },
    /// Texts may be longer than the network has places.
    #[error(
        "texts of up to {length} tokens do not fit the {places} places of `{architecture}`; cut them to {places}"
    )]
    TooLong {
        /// The architecture.
        architecture: &'static str,
        /// Tokens of the longest text.
        length: usize,
        /// Tokens that the network has a position for.
        places: usize,
    },
    /// Texts may hold tokens that the network does not have.
    #[error(
        "the texts have {given} kinds of tokens, but `{architecture}` knows {known}: they are of another tokenizer"
    )]
    Vocabulary {
        /// The architecture.
        architecture: &'static str,
        /// Kinds of tokens in the texts.
        given: usize,
        /// Kinds of tokens that the network knows.
        known: usize,
    },
    /// The picture vanishes before the last convolution or pooling.
    #[error(
        "`{architecture}` needs pictures of at least {minimum}x{minimum}, but these are {height}x{width}"
    )]
    TooSmall {
        /// The architecture.
        architecture: &'static str,
        /// The smallest height and width that fit.
        minimum: usize,
        /// The picture's height.
        height: usize,
        /// The picture's width.
        width: usize,
    },
    /// The picture vanishes in a convolution or the pooling after it.
    #[error("pictures of {height}x{width} vanish in convolution {layer} of `{architecture}` or its pooling")]
    Vanishes {
        /// The architecture.
        architecture: &'static str,
        /// Which convolution, from 1.
        layer: usize,
        /// The picture's height.
        height: usize,
        /// The picture's width.
        width: usize,
    },
    /// An attention whose heads would differ in width.
    #[error("`{architecture}` cannot divide a width of {width} among {heads} heads; it must be a multiple")]
    UnevenHeads {
        /// The architecture.
        architecture: &'static str,
        /// Features of a token.
        width: usize,
        /// Heads.
        heads: usize,
    },
    /// A sequence whose vectors are not as wide as the network's tokens.
    #[error("`{architecture}` has tokens of {width} features, but the sequence has vectors of {given}")]
    TokenWidth {
        /// The architecture.
        architecture: &'static str,
        /// Features of a token.
        width: usize,
        /// Features of the sequence's vectors.
        given: usize,
    },
    /// A layer without units.
    #[error("layer {layer} of `{architecture}` has no units; every width must be at least 1")]
    EmptyLayer {
        /// The architecture.
        architecture: &'static str,
        /// Which layer, from 1.
        layer: usize,
    },
    /// More weights than memory can be asked for.
    #[error("`{architecture}` would have {parameters} parameters; the limit is {limit}")]
    TooLarge {
        /// The architecture.
        architecture: &'static str,
        /// How many parameters.
        parameters: u128,
        /// How many are allowed.
        limit: u128,
    },
}

/// Four billion bytes of weights: beyond this a typing mistake is likelier than an intention.
const MAX_PARAMETERS: u128 = 1 << 30;

/// Refuses absurd sizes before anything is allocated; `parameters` is what the network would have.
pub(crate) fn check_size(architecture: &'static str, parameters: u128) -> Result<(), ModelError> {
    if parameters > MAX_PARAMETERS {
        return Err(ModelError::TooLarge { architecture, parameters, limit: MAX_PARAMETERS });
    }
    Ok(())
}
