//! What makes a result worth less than it seems.

use std::fmt;

/// A reason to doubt what an attack could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The model answers the same inputs differently when asked twice: attacks follow its chance, and what they found
    /// may not be found again.
    Randomised {
        /// Examples with two answers.
        examples: u64,
        /// Of how many.
        of: u64,
    },
    /// The gradient of the loss is zero for more than one in a hundred inputs: attacks by gradients are blind there.
    ZeroGradients {
        /// Examples without a gradient.
        examples: u64,
        /// Of how many that the model got right.
        of: u64,
    },
    /// The attack that sees scores only fooled examples that stood against those with gradients: the gradients mislead.
    MaskedGradients {
        /// Examples that only the black-box attack fooled.
        examples: u64,
    },
    /// The difference of logits ratio divides by logits of more classes than there are; the plain difference of two
    /// logits took its place.
    NoRatio {
        /// The attack.
        attack: &'static str,
        /// Classes of the model.
        classes: usize,
        /// Classes that the ratio needs.
        needs: usize,
    },
    /// An attack of the ensemble does not know the ball, and was left out.
    LeftOut {
        /// The attack.
        attack: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Randomised { examples, of } => {
                write!(f, "the model answers {examples} of {of} inputs differently when asked twice")
            }
            Self::ZeroGradients { examples, of } => {
                write!(f, "the loss has no gradient for {examples} of {of} inputs")
            }
            Self::MaskedGradients { examples } => {
                write!(f, "{examples} examples were fooled without gradients, but not with them")
            }
            Self::NoRatio { attack, classes, needs } => write!(
                f,
                "{attack} used the difference of two logits: its own loss needs {needs} classes, not {classes}"
            ),
            Self::LeftOut { attack } => write!(f, "{attack} does not know this ball and was left out"),
        }
    }
}
