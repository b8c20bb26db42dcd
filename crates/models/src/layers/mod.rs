//! The layers that networks are made of. Each parameter has PyTorch's name, shape and layout.

mod adapter;
mod batch_norm;
mod conv2d;
mod dropout;
mod embedding;
mod encoder_layer;
mod layer_norm;
mod linear;
mod padding;
mod pool2d;
mod positions;
mod self_attention;

pub use adapter::{Adapter, AdapterConfig, LowRank};
pub use batch_norm::BatchNorm;
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use encoder_layer::{EncoderLayer, EncoderLayerConfig};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use padding::Padding;
pub use pool2d::{AvgPool2d, MaxPool2d};
pub use positions::Positions;
pub use self_attention::SelfAttention;
