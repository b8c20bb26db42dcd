//! The checks, one file each, and the one list that names them.

mod accuracy;
mod brier_score;
mod calibration_error;
mod conformal;
mod corruption_accuracy;
mod duplicates;
mod epsilon;
mod fairness;
mod generalization_gap;
mod int8_drop;
mod label_errors;
mod membership_tpr;
mod negative_log_likelihood;
mod out_of_distribution;
mod r2;
mod robust;
mod selective_accuracy;
mod worst_class_recall;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    accuracy::Accuracy,
    brier_score::BrierScore,
    calibration_error::CalibrationError,
    conformal::{ConformalCoverage, ConformalSetSize},
    corruption_accuracy::CorruptionAccuracy,
    duplicates::Duplicates,
    epsilon::Epsilon,
    fairness::{
        AccuracyDifference, CounterfactualFlips, DemographicParityDifference, DemographicParityRatio,
        EqualOpportunityDifference, EqualizedOddsDifference, EqualizedOddsRatio, PredictiveParityDifference,
    },
    generalization_gap::GeneralizationGap,
    int8_drop::Int8Drop,
    label_errors::LabelErrors,
    membership_tpr::MembershipTpr,
    negative_log_likelihood::NegativeLogLikelihood,
    out_of_distribution::OutOfDistribution,
    r2::R2,
    robust::{CertifiedLinf, RobustL2, RobustLinf},
    selective_accuracy::SelectiveAccuracy,
    worst_class_recall::WorstClassRecall,
};
use super::{Asked, Kind, several::Several};

/// One line a check: its key in the recipe, and the type that it is.
macro_rules! checks {
    ($($(#[doc = $doc:literal])* $key:ident = $check:ty,)*) => {
        /// What `crucible audit` holds a run against: each key is a check, with its limit and settings; several tables in an
        /// array are several checks of one kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct Limits {
            /// The longest that a single check may take.
            #[schemars(range(min = 1))]
            pub(crate) timeout_seconds: u64,
            $($(#[doc = $doc])* #[serde(skip_serializing_if = "Option::is_none")] $key: Option<Several<$check>>,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { timeout_seconds: 600, $($key: None,)* }
            }
        }

        impl Limits {
            /// Every check that is asked for, in the order of the list.
            pub(crate) fn checks(&self) -> Vec<Asked> {
                let mut asked = Vec::new();
                $(for (number, check) in self.$key.iter().flat_map(Several::iter).enumerate() {
                    let kind = Kind::of::<$check>(stringify!($key), concat!($($doc),*));
                    let settings = serde_json::to_value(check).expect("plain data");
                    asked.push(Asked {
                        name: name(stringify!($key), number),
                        check: (kind.read)(settings.clone()).expect("it was read of the same"),
                        kind,
                        settings,
                    });
                })*
                asked
            }
        }

        /// Every check that there is.
        pub(crate) fn kinds() -> Vec<Kind> {
            vec![$(Kind::of::<$check>(stringify!($key), concat!($($doc),*)),)*]
        }
    };
}

checks! {
    /// The share of unseen examples that the network gets right.
    accuracy = Accuracy,
    /// The recall of the class that is found least often.
    worst_class_recall = WorstClassRecall,
    /// The share of the targets' variance that predicted numbers explain, on unseen examples.
    r2 = R2,
    /// Accuracy on the training examples less that on unseen ones.
    generalization_gap = GeneralizationGap,
    /// The share of unseen examples that stand among the training examples, value by value.
    duplicates = Duplicates,
    /// The share of unseen examples whose label is probably wrong, by confident learning.
    label_errors = LabelErrors,
    /// Accuracy on unseen pictures under noise, blur, weather, scribbles and the like.
    corruption_accuracy = CorruptionAccuracy,
    /// How well inputs of another data set are told from unseen ones.
    out_of_distribution = OutOfDistribution,
    /// Expected calibration error: how far the probability of answers is from how often they are right.
    ece = CalibrationError,
    /// Brier score: the mean squared distance of the probabilities from the truth.
    brier_score = BrierScore,
    /// Mean negative logarithm of the probability of the true class, in nats.
    negative_log_likelihood = NegativeLogLikelihood,
    /// The share of examples whose class is in the set that conformal prediction answers with.
    conformal_coverage = ConformalCoverage,
    /// The mean number of classes in such a set.
    conformal_set_size = ConformalSetSize,
    /// Accuracy on the share of examples that the network is surest of.
    selective_accuracy = SelectiveAccuracy,
    /// Accuracy against an attacker who may change each value of an input a little.
    robust_linf = RobustLinf,
    /// Accuracy against an attacker who may change an input within a Euclidean distance.
    robust_l2 = RobustL2,
    /// The share that is right, by proof, whatever an attacker does within a largest change of each value.
    certified_linf = CertifiedLinf,
    /// ε of the guarantee that the run was trained with.
    epsilon = Epsilon,
    /// The share of training examples that a membership attack finds at a given rate of false alarms.
    membership_tpr = MembershipTpr,
    /// The largest difference between groups in how often they get the favourable answer.
    demographic_parity_difference = DemographicParityDifference,
    /// The smallest ratio between groups of how often they get the favourable answer.
    demographic_parity_ratio = DemographicParityRatio,
    /// The largest difference between groups in how often those who deserve the favourable answer get it.
    equal_opportunity_difference = EqualOpportunityDifference,
    /// The largest difference between groups in true or in false positive rates.
    equalized_odds_difference = EqualizedOddsDifference,
    /// The smallest ratio between groups of true or of false positive rates.
    equalized_odds_ratio = EqualizedOddsRatio,
    /// The largest difference between groups in how often a favourable answer is right.
    predictive_parity_difference = PredictiveParityDifference,
    /// The largest difference between groups in accuracy.
    accuracy_difference = AccuracyDifference,
    /// The share of examples that are answered otherwise when only the column of the group is changed.
    counterfactual_flips = CounterfactualFlips,
    /// The accuracy that is lost when the network computes in integers of eight bits.
    int8_drop = Int8Drop,
}

/// `key`, and from the second of a key on `key-2`.
fn name(key: &str, number: usize) -> String {
    if number == 0 { key.to_owned() } else { format!("{key}-{}", number + 1) }
}
