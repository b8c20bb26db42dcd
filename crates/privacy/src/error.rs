use crate::membership::Needs;

/// Why a budget, an attack's scores or a bound cannot be computed, or a step not be taken.
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
    /// Neither a budget nor a noise.
    #[error("give `epsilon`, the most that may be spent, or `noise`, or both")]
    NoBudget,
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
    /// The clipping norm is none.
    #[error("the clipping norm is {0}, and must be a number above 0 (for `automatic` a finite one)")]
    Clip(f64),
    /// Layers whose gradients cannot be told apart by example.
    #[error("gradients cannot be clipped by example:{}", list(.0))]
    Unsupported(Vec<Refused>),
    /// A layer of whose parameters some are trained.
    #[error("of the parameters of `{0}` some are trained; gradients are clipped for whole layers")]
    Partly(String),
    /// A layer that ran twice in a forward pass.
    #[error("the layer `{0}` ran more than once in a forward pass; give each place a layer of its own")]
    Repeated(String),
    /// A gradient that is not finite.
    #[error(
        "the gradient of example {example} of the batch has the norm {norm}; take a lower learning rate, or look for values in the data that are not finite"
    )]
    NotFinite {
        /// Which, from 0.
        example: usize,
        /// Its norm.
        norm: f64,
    },
    /// A setting has a value that it cannot have.
    #[error("{name} is {value}, and must be {needed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A confidence is not finite.
    #[error(
        "{whose} has a confidence of {value} in example {example}, and it must be finite; compute it from logits, not from probabilities, which round to 1"
    )]
    Confidence {
        /// Whose confidence.
        whose: &'static str,
        /// The example's index.
        example: usize,
        /// The confidence.
        value: f64,
    },
    /// An example has too few shadow models.
    #[error(
        "of the shadow models, {inside} were trained on example {example} and {outside} were not, and {attack} needs at least {} and {}; train each on its own random half of the examples, or take one of these: {}",
        needs.inside, needs.outside, others.join(", ")
    )]
    Shadows {
        /// The attack.
        attack: &'static str,
        /// The example's index.
        example: usize,
        /// Shadow models that were trained on it.
        inside: usize,
        /// Shadow models that were not.
        outside: usize,
        /// What the attack needs.
        needs: Needs,
        /// The attacks that the shadow models suffice for.
        others: Vec<&'static str>,
    },
    /// An example's confidences have no variance.
    #[error(
        "the shadow models that were {}trained on example {example} all have the same confidence in it, which has no variance; set variance to \"fixed\"",
        if *member { "" } else { "not " }
    )]
    TheSame {
        /// The example's index.
        example: usize,
        /// Whether they were trained on it.
        member: bool,
    },
    /// All confidences are the same.
    #[error(
        "all confidences of the shadow models are the same, from which nothing can be told; give more examples or train more shadow models"
    )]
    AllTheSame,
    /// The population is empty.
    #[error("the population has no examples; give some that no model was trained on, or no population")]
    NoPopulation,
    /// A number of shadow models that cannot share examples out in halves.
    #[error(
        "there are {0} shadow models, and must be an even number of at least 2: half of them are trained on an example, and half are not"
    )]
    Halves(usize),
    /// No examples on one side.
    #[error(
        "shadow models are trained on examples that the run was trained on ({train}) and on as many that it was not ({others}), and there must be some of both"
    )]
    NoPool {
        /// Training examples of the run.
        train: usize,
        /// Examples that it was not trained on.
        others: usize,
    },
    /// A thread cannot be started.
    #[error("a thread for a shadow model cannot be started: {0}")]
    Thread(String),
    /// The level of confidence is none.
    #[error("the confidence is {0}, and must lie between 0 and 1, such as 0.95")]
    Level(f64),
    /// An audit's δ is no probability below 1.
    #[error("δ is {0}, and must be at least 0 and below 1")]
    Slack(f64),
    /// An audited ε is none.
    #[error("ε is {0}, and must be a finite number of at least 0")]
    Audited(f64),
    /// Guesses that cannot be.
    #[error(
        "{right} right of {made} guesses about {canaries} canaries: there can be no more right ones than guesses, nor more guesses than canaries"
    )]
    Guesses {
        /// Canaries.
        canaries: u64,
        /// Guesses.
        made: u64,
        /// Right guesses.
        right: u64,
    },
    /// A canary's score is not a number.
    #[error("the score of canary {0} is NaN, which has no rank")]
    Unranked(usize),
    /// Guesses that cannot be made.
    #[error(
        "{made} guesses about {canaries} canaries, half of them that one was a member: their number must be even, and at most that of the canaries"
    )]
    Sides {
        /// Canaries.
        canaries: usize,
        /// Guesses.
        made: usize,
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
    refused
        .iter()
        .map(|Refused { layer, kind, reason }| format!("\n  `{layer}` ({kind}): {reason}"))
        .collect()
}
