//! What a generator's pictures are like, by the features of a classifier.

use std::path::Path;

use crucible_data::{Dataset, Examples};
use crucible_measure::{
    Proportion, Rows,
    generation::{ClassCoverage, Copying, Gaussian, KernelDistance, Nearest, Prdc, Subsets, nearest},
    softmax,
};
use crucible_models::{Classifier, Featured};
use rand::seq::SliceRandom;

use crate::{
    error::CliError,
    findings::{
        self, CONFIDENCE,
        generation::{Generation, SECTION},
    },
    gan::{GanEnding, GanRun},
    output::{Output, Status},
    run::Run,
    view::{self, View},
};

/// A picture is clear where its class has more than this probability.
const CLEAR: f64 = 0.9;
/// Neighbours that balls reach to.
const NEIGHBOURS: usize = 5;
/// Pictures of either kind that every pair is looked at of.
const PAIRS: usize = 5000;
/// Training pictures that nearest ones are looked for among.
const TRAINING: usize = 20_000;
/// Samples whose nearest training pictures are shown.
const SHOWN: usize = 16;

/// Measures `count` pictures by the classifier of the run at `by`.
pub(super) fn run(
    path: &Path,
    by: &Path,
    count: usize,
    seed: u64,
    output: &Output,
) -> Result<Status, CliError> {
    let run = GanRun::open(path)?;
    let (data, drawing) = run.recipe()?.load()?;
    let (split, real) = data.splits().last().expect("the training split is always there");
    let judge = Judge::open(by, &data)?;
    let (made, asked) = run.sample(seed, count);
    // As they are in a file: in steps of 1/255.
    let made: Vec<f32> =
        made.iter().map(|value| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) / 255.0).collect();
    let take = real.len().min(count);
    let originals = view::inputs(real, 0..take);
    let (samples, others) = (judge.look(&made), judge.look(&originals));
    let training = view::inputs(&data.train, 0..data.train.len().min(TRAINING));
    let trained = judge.look(&training);

    let width = samples.width;
    // At random, for a split may have an order: the second half of MNIST's test pictures is by other writers.
    let mut order: Vec<usize> = (0..take).collect();
    order.shuffle(&mut crucible_data::seed::stream(seed, "halves", 0));
    let [first, second] = [&order[..take / 2], &order[take / 2..]].map(|half| others.at(half));
    let mut rng = crucible_data::seed::stream(seed, "measure", 0);
    let subsets = Subsets { size: Subsets::default().size.min(take).min(count), ..Subsets::default() };
    let (few_made, few_real) = (samples.first(PAIRS), others.first(PAIRS));
    let probabilities = softmax(Rows::new(&samples.logits, judge.view.model.classes()), 1.0);
    let asked_classes: Option<Vec<usize>> =
        asked.as_ref().map(|asked| asked.iter().map(|class| *class as usize).collect());
    let shown = SHOWN.min(count);
    let found = Generation {
        extractor: format!("last layer's inputs of {}, {} of them", by.display(), width),
        accuracy: judge.accuracy(real),
        split,
        count,
        real: take,
        frechet: frechet(samples.rows(), others.rows()),
        halves: frechet(Rows::new(&first, width), Rows::new(&second, width)),
        kernel: KernelDistance::measure(samples.rows(), others.rows(), subsets, &mut rng),
        prdc: Prdc::measure(few_real, few_made, NEIGHBOURS),
        pairs: few_made.len().min(few_real.len()),
        classes: ClassCoverage::measure(
            Rows::new(&probabilities, judge.view.model.classes()),
            CLEAR,
            asked_classes.as_deref(),
        ),
        names: judge.view.classes.clone(),
        copying: Copying::measure(samples.first(PAIRS), trained.rows(), others.first(PAIRS), CONFIDENCE),
        training: trained.rows().len(),
        nearest: nearest(samples.first(shown), trained.rows())
            .unwrap_or_default()
            .iter()
            .map(|found: &Nearest| found.index)
            .collect(),
    };
    let shape = [drawing.channels, drawing.size, drawing.size];
    let pictures = |values: &[f32]| -> Vec<crucible_data::Picture> {
        values
            .chunks_exact(drawing.features())
            .map(|values| crucible_data::Picture::from_unit(shape, values))
            .collect()
    };
    let shown = pictures(&made[..shown * drawing.features()]);
    findings::keep(&run.folder, SECTION, &found.section(&shown, &data.train))?;
    let report = match GanEnding::read(&run.folder) {
        Ok(ending) => Some(findings::generator::write(&run, &run.recipe()?, &ending)?.1),
        Err(_) => None,
    };
    output.object(&found.object(report.as_deref()));
    output.line(found.text());
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

fn frechet(a: Rows<'_>, b: Rows<'_>) -> Option<f64> {
    Gaussian::fit(a)?.frechet_distance(&Gaussian::fit(b)?)
}

/// The classifier whose features and answers are used.
struct Judge {
    view: View,
}

/// What a classifier reads of pictures.
struct Looked {
    /// `[n, width]`.
    features: Vec<f64>,
    width: usize,
    /// `[n, classes]`.
    logits: Vec<f64>,
}

impl Looked {
    fn rows(&self) -> Rows<'_> {
        Rows::new(&self.features, self.width)
    }

    /// The features of these pictures.
    fn at(&self, places: &[usize]) -> Vec<f64> {
        let rows = self.rows();
        places.iter().flat_map(|place| rows.row(*place)).copied().collect()
    }

    fn first(&self, count: usize) -> Rows<'_> {
        let count = count.min(self.features.len() / self.width);
        Rows::new(&self.features[..count * self.width], self.width)
    }
}

impl Judge {
    fn open(by: &Path, data: &Dataset) -> Result<Self, CliError> {
        let run = Run::open(by)?;
        let [judged, made] = [&run.config.format, &data.format].map(|format| format.input.shape());
        if judged != made {
            return Err(CliError::Usage(format!(
                "--by {}: it reads {} values, and the pictures are {}",
                by.display(),
                crate::run::shape(&judged),
                crate::run::shape(&made)
            )));
        }
        if run.config.format.task.outputs() != data.format.task.outputs() {
            return Err(CliError::Usage(format!(
                "--by {}: it tells {} classes apart, and the pictures are of {}",
                by.display(),
                run.config.format.task.outputs(),
                data.format.task.outputs()
            )));
        }
        Ok(Self { view: View::new(&run, &data.train)? })
    }

    /// Looks at pictures `[n, features]` from 0 to 1.
    fn look(&self, inputs: &[f32]) -> Looked {
        let model = &self.view.model;
        let doubles = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let features = doubles(model.penultimate(inputs));
        let count = inputs.len() / model.features();
        Looked { width: features.len() / count.max(1), features, logits: doubles(model.logits(inputs)) }
    }

    /// How often it is right on real pictures.
    fn accuracy(&self, real: &Examples) -> Proportion {
        let answers = self.view.answers(&view::inputs(real, 0..real.len()));
        let labels = real.classes().unwrap_or_default();
        let right = answers.iter().zip(labels).filter(|(answer, label)| answer == label).count();
        Proportion { successes: right as u64, trials: real.len() as u64 }
    }
}
