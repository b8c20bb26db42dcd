//! Graphics processors, where every operation is the default of its trait, made of Burn's own operations.

use burn::backend::Cube;

use crate::{
    activation::SmoothOps, affine::AffineOps, attention::AttentionOps, avg_pool2d::AvgPoolOps,
    axpby::AxpbyOps, batch_norm::BatchNormOps, conv2d::Conv2dOps, conv2d::by_example::ExampleOps,
    conv2d::transposed::TransposeOps, cross_entropy::CrossEntropyOps, embedding::EmbeddingOps,
    layer_norm::LayerNormOps, leaky_relu::LeakyReluOps, low_rank::LowRankOps, max_pool2d::MaxPoolOps,
    norm::NormOps, optimizer_step::OptimizerOps, softmax::SoftmaxOps, transposed_products::TransposedOps,
    watched::WatchedOps,
};

impl AffineOps for Cube {}
impl AttentionOps for Cube {}
impl AvgPoolOps for Cube {}
impl AxpbyOps for Cube {}
impl BatchNormOps for Cube {}
impl Conv2dOps for Cube {}
impl CrossEntropyOps for Cube {}
impl EmbeddingOps for Cube {}
impl ExampleOps for Cube {}
impl LayerNormOps for Cube {}
impl LeakyReluOps for Cube {}
impl LowRankOps for Cube {}
impl MaxPoolOps for Cube {}
impl NormOps for Cube {}
impl OptimizerOps for Cube {}
impl SmoothOps for Cube {}
impl SoftmaxOps for Cube {}
impl TransposeOps for Cube {}
impl TransposedOps for Cube {}
impl WatchedOps for Cube {}
