/// Why a budget cannot be computed, or a step not be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrivacyError {
    /// The noise is none.
    #[error("the noise is {0}, and must be a finite number above 0: the noise's standard deviation over the clipping norm")]
    Noise(f64),
    /// The rate is no share.
    #[error("the sampling rate is {0}, and must lie above 0 and be at most 1: the expected share of the examples in a step")]
    Rate(f64),
    /// δ is no probability.
    #[error("δ is {0}, and must lie between 0 and 1; below one over the number of examples is usual, such as 1e-5")]
    Delta(f64),
    /// ε is none.
    #[error("ε is {0}, and must be a finite number above 0")]
    Epsilon(f64),
    /// No noise that can be told suffices.
    #[error("no noise up to {most} brings ε down to {epsilon} over {steps} steps at a rate of {rate}; take fewer steps or a lower rate")]
    Unreachable {
        /// The ε that was asked for.
        epsilon: f64,
        /// Steps.
        steps: u64,
        /// Share of the examples in a step.
        rate: f64,
        /// The most noise that was tried.
        most: f64,
    },
    /// The clipping norm is none.
    #[error("the clipping norm is {0}, and must be a number above 0 (for `automatic` a finite one)")]
    Clip(f64),
    /// Layers whose gradients cannot be told apart by example.
    #[error("gradients cannot be clipped by example:{}", list(.0))]
    Unsupported(Vec<Refused>),
    /// A layer that ran twice in a forward pass.
    #[error("the layer `{0}` ran more than once in a forward pass; give each place a layer of its own")]
    Repeated(String),
    /// A gradient that is not finite.
    #[error("the gradient of example {example} of the batch has the norm {norm}; take a lower learning rate, or look for values in the data that are not finite")]
    NotFinite {
        /// Which, from 0.
        example: usize,
        /// Its norm.
        norm: f64,
    },
}

/// A layer without support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name, such as `bn1`.
    pub layer: String,
    /// What it is, such as `BatchNorm`.
    pub kind: String,
    /// Why it cannot be, and what can.
    pub reason: &'static str,
}

fn list(refused: &[Refused]) -> String {
    refused.iter().map(|Refused { layer, kind, reason }| format!("\n  `{layer}` ({kind}): {reason}")).collect()
}
