//! The layers that networks are made of. Each parameter has PyTorch's name, shape and layout.

mod adapter;
mod batch_norm;
mod conv2d;
mod conv_transpose2d;
mod dropout;
mod embedding;
mod encoder_layer;
mod gan_conv2d;
mod gan_linear;
mod layer_norm;
mod linear;
mod padding;
mod pool2d;
mod positions;
mod projection;
mod self_attention;
mod spectral_norm;
mod upsample2d;

pub use adapter::{Adapter, AdapterConfig, LowRank};
pub use batch_norm::BatchNorm;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use encoder_layer::{EncoderLayer, EncoderLayerConfig};
pub use gan_conv2d::GanConv2d;
pub use gan_linear::{GanLinear, Reparametrized};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use padding::Padding;
pub use pool2d::{AvgPool2d, MaxPool2d};
pub use positions::Positions;
pub use projection::Projection;
pub use self_attention::SelfAttention;
pub use spectral_norm::SpectralNorm;
pub use upsample2d::Upsample2d;
