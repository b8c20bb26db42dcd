//! Networks whose forward pass can be tapped.
//!
//! A network is an ordinary Burn module with one addition: every layer of its forward pass goes through a
//! [`Tap`]. [`NoTap`] runs the layers as they are; other taps observe, replace or perturb them, and no network
//! knows which. [`Architecture`] is the recipe's `[model]` table, [`Network`] what it builds.
//!
//! This crate knows no data sets, losses or optimizers, and draws its initial weights from a generator that the
//! caller passes.

mod activation;
pub mod adapters;
pub mod architectures;
pub mod discriminators;
pub mod generators;
mod init;
pub mod layers;
mod observe;
mod penultimate;
mod plain;
mod summary;
mod tangent;
mod tap;
mod trace;
mod view;
pub mod weights;

pub use activation::Activation;
pub use architectures::{Architecture, InputShape, ModelError, Network};
pub use discriminators::{Discriminates, Discriminator, DiscriminatorConfig};
pub use generators::{Generates, Generator, GeneratorConfig};
pub use observe::{Observe, Site};
pub use penultimate::{Featured, Penultimate};
pub use plain::Plain;
pub use summary::{LayerSummary, Summary, summarize};
pub use tangent::Tangent;
pub use tap::{NoTap, Tap, Tapped, Training};
pub use trace::{Graph, Node, Operation, Read, Untapped, Value};
pub use view::{Classifier, Differentiable, Pull, Pulled, Scaling, WhiteBox};
