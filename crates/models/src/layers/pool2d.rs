use burn::tensor::Tensor;
use crucible_kernels::{self as kernels, avg_pool2d, max_pool2d};

macro_rules! pool {
    ($(#[$doc:meta])* $name:ident, $pool:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            name: String,
            size: usize,
        }

        impl $name {
            /// Windows of `size` by `size` that do not overlap.
            #[must_use]
            pub fn new(name: &str, size: usize) -> Self {
                Self { name: name.to_owned(), size }
            }

            /// The name of this site, such as `pool1`.
            #[must_use]
            pub fn name(&self) -> &str {
                &self.name
            }

            /// Height and width of a window.
            #[must_use]
            pub fn size(&self) -> usize {
                self.size
            }

            /// `[batch, channels, height, width]` to the same with height and width divided by the size, rounded
            /// down.
            #[must_use]
            pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
                $pool(input, self.size)
            }
        }
    };
}

pool!(
    /// The maximum of each window.
    MaxPool2d, max_pool2d
);
pool!(
    /// The mean of each window.
    AvgPool2d, |input, size| avg_pool2d(input, kernels::AvgPool2d::tiles(size))
);
