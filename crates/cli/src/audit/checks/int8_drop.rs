use crucible_compress::{Compressed, Prepared, QuantizeConfig};
use crucible_measure::{Estimate, limits::Limit, mean_interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    commands::compress::integers::{calibration_sample, inputs},
    error::CliError,
    findings::CONFIDENCE,
};

/// The accuracy that is lost when the network computes in integers of eight bits, as `crucible compress --int8` makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Int8Drop {
    /// The largest loss: 0.002 are two tenths of a point of accuracy.
    #[schemars(range(min = -1.0, max = 1.0))]
    max: f64,
    /// Training examples that the ranges of activations are seen on.
    #[serde(default = "examples")]
    #[schemars(range(min = 1))]
    examples: usize,
}

fn examples() -> usize {
    1024
}

impl Check for Int8Drop {
    const CONCERN: Concern = Concern::Compression;
    const NEEDS: Needs = Needs::Run;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Accuracy lost in integers of eight bits".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (run, train) = (subject.run()?, &subject.data.train);
        let answers = subject.answers()?;
        if train.excerpts().is_some() {
            return skip("networks of texts have no integer arithmetic here");
        }
        if run.network.program().is_some() {
            return skip("the network computes in integers already");
        }
        let sample = calibration_sample(train, self.examples, subject.seed);
        let (inputs, features) = (inputs(train, &sample), run.config.input_shape().features());
        let config = QuantizeConfig::default();
        let prepared = Prepared::new(run.network.network(), &inputs, features, &config, &run.device)?;
        let archive = prepared.archive(prepared.formats())?;
        let network = run.config.fresh_network(0, &run.device)?;
        let open = |source| CliError::Archive { path: run.folder.root().to_owned(), source };
        let integers = Compressed::open(&archive, network, features, &run.device).map_err(open)?;
        let after = subject.answers_of(&integers, subject.held_out()?.1)?;
        // Paired: +1 where only the floats are right, -1 where only the integers are.
        let pairs = answers.right().into_iter().zip(after.right());
        let lost: Vec<f64> =
            pairs.map(|(before, after)| f64::from(u8::from(before)) - f64::from(u8::from(after))).collect();
        let Some((value, interval)) = mean_interval(&lost, CONFIDENCE) else {
            return skip("there are no examples");
        };
        let percent =
            |answers: &crate::audit::answers::Answers| 100.0 * answers.accuracy().estimate().unwrap_or(0.0);
        let meaning = format!(
            "Accuracy is {:.2}% in floats and {:.2}% in integers.",
            percent(&answers),
            percent(&after)
        );
        let method = format!(
            "Static quantization, ranges from {} training examples; interval of the mean of paired differences.",
            sample.len()
        );
        Ok(Finding::new(Estimate { value, interval }, Unit::Share, meaning, method))
    }
}
