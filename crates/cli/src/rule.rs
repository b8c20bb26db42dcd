//! From a recipe to the update rule that it asks for.

use burn::tensor::Device;
use crucible_data::{Dataset, InputFormat, Normalize};
use crucible_models::Network;
use crucible_privacy::{DpSgd, Plan};
use crucible_recipe::{Places, Problems};
use crucible_robust::{Defence, DefenceConfig};
use crucible_train::{Ordinary, PlainLoss, UpdateRule};

use crate::{error::CliError, recipe::Recipe, run::RunConfig, view};

/// The rule for a recipe, whose text stands at `places`, on these data.
pub(crate) fn rule(
    recipe: &Recipe,
    places: &Places,
    config: &RunConfig,
    network: &Network,
    data: &Dataset,
    device: &Device,
) -> Result<Box<dyn UpdateRule>, CliError> {
    if recipe.train.privacy.is_some() {
        return Ok(Box::new(private(recipe, places, network, data)?));
    }
    Ok(match &recipe.defence {
        None => Box::new(Ordinary::new(PlainLoss)),
        Some(defence) => Box::new(Ordinary::new(defended(defence, config, network, data, device)?)),
    })
}

fn defended(
    defence: &DefenceConfig,
    config: &RunConfig,
    network: &Network,
    data: &Dataset,
    device: &Device,
) -> Result<Defence, CliError> {
    if !view::is_classifying(&config.loss) {
        return Err(CliError::Usage(
            "`defence` needs a network that tells classes apart, with the loss `cross-entropy` or \
             `binary-cross-entropy`"
                .to_owned(),
        ));
    }
    let format = &config.format.input;
    let (scaling, range) = (view::scaling(format), view::range(format, &data.train));
    let defence = Defence::new(defence.clone(), scaling, range, device)?;
    defence.check(network, config.outputs)?;
    Ok(defence)
}

fn private(recipe: &Recipe, places: &Places, network: &Network, data: &Dataset) -> Result<DpSgd, CliError> {
    let settings = recipe.train.privacy.as_ref().expect("the caller saw it");
    let mut problems = Problems::none(places);
    if recipe.defence.is_some() {
        let problem = "a defence looks at a batch as a whole, and `train.privacy` at each example";
        problems.add(places, "defence", problem, Some("drop one of the two".to_owned()));
    }
    let rule = DpSgd::new(settings, network, plan(recipe, data));
    for problem in rule.as_ref().err().into_iter().flatten() {
        problems.add(places, problem.key, problem.error.to_string(), None);
    }
    problems.into_result().map_err(CliError::Recipe)?;
    Ok(rule.expect("its problems were told"))
}

/// How much training the recipe asks for.
fn plan(recipe: &Recipe, data: &Dataset) -> Plan {
    let (train, examples) = (&recipe.train, data.train.len());
    let steps = train.epochs * train.steps_per_epoch(examples);
    Plan { examples, batch: train.step_size(examples), steps }
}

/// What makes the guarantee of a recipe with `train.privacy` worth less than it seems.
pub(crate) fn doubts(recipe: &Recipe, data: &Dataset) -> Vec<String> {
    let Some(settings) = &recipe.train.privacy else { return Vec::new() };
    let mut doubts = Vec::new();
    if settings.seeded {
        doubts.push(
            "`train.privacy.seeded` draws samples and noise from the recipe's seed, which anyone can repeat: the run is \
             NOT private"
                .to_owned(),
        );
    }
    let examples = data.train.len();
    if settings.delta * examples as f64 >= 1.0 {
        doubts.push(format!(
            "δ = {:e} is at least one over the number of training examples ({examples}): publishing a whole example \
             would keep such a promise; take a smaller `train.privacy.delta`",
            settings.delta
        ));
    }
    let measured = match &data.format.input {
        InputFormat::Image { .. } if recipe.data.normalize != Normalize::Standard => None,
        InputFormat::Image { .. } => Some(
            "the mean and the deviation of pixels; `data.normalize` as \"unit\" or \"fixed\" measures nothing",
        ),
        InputFormat::Table { .. } => Some("means, deviations and levels of columns"),
    };
    if let Some(measured) = measured {
        doubts.push(format!(
            "inputs are scaled by what was measured on the training examples without noise: {measured}"
        ));
    }
    doubts
}
