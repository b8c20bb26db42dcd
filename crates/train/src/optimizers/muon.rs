use std::sync::Arc;

use burn::optim::{AdjustLrFn, DynOptimizer, MuonConfig, decay::WeightDecayConfig, momentum::MomentumConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Adamw, Optimizer};

/// `w ← w − η λ w − η s O`, with O the momentum of a weight matrix made nearly orthogonal by five Newton-Schulz
/// iterations and s a factor for its shape. Everything that is no matrix steps by AdamW with the same η and λ.
///
/// K. Jordan et al.: Muon, an optimizer for the hidden layers in neural networks, 2024; J. Liu et al.: Muon is scalable
/// for LLM training, 2025.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Muon {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Momentum.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// Decoupled weight decay λ.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// The factor s for the shape of a matrix.
    pub adjust_lr: AdjustLr,
}

/// How a step depends on the shape of its matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustLr {
    /// `√max(1, out/in)` (Jordan et al.).
    Original,
    /// `0.2 √max(out, in)`: steps as large as AdamW's, so that one learning rate fits all parameters (Liu et al.).
    MatchRmsAdamw,
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.01,
            adjust_lr: AdjustLr::MatchRmsAdamw,
        }
    }
}

impl Optimizer for Muon {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        let momentum = MomentumConfig { momentum: self.momentum, dampening: 0.0, nesterov: self.nesterov };
        let adjust = match self.adjust_lr {
            AdjustLr::Original => AdjustLrFn::Original,
            AdjustLr::MatchRmsAdamw => AdjustLrFn::MatchRmsAdamW,
        };
        let decay = (self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        let config = MuonConfig::new().with_momentum(momentum).with_weight_decay(decay);
        Arc::new(config.with_adjust_lr_fn(adjust).build())
    }

    fn others(&self) -> Arc<dyn DynOptimizer> {
        Adamw { weight_decay: self.weight_decay, ..Adamw::default() }.matrices()
    }

    fn states(&self) -> u64 {
        1
    }
}
