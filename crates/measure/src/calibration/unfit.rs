/// Why examples determine no repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There are no examples.
    Empty,
    /// Every example is answered rightly: the likelihood grows without end as the temperature falls to 0.
    AllRight,
    /// The logits say no more of the labels than chance: the likelihood grows without end with the temperature.
    Uninformative,
    /// What should be a probability does not lie in [0, 1], or is NaN.
    NotProbabilities,
    /// A value is NaN or infinite, or the search found no minimum.
    NoMinimum,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "there are no examples to calibrate on",
            Self::AllRight => "every example is answered rightly, so that no temperature is low enough",
            Self::Uninformative => {
                "the logits say no more than chance, so that no temperature is high enough"
            }
            Self::NotProbabilities => "a probability does not lie between 0 and 1",
            Self::NoMinimum => "the likelihood has no maximum that a search could find",
        })
    }
}

impl std::error::Error for Unfit {}
