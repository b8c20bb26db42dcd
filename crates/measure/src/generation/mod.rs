//! Whether generated pictures are like real ones, without being copies of them.
//!
//! Pictures are compared by features, such as what a classifier's last layer reads, `[pictures, features]`: every number
//! here depends on whose features they are, how pictures were resized for it, and how many there are, so none should be
//! told without. How far the whole of them lies apart: [`Gaussian::frechet_distance`], [`KernelDistance`]. What lacks, good
//! pictures or variety: [`Prdc`], and [`ClassCoverage`] by a classifier's answers. Whether training examples come back:
//! [`nearest`], [`Copying`]. [`psnr`] and [`ssim`] compare a picture with the one that it should be.

mod class_coverage;
mod copying;
mod frechet;
mod kernel_distance;
mod nearest;
mod prdc;
mod psnr;
mod ssim;

pub use class_coverage::ClassCoverage;
pub use copying::Copying;
pub use frechet::Gaussian;
pub use kernel_distance::{KernelDistance, Subsets, kernel_distance};
pub use nearest::{Nearest, nearest};
pub use prdc::Prdc;
pub use psnr::psnr;
pub use ssim::ssim;
