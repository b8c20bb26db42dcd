//! A recipe with a `[gan]` table.

use std::path::Path;

use burn::tensor::Device;
use crucible_data::{DataConfig, Dataset, InputFormat, Normalize, Task, seed};
use crucible_models::{discriminators::Gaze, generators::Drawing};
use crucible_recipe::{Checked, Problems};
use crucible_train::adversarial::{GanConfig, Pair, PairJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// Which generator to train against which discriminator, on what, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GanRecipe {
    /// The seed of everything random: same seed, same machine, same number of threads, same bytes.
    #[serde(default = "one")]
    pub(crate) seed: u64,
    /// Where the real pictures come from. Their values are always scaled to −1 to 1.
    pub(crate) data: DataConfig,
    /// Both networks, and how they are trained.
    pub(crate) gan: GanConfig,
}

fn one() -> u64 {
    1
}

impl GanRecipe {
    /// What is wrong with settings that stand well each for itself.
    pub(crate) fn problems(checked: &Checked<Self>) -> Result<(), CliError> {
        let places = &checked.places;
        let mut problems = Problems::none(places);
        for (key, problem) in checked.value.gan.check() {
            problems.add(places, key, problem, None);
        }
        if checked.value.data.normalize != Normalize::Standard {
            let problem = "pictures that are generated lie between −1 and 1, and so must real ones";
            problems.add(places, "data.normalize", problem, Some("leave it out".to_owned()));
        }
        problems.into_result().map_err(CliError::Recipe)
    }

    /// The real pictures, from −1 to 1, and what a generator is to make. Paths in the recipe are absolute.
    pub(crate) fn load(&self) -> Result<(Dataset, Drawing), CliError> {
        let data = crucible_data::load(&self.data, Path::new(""), self.seed)?;
        let refuse = |problem: String| Err(CliError::Usage(format!("the {} data: {problem}", data.name)));
        let &InputFormat::Image { channels, height, width, .. } = &data.format.input else {
            let kind = match data.format.input {
                InputFormat::Text { .. } => "texts",
                _ => "rows of a table",
            };
            return refuse(format!("a generator makes pictures, and these are {kind}"));
        };
        if height != width {
            return refuse(format!(
                "a generator makes square pictures, and these are {height} high and {width} wide; the source `images` resizes \
                 them to `data.height` and `data.width`"
            ));
        }
        let classes = match &data.format.task {
            Task::Classification { classes } if self.gan.conditional => Some(classes.len()),
            Task::Regression { .. } if self.gan.conditional => {
                return refuse("`gan.conditional` needs classes, and these have numbers".to_owned());
            }
            _ => None,
        };
        let half = vec![0.5; channels];
        let input = InputFormat::Image { channels, height, width, mean: half.clone(), std: half };
        let drawing = Drawing { channels, size: height, latent: self.gan.latent, classes };
        let data = data.scaled_as(&input).expect("pictures of the same shape");
        PairJob::check(&self.gan, &data)?;
        Ok((data, drawing))
    }

    /// Both networks with their first weights, as drawn from the seed.
    pub(crate) fn pair(&self, drawing: Drawing, device: &Device) -> Result<Pair, CliError> {
        let Drawing { channels, size, classes, .. } = drawing;
        let stream = |name| seed::stream(self.seed, name, 0);
        let gaze = Gaze { channels, size, classes };
        Ok(Pair {
            generator: self.gan.generator.init(drawing, &mut stream("weights/generator"), device)?,
            discriminator: self.gan.discriminator.init(gaze, &mut stream("weights/discriminator"), device)?,
        })
    }
}
