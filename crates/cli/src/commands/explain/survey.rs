use std::path::PathBuf;

use crucible_data::{Cell, Column, Examples, seed};
use crucible_explain::{
    SurveyConfig,
    prototypes::Prototypes,
    tables::{
        Dependence, PartialDependence, PermutationImportance, partial_dependence, permutation_importance,
        quantile_grid,
    },
};
use crucible_models::{
    Classifier,
    weights::{HostTensor, State},
};
use crucible_report::{Figure, Section};

use super::{Said, files::Files};
use crate::{
    error::CliError,
    findings::{
        self,
        dependence::{Curve, Dependences},
        importance::Importances,
        prototypes::Portraits,
    },
    run::Run,
    view::{self, View},
};

/// What surveys are made of: the network, and the first examples of a split.
pub(super) struct Survey<'a> {
    run: &'a Run,
    view: &'a View,
    files: &'a Files,
    seed: u64,
    /// The only class that is asked about.
    class: Option<usize>,
    split: &'static str,
    examples: &'a Examples,
    /// `[n, features]` in people's units.
    inputs: Vec<f32>,
    /// The true classes, `[n]`.
    labels: Vec<usize>,
}

impl<'a> Survey<'a> {
    /// Of the first `count` examples, or all.
    pub(super) fn new(
        run: &'a Run,
        view: &'a View,
        (split, examples): (&'static str, &'a Examples),
        count: Option<usize>,
        class: Option<usize>,
        files: &'a Files,
        seed: u64,
    ) -> Self {
        let count = count.map_or(examples.len(), |count| count.min(examples.len()));
        let inputs = view::inputs(examples, 0..count);
        let labels = examples.classes().expect("a classifier's examples have classes");
        let labels = labels[..count].iter().map(|&label| label as usize).collect();
        Self { run, view, files, seed, class, split, examples, inputs, labels }
    }

    /// Takes one survey, and leaves its section for the report.
    pub(super) fn take(&self, config: &SurveyConfig) -> Result<Said, CliError> {
        let (section, said) = match config {
            SurveyConfig::PermutationImportance(settings) => self.importance(settings)?,
            SurveyConfig::PartialDependence(settings) => self.dependence(settings)?,
            SurveyConfig::Prototypes(settings) => self.prototypes(settings)?,
        };
        findings::keep(&self.run.folder, &format!("explain-{}", config.info().name), &section)?;
        Ok(said)
    }

    /// The columns of the table, each with the places of its inputs.
    fn columns(&self) -> Vec<(&'a Column, Vec<usize>)> {
        let columns = self.run.config.format.input.columns();
        columns.into_iter().map(|(column, places)| (column, places.collect())).collect()
    }

    fn importance(&self, settings: &PermutationImportance) -> Result<(Section, Said), CliError> {
        let (columns, places): (Vec<&Column>, Vec<Vec<usize>>) = self.columns().into_iter().unzip();
        let mut rng = seed::stream(self.seed, "permutation-importance", 0);
        let (model, repeats) = (&self.view.model, settings.repeats);
        let found = permutation_importance(model, &self.inputs, &self.labels, &places, repeats, &mut rng);
        let named = columns.iter().map(|column| column.name().to_owned()).zip(found);
        let found = Importances::new(self.split, self.labels.len(), named);
        let all = |of: fn(&crucible_explain::tables::Importance) -> &[f64]| HostTensor {
            shape: vec![columns.len(), repeats],
            values: found.each().flat_map(of).map(|&value| value as f32).collect(),
        };
        let arrays = [("accuracy_drops", all(|i| &i.accuracy_drops)), ("loss_rises", all(|i| &i.loss_rises))];
        let arrays = arrays.map(|(name, tensor)| (name.to_owned(), tensor)).into();
        let files = self.save("permutation-importance", &arrays, &[found.figure()])?;
        Ok((found.section(), Said::new(vec![found.object()], &files, found.text())))
    }

    fn dependence(&self, settings: &PartialDependence) -> Result<(Section, Said), CliError> {
        let class = self.class.unwrap_or(self.view.classes.len() - 1);
        let curves =
            self.columns().into_iter().map(|(column, places)| self.curve(column, &places, settings, class));
        let class = &self.view.classes[class];
        let found = Dependences::new(self.split, self.labels.len(), class, curves.collect());
        let mut arrays = State::new();
        for (number, Curve { found: Dependence { columns, grid, mean, .. }, .. }) in found.each().enumerate()
        {
            let points = grid.len() / columns.len();
            let grid = HostTensor { shape: vec![points, columns.len()], values: grid.clone() };
            let values = mean.iter().map(|&value| value as f32).collect();
            let mean = HostTensor { shape: vec![points, self.view.classes.len()], values };
            arrays.extend([(format!("grid-{number}"), grid), (format!("mean-{number}"), mean)]);
        }
        let files = self.save("partial-dependence", &arrays, &found.figures())?;
        Ok((found.section(), Said::new(vec![found.object()], &files, found.text())))
    }

    fn curve(&self, column: &Column, places: &[usize], settings: &PartialDependence, class: usize) -> Curve {
        let (features, width) = (self.view.model.features(), places.len());
        let grid = match column {
            Column::Numeric { .. } => quantile_grid(&self.inputs, features, places[0], settings.points),
            Column::Categorical { .. } => {
                (0..width * width).map(|i| f32::from(u8::from(i / width == i % width))).collect()
            }
        };
        let found = partial_dependence(&self.view.model, &self.inputs, places, &grid);
        let mut counts = vec![0; grid.len() / width];
        for row in self.inputs.chunks_exact(features) {
            let apart = |point: &[f32]| -> f32 {
                places.iter().zip(point).map(|(&place, value)| (row[place] - value).powi(2)).sum()
            };
            let points = grid.chunks_exact(width).map(apart).enumerate();
            let nearest = points.min_by(|a, b| a.1.total_cmp(&b.1));
            nearest.into_iter().for_each(|(point, _)| counts[point] += 1);
        }
        let probabilities = found.mean.chunks_exact(self.view.classes.len()).map(|row| row[class]);
        let points = grid.chunks_exact(width).zip(probabilities).zip(counts);
        let points = points.map(|((point, probability), count)| {
            let cell = column.cell(point).unwrap_or(Cell::Number(f64::NAN));
            (cell, probability, count)
        });
        Curve { name: column.name().to_owned(), points: points.collect(), found }
    }

    fn prototypes(&self, settings: &Prototypes) -> Result<(Section, Said), CliError> {
        let portraits = settings.portray(&self.view.model, &self.inputs, &self.labels)?;
        let asked = |(class, _): &(usize, _)| self.class.is_none_or(|only| only == *class);
        let found = Portraits {
            split: self.split,
            examples: self.examples,
            format: &self.run.config.format.input,
            classes: &self.view.classes,
            portraits: portraits.into_iter().enumerate().filter(asked).collect(),
            per_class: settings.per_class,
        };
        let sheet = found.sheet().map(|sheet| self.files.save("prototypes.png", &sheet.to_png()));
        let files: Vec<PathBuf> = sheet.transpose()?.into_iter().collect();
        Ok((found.section(), Said::new(found.objects(), &files, found.text())))
    }

    fn save(&self, name: &str, arrays: &State, figures: &[Figure]) -> Result<Vec<PathBuf>, CliError> {
        let mut files = self.files.save_arrays(name, arrays)?;
        for (number, figure) in figures.iter().enumerate() {
            files.extend(self.files.save_figure(&format!("{name}-{number}"), figure)?);
        }
        Ok(files)
    }
}
