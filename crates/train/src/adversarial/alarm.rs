use std::fmt;

use serde::{Deserialize, Serialize};

/// A sign that a contest has gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Alarm {
    /// Generated pictures are much more alike than real ones.
    Collapse {
        /// Their spread over that of real pictures.
        spread: f64,
    },
    /// The discriminator tells nearly all pictures rightly, which leaves the generator nothing to learn from.
    DiscriminatorWins {
        /// The share of pictures that it told rightly in the epoch.
        share: f64,
    },
}

/// Spread below which pictures are alike, as a share of that of real ones.
const ALIKE: f64 = 0.25;
/// The share of pictures from which a discriminator has won.
const WON: f64 = 0.99;

impl Alarm {
    /// What an epoch's numbers are a sign of.
    pub(crate) fn of(spread: f64, told: Option<f64>) -> Vec<Self> {
        let collapse = (spread < ALIKE).then_some(Self::Collapse { spread });
        let wins = told.filter(|share| *share >= WON).map(|share| Self::DiscriminatorWins { share });
        collapse.into_iter().chain(wins).collect()
    }

    /// Whether both are of one kind.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collapse { spread } => write!(
                f,
                "the generator's pictures are alike: their spread is {:.0}% of that of real ones (mode collapse). Try \
                 `gan.penalty.name = \"r1\"`, a lower learning rate, or fewer `gan.critic_steps`",
                100.0 * spread
            ),
            Self::DiscriminatorWins { share } => write!(
                f,
                "the discriminator tells {:.1}% of the pictures rightly, which leaves the generator little to learn from. Try \
                 spectral normalization, `gan.augmentation`, or a lower learning rate of the discriminator",
                100.0 * share
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_raised_beyond_their_limits_alone() {
        assert!(Alarm::of(0.8, Some(0.9)).is_empty());
        assert!(Alarm::of(0.26, None).is_empty());
        let both = Alarm::of(0.1, Some(0.995));
        assert_eq!(both, [Alarm::Collapse { spread: 0.1 }, Alarm::DiscriminatorWins { share: 0.995 }]);
        assert!(both[0].to_string().contains("10% of that of real ones") && !both[0].is_like(&both[1]));
    }
}
