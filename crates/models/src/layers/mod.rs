//! The layers that networks are made of. Each parameter has PyTorch's name, shape and layout.

mod batch_norm;
mod conv2d;
mod dropout;
mod linear;
mod pool2d;

pub use batch_norm::BatchNorm;
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use linear::Linear;
pub use pool2d::{AvgPool2d, MaxPool2d};
