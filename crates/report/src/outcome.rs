//! What can become of a limit.

use serde::{Deserialize, Deserializer, Serialize};

/// What became of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was kept.
    Pass,
    /// It was broken.
    Fail,
    /// The measurement is not precise enough to say, or came to no end.
    Undecided,
    /// It could not be measured here.
    Skipped,
}

impl Outcome {
    /// In words with a mark, for colour alone does not reach everyone.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Pass => "✓ Pass",
            Self::Fail => "✗ Fail",
            Self::Undecided => "? Undecided",
            Self::Skipped => "– Skipped",
        }
    }

    /// The class of the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Fail => "failed",
            Self::Undecided => "undecided",
            Self::Skipped => "skipped",
        }
    }
}

impl From<bool> for Outcome {
    /// Whether the limit was kept, where there is no doubt.
    fn from(kept: bool) -> Self {
        if kept { Self::Pass } else { Self::Fail }
    }
}

/// Reads an outcome, or what stood in its place before there were four.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Outcome, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Outcome(Outcome),
        Passed(bool),
    }
    Ok(match Either::deserialize(from)? {
        Either::Outcome(outcome) => outcome,
        Either::Passed(kept) => kept.into(),
    })
}

#[cfg(test)]
mod tests {
    use crate::schema::Verdict;

    #[test]
    fn a_verdict_from_before_there_were_outcomes_is_read() {
        let read = |json: &str| serde_json::from_str::<Verdict>(json).map(|verdict| verdict.outcome);
        let rest = r#""text": "", "measured": null, "limit": null"#;
        assert_eq!(read(&format!(r#"{{"passed": true, {rest}}}"#)).unwrap(), super::Outcome::Pass);
        assert_eq!(read(&format!(r#"{{"passed": false, {rest}}}"#)).unwrap(), super::Outcome::Fail);
        assert_eq!(read(&format!(r#"{{"outcome": "skipped", {rest}}}"#)).unwrap(), super::Outcome::Skipped);
        assert!(read(&format!(r#"{{"outcome": "perhaps", {rest}}}"#)).is_err());
    }
}
