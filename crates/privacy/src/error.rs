/// Why a budget cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrivacyError {
    /// The noise is none.
    #[error(
        "the noise is {0}, and must be a finite number above 0: the noise's standard deviation over the clipping norm"
    )]
    Noise(f64),
    /// The rate is no share.
    #[error(
        "the sampling rate is {0}, and must lie above 0 and be at most 1: the expected share of the examples in a step"
    )]
    Rate(f64),
    /// δ is no probability.
    #[error(
        "δ is {0}, and must lie between 0 and 1; below one over the number of examples is usual, such as 1e-5"
    )]
    Delta(f64),
    /// ε is none.
    #[error("ε is {0}, and must be a finite number above 0")]
    Epsilon(f64),
    /// No noise that can be told suffices.
    #[error(
        "no noise up to {most} brings ε down to {epsilon} over {steps} steps at a rate of {rate}; take fewer steps or a lower rate"
    )]
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
}
