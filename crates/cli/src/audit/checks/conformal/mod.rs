//! Sets of classes that hold the true one as often as asked for.

mod coverage;
mod set_size;

use crucible_measure::conformal::{Conformal, Score, Sets};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use coverage::ConformalCoverage;
pub(crate) use set_size::ConformalSetSize;

use crate::audit::{Subject, Unmeasured, answers::Answers, finding::skip};

/// How strange a class is for an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strangeness {
    /// One less the class's probability.
    #[default]
    Lac,
    /// The probabilities of the class and of all more probable ones, randomised.
    Aps,
    /// APS with a penalty on improbable classes.
    Raps,
}

impl Strangeness {
    fn score(self) -> Score {
        match self {
            Self::Lac => Score::Lac,
            Self::Aps => Score::Aps,
            Self::Raps => Score::Raps { lambda: 0.01, k_reg: 5 },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lac => "LAC",
            Self::Aps => "APS",
            Self::Raps => "RAPS",
        }
    }
}

fn tenth() -> f64 {
    0.1
}

/// The sets of the examples that did not calibrate them.
struct Found {
    sets: Sets,
    rest: Answers,
    method: String,
}

/// Calibrates on one part of the unseen examples and makes sets for the rest.
fn sets(subject: &Subject, alpha: f64, score: Strangeness) -> Result<Found, Unmeasured> {
    let (fit, rest, place) = subject.calibration()?;
    if fit.len() == 0 || rest.len() == 0 {
        return skip("there are too few unseen examples to calibrate on some and to measure on others");
    }
    let mut rng = subject.rng("conformal");
    let mut draws = |answers: &Answers| -> Option<Vec<f64>> {
        (score != Strangeness::Lac).then(|| (0..answers.len()).map(|_| rng.random()).collect())
    };
    let (of_fit, of_rest) = (draws(&fit), draws(&rest));
    let conformal = Conformal::calibrate(score.score(), fit.rows(), &fit.labels, alpha, of_fit.as_deref());
    let sets = conformal.sets(rest.rows(), of_rest.as_deref());
    let method = format!(
        "Split conformal prediction ({}, α = {alpha}), calibrated on {} examples: {place}.",
        score.name(),
        fit.len()
    );
    Ok(Found { sets, rest, method })
}
