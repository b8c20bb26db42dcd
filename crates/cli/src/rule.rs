//! From a recipe to the update rule that it asks for.

use burn::tensor::Device;
use crucible_data::{Dataset, InputFormat, Normalize};
use crucible_fairness::{Fair, FairnessConfig};
use crucible_models::Network;
use crucible_privacy::{DpSgd, Plan};
use crucible_recipe::{Places, Problems};
use crucible_robust::{Defence, DefenceConfig};
use crucible_train::{Ordinary, PlainLoss, UpdateRule};

use crate::{distill, error::CliError, recipe::Recipe, run::RunConfig, transfer::Transfer, view};

/// The rule for a recipe, whose text stands at `places`, on these data.
pub(crate) fn rule(
    recipe: &Recipe,
    places: &Places,
    config: &RunConfig,
    network: &Network,
    data: &Dataset,
    device: &Device,
) -> Result<Box<dyn UpdateRule>, CliError> {
    let mut problems = clashes(recipe, places);
    let distilled = recipe.distill.as_ref().map(|settings| {
        distill::objective(settings, config, network, device).map_err(|found| {
            found.iter().for_each(|(key, problem)| problems.add(places, key, problem, None));
        })
    });
    let private = recipe.train.privacy.as_ref().map(|settings| {
        DpSgd::new(settings, network, plan(recipe, data)).map_err(|found| {
            found
                .iter()
                .for_each(|problem| problems.add(places, problem.key, problem.error.to_string(), None));
        })
    });
    problems.into_result().map_err(CliError::Recipe)?;
    if let Some(fairness) = &recipe.fairness {
        return Ok(Box::new(Ordinary::new(fair(fairness, places, config, data)?)));
    }
    Ok(match (private, distilled, &recipe.defence) {
        (Some(Ok(rule)), ..) => Box::new(rule),
        (_, Some(Ok(objective)), _) => Box::new(Ordinary::new(objective)),
        (.., Some(defence)) => Box::new(Ordinary::new(defended(defence, config, network, data, device)?)),
        _ => Box::new(Ordinary::new(PlainLoss)),
    })
}

/// Tables that each want to say what a step makes small.
fn clashes(recipe: &Recipe, places: &Places) -> Problems {
    let mut problems = Problems::none(places);
    let help = || Some("drop one of the two".to_owned());
    let (defended, distilled) = (recipe.defence.is_some(), recipe.distill.is_some());
    if recipe.train.privacy.is_some() && defended {
        let problem = "a defence looks at a batch as a whole, and `train.privacy` at each example";
        problems.add(places, "defence", problem, help());
    }
    if recipe.train.privacy.is_some() && distilled {
        let problem = "a teacher's answers tell of the examples that it was trained on, and `train.privacy` promises not to";
        problems.add(places, "distill", problem, help());
    }
    let others = [
        ("train.privacy", recipe.train.privacy.is_some(), "`train.privacy` looks at each example by itself"),
        ("defence", defended, "a defence trains at other inputs than the examples"),
        ("distill", distilled, "a teacher says itself what is to be answered"),
    ];
    for (key, given, why) in others {
        if given && recipe.fairness.is_some() {
            let problem = format!("`fairness` compares the groups of a batch, and {why}");
            problems.add(places, key, problem, help());
        }
    }
    if recipe.train.privacy.is_some() && recipe.train.group_by_length.is_some() {
        let problem = "`train.privacy` draws every sample by chance, whatever the examples' lengths";
        problems.add(places, "train.group_by_length", problem, Some("leave it out".to_owned()));
    }
    if defended && distilled {
        let problem = "a teacher answers at the inputs themselves, and a defence trains at others";
        problems.add(places, "distill", problem, help());
    }
    problems
}

/// The objective under which groups are treated alike.
fn fair(
    settings: &FairnessConfig,
    places: &Places,
    config: &RunConfig,
    data: &Dataset,
) -> Result<Fair, CliError> {
    let mut problems = Problems::none(places);
    if !view::is_classifying(&config.loss) {
        let problem = "`fairness` needs the loss `cross-entropy` or `binary-cross-entropy`";
        problems.add(places, "fairness", problem, None);
    }
    let found = Fair::new(settings.clone(), data);
    if let Err(error) = &found {
        problems.add(places, "fairness", error.to_string(), None);
    }
    problems.into_result().map_err(CliError::Recipe)?;
    found.map_err(|error| CliError::Usage(error.to_string()))
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
    if let InputFormat::Text { .. } = format {
        let problem = "`defence` changes inputs a little, but the data are texts, whose tokens are names";
        return Err(CliError::Usage(problem.to_owned()));
    }
    let (scaling, range) = (view::scaling(format), view::range(format, &data.train));
    let defence = Defence::new(defence.clone(), scaling, range, device)?;
    defence.check(network, config.outputs)?;
    Ok(defence)
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
    if let Some(transfer) = &recipe.transfer {
        doubts.push(format!(
            "{} may tell of the examples that it was trained on, which this guarantee does not cover",
            transfer.from.display()
        ));
    }
    let measured = match &data.format.input {
        InputFormat::Image { .. } if recipe.data.normalize != Normalize::Standard => None,
        // Scaled as those of the run that training starts from.
        InputFormat::Image { .. } if recipe.transfer.as_ref().is_some_and(Transfer::is_run) => None,
        InputFormat::Image { .. } => Some(
            "the mean and the deviation of pixels; `data.normalize` as \"unit\" or \"fixed\" measures nothing",
        ),
        InputFormat::Table { .. } => Some("means, deviations and levels of columns"),
        InputFormat::Text { .. } => None,
    };
    if let Some(measured) = measured {
        doubts.push(format!(
            "inputs are scaled by what was measured on the training examples without noise: {measured}"
        ));
    }
    doubts
}
