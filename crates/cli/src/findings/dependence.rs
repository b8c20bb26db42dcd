use crucible_data::Cell;
use crucible_explain::tables::Dependence;
use crucible_report::{Bar, BarChart, Chart, Figure, LineChart, Section, Series, Value};
use serde_json::json;

/// Columns that the report shows.
const SHOWN: usize = 8;
/// Levels of a column that a chart shows.
const BARS: usize = 12;

/// How the probability of a class depends on each column of a table.
pub(crate) struct Dependences {
    pub(crate) split: &'static str,
    pub(crate) examples: usize,
    pub(crate) class: String,
    /// The column that moves the probability the most first.
    columns: Vec<Curve>,
}

/// How the probability of a class depends on one column.
pub(crate) struct Curve {
    pub(crate) name: String,
    /// What was tried: a value, the mean probability with it in all rows, and the number of rows that it is the nearest to.
    pub(crate) points: Vec<(Cell, f64, usize)>,
    pub(crate) found: Dependence,
}

impl Curve {
    /// The standard deviation of the probability over the rows, were each to get that of its own value.
    fn spread(&self) -> f64 {
        let rows = self.points.iter().map(|point| point.2).sum::<usize>().max(1) as f64;
        let mean = |f: &dyn Fn(f64) -> f64| -> f64 {
            self.points.iter().map(|(_, probability, count)| f(*probability) * *count as f64 / rows).sum()
        };
        let middle = mean(&|p| p);
        mean(&|p| (p - middle).powi(2)).sqrt()
    }

    fn figure(&self, class: &str) -> Figure {
        let numbers = self.points.iter().map(|(cell, probability, _)| match cell {
            Cell::Number(value) => Some([*value, *probability]),
            Cell::Text(_) => None,
        });
        let title = format!("{class} by {}", self.name);
        let label = format!("mean probability of {class}");
        match numbers.collect::<Option<Vec<_>>>() {
            Some(points) => Figure {
                title,
                caption: String::new(),
                chart: Chart::Line(LineChart {
                    x_label: self.name.clone(),
                    y_label: label,
                    log_x: false,
                    log_y: false,
                    series: vec![Series::new(class, points)],
                }),
            },
            None => {
                let mut points: Vec<&(Cell, f64, usize)> = self.points.iter().collect();
                points.sort_by_key(|point| std::cmp::Reverse(point.2));
                points.truncate(BARS);
                points.sort_by(|a, b| b.1.total_cmp(&a.1));
                let bars = points
                    .iter()
                    .map(|point| Bar { label: point.0.to_string(), value: Value::percent(point.1, 1) });
                let caption = match self.points.len() {
                    all if all > BARS => format!("The {BARS} of {all} that are most frequent."),
                    _ => String::new(),
                };
                let chart = Chart::Bar(BarChart { value_label: label, bars: bars.collect() });
                Figure { title, caption, chart }
            }
        }
    }
}

impl Dependences {
    pub(crate) fn new(split: &'static str, examples: usize, class: &str, mut columns: Vec<Curve>) -> Self {
        columns.sort_by(|a, b| b.spread().total_cmp(&a.spread()));
        Self { split, examples, class: class.to_owned(), columns }
    }

    /// In the order of the section.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Curve> {
        self.columns.iter()
    }

    pub(crate) fn object(&self) -> serde_json::Value {
        let column = |curve: &Curve| {
            let cells: Vec<&Cell> = curve.points.iter().map(|point| &point.0).collect();
            let probabilities: Vec<f64> = curve.points.iter().map(|point| point.1).collect();
            json!({
                "column": curve.name, "spread": curve.spread(), "values": cells, "probabilities": probabilities,
            })
        };
        json!({
            "method": "partial-dependence", "split": self.split, "examples": self.examples, "class": self.class,
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let column = |curve: &Curve| {
            let by = |a: &&(Cell, f64, usize), b: &&(Cell, f64, usize)| a.1.total_cmp(&b.1);
            let ends = curve.points.iter().min_by(by).zip(curve.points.iter().max_by(by));
            let Some((low, high)) = ends else { return String::new() };
            let say = |(cell, probability, _): &(Cell, f64, usize)| {
                format!("{:.1}% at {cell}", 100.0 * probability)
            };
            format!("\n  {:<24} from {} to {}", curve.name, say(low), say(high))
        };
        let columns: String = self.columns.iter().map(column).collect();
        format!("partial-dependence: mean probability of {}:{columns}", self.class)
    }

    /// The charts of the columns that matter most.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        self.columns.iter().take(SHOWN).map(|curve| curve.figure(&self.class)).collect()
    }

    pub(crate) fn section(&self) -> Section {
        let (id, title) = ("explain-partial-dependence", format!("What {} depends on", self.class));
        let section = Section::new(id, title).paragraph(format!(
            "The mean probability of {} over {} {} examples where one column is set to the same value in all of them: the \
             columns that move it most, over the values that the data hold. The other columns stay as they are, so that \
             some of these rows cannot exist.",
            self.class, self.examples, self.split
        ));
        self.figures().into_iter().fold(section, Section::block)
    }
}
