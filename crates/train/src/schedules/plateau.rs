use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule};

/// Multiplied by `factor` whenever the monitored loss has not fallen by a relative `threshold` for more than
/// `patience` epochs: PyTorch's `ReduceLROnPlateau`. The monitored loss is that of the validation split, or of the
/// training split where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plateau {
    /// What the learning rate is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub factor: f64,
    /// Epochs without a lower loss that are let pass.
    pub patience: u64,
    /// How much lower counts, relative to the lowest so far.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub threshold: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { factor: 0.1, patience: 10, threshold: 1e-4 }
    }
}

impl Schedule for Plateau {
    /// Found anew from the whole history, so that nothing has to be saved for a resumed run.
    fn factor(&self, position: Position<'_>) -> f64 {
        let (mut best, mut waited, mut factor) = (f64::INFINITY, 0, 1.0);
        for &loss in position.losses {
            if loss < best * (1.0 - self.threshold) {
                (best, waited) = (loss, 0);
            } else {
                waited += 1;
            }
            if waited > self.patience {
                (factor, waited) = (factor * self.factor, 0);
            }
        }
        factor
    }
}
