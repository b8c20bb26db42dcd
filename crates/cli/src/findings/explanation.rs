use crucible_data::{Column, InputFormat, Picture, side_by_side};
use crucible_explain::{
    Attribution, MethodConfig,
    checks::{Infidelity, Randomisation, Removal},
};
use crucible_models::InputShape;
use crucible_report::{
    Bar, BarChart, Block, Chart, Fact, Figure, Gallery, Level, LineChart, Note, Png, Section, Series, Value,
};
use serde_json::json;

use crate::question::Question;

/// Columns between pictures.
const GAP: usize = 6;
/// Inputs that the report shows.
const SHOWN: usize = 12;
/// Columns of a table that a chart shows.
const BARS: usize = 12;

/// What a method said, and whether it can be believed.
pub(crate) struct Explanation {
    pub(crate) config: MethodConfig,
    pub(crate) attribution: Attribution,
    pub(crate) trust: Option<Trust>,
}

/// Whether a method's explanations of this network are true, on the first few inputs.
pub(crate) struct Trust {
    pub(crate) removal: Removal,
    pub(crate) infidelity: Infidelity,
    pub(crate) sensitivity: Vec<f64>,
    pub(crate) randomisation: Randomisation,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl Trust {
    fn correlation(&self) -> f64 {
        self.randomisation.stages.last().map_or(0.0, |stage| stage.mean)
    }

    pub(crate) fn object(&self) -> serde_json::Value {
        json!({
            "examples": self.sensitivity.len(),
            "deletion_auc": mean(&self.removal.deletion_areas), "insertion_auc": mean(&self.removal.insertion_areas),
            "infidelity": mean(&self.infidelity.error), "infidelity_scaled": mean(&self.infidelity.scaled_error),
            "infidelity_of_zero": mean(&self.infidelity.change), "max_sensitivity": mean(&self.sensitivity),
            "randomised_correlation": self.correlation(), "sanity": if self.randomisation.fails { "fail" } else { "pass" },
        })
    }

    /// The checks, in words.
    fn facts(&self) -> Vec<Fact> {
        let number = |name: &str, value: f64| Fact::new(name, Value::number(value, 4));
        vec![
            number("Deletion: area under the probability, low is good", mean(&self.removal.deletion_areas)),
            number(
                "Insertion: area under the probability, high is good",
                mean(&self.removal.insertion_areas),
            ),
            number("Infidelity, 0 is true", mean(&self.infidelity.error)),
            number("The same, the values scaled to fit best", mean(&self.infidelity.scaled_error)),
            number("The same for values of zero", mean(&self.infidelity.change)),
            number("Maximum sensitivity, 0 is steady", mean(&self.sensitivity)),
            number("Rank correlation with all layers random, 0 is good", self.correlation()),
        ]
    }
}

pub(crate) fn text(explanation: &Explanation, question: &Question) -> String {
    let mut lines = vec![format!("{}:", explanation.config.name())];
    for index in 0..question.targets.len().min(SHOWN) {
        let gap = explanation.attribution.gaps.as_ref().map_or_else(String::new, |gaps| {
            format!(", adds up to within {:.2}% of the difference of scores", 100.0 * gaps[index].relative)
        });
        lines.push(format!("  {}: {}{gap}", question.names[index], caption(question, index)));
    }
    if question.targets.len() > SHOWN {
        lines.push(format!("  … and {} more", question.targets.len() - SHOWN));
    }
    if let Some(trust) = &explanation.trust {
        for Fact { name, value } in trust.facts() {
            lines.push(format!("  {name}: {:.4}", value.estimate().unwrap_or(f64::NAN)));
        }
        if trust.randomisation.fails {
            lines.push(format!("  {}", FAILS));
        }
    }
    lines.join("\n")
}

const FAILS: &str = "FAILS the model-randomisation check: it says almost the same of a network that learned nothing, so it \
                     shows the input and not what the network learned.";

/// `a 7 taken for a 2, explained as 2`
fn caption(question: &Question, index: usize) -> String {
    let class = |class: usize| &question.classes[class];
    let (answer, target) = (question.answers[index], question.targets[index]);
    let mut text = match question.truths.as_ref().map(|truths| truths[index]) {
        Some(truth) if truth != answer => format!("{} taken for {}", class(truth), class(answer)),
        _ => format!("answered {}", class(answer)),
    };
    if target != answer {
        text += &format!(", explained: {}", class(target));
    }
    text
}

/// The section of the report: the inputs with each method's map or bars, and for each method whether it can be believed.
pub(crate) fn section(
    explanations: &[Explanation],
    question: &Question,
    format: &InputFormat,
    about: &str,
) -> Section {
    let names: Vec<&str> = explanations.iter().map(|explanation| explanation.config.name()).collect();
    let mut section = Section::new(format!("explain-{about}"), format!("Why: {}", names.join(", ")));
    match question.shape {
        InputShape::Image { .. } => {
            section = section
                .paragraph(format!(
                    "Orange speaks for the class, blue against it. From left to right: the picture, then {}.",
                    names.join(", ")
                ))
                .block(gallery(explanations, question));
        }
        InputShape::Features { .. } | InputShape::Sequence { .. } | InputShape::Tokens { .. } => {
            for explanation in explanations {
                for index in 0..question.targets.len().min(SHOWN) {
                    section = section.block(bars(explanation, question, index, format));
                }
            }
        }
    }
    for explanation in explanations {
        let Some(trust) = &explanation.trust else { continue };
        let name = explanation.config.name();
        section = section
            .paragraph(format!("Can {name} be believed? Measured on {} inputs:", trust.sensitivity.len()));
        if let Some(gaps) = &explanation.attribution.gaps {
            let worst = gaps.iter().map(|gap| gap.relative).fold(0.0, f64::max);
            let fact = Fact::new("Largest completeness gap", Value::percent(worst, 3));
            section = section.block(Block::Facts { facts: vec![fact] });
        }
        section = section.block(Block::Facts { facts: trust.facts() }).block(curves(trust, name));
        if trust.randomisation.fails {
            section = section.block(Note { level: Level::Warning, text: format!("{name} {FAILS}") });
        }
    }
    section
}

fn curves(trust: &Trust, name: &str) -> Figure {
    let of = |curves: &[f64]| -> Vec<[f64; 2]> {
        let points = trust.removal.fractions.len();
        let at = |i: usize| mean(&curves.chunks_exact(points).map(|curve| curve[i]).collect::<Vec<_>>());
        trust.removal.fractions.iter().enumerate().map(|(i, fraction)| [100.0 * fraction, at(i)]).collect()
    };
    Figure {
        title: format!("{name}: the class while its most relevant parts go or come"),
        caption: "Deletion should fall at once, insertion rise at once.".to_owned(),
        chart: Chart::Line(LineChart {
            x_label: "part of the input, %".to_owned(),
            y_label: "probability".to_owned(),
            log_x: false,
            log_y: false,
            series: vec![
                Series::new("deletion", of(&trust.removal.deletion)),
                Series::new("insertion", of(&trust.removal.insertion)),
            ],
        }),
    }
}

fn gallery(explanations: &[Explanation], question: &Question) -> Gallery {
    let pictures = (0..question.targets.len().min(SHOWN)).filter_map(|index| {
        let plain = Some(paint(question, index, None)?);
        let maps = explanations.iter().map(|explanation| overlay(explanation, question, index));
        let strip = side_by_side(&std::iter::once(plain).chain(maps).collect::<Option<Vec<_>>>()?, GAP);
        let caption = caption(question, index);
        Some(crucible_report::Picture {
            png: Png(strip.to_png()),
            alt: format!("{}, {caption}, and what speaks for and against it", question.names[index]),
            caption,
        })
    });
    Gallery { pictures: pictures.collect(), caption: String::new() }
}

/// The columns of an input that matter most.
pub(crate) fn bars(
    explanation: &Explanation,
    question: &Question,
    index: usize,
    format: &InputFormat,
) -> Figure {
    let columns = column_names(format);
    let features = question.shape.features();
    let values = &explanation.attribution.values[index * features..][..features];
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    let bars = order.into_iter().take(BARS).map(|column| Bar {
        label: columns[column].clone(),
        value: Value::number(f64::from(values[column]), 4),
    });
    Figure {
        title: format!(
            "{}: {}, {}",
            explanation.config.name(),
            question.names[index],
            caption(question, index)
        ),
        caption: format!("The columns that matter most for {}.", question.class(index)),
        chart: Chart::Bar(BarChart {
            value_label: "for (right) or against".to_owned(),
            bars: bars.collect(),
        }),
    }
}

/// A name for each input value of a table: the column's, with the level for texts.
fn column_names(format: &InputFormat) -> Vec<String> {
    let InputFormat::Table { columns, .. } = format else { return Vec::new() };
    let names = columns.iter().flat_map(|column| match column {
        Column::Numeric { name, .. } => vec![name.clone()],
        Column::Categorical { name, levels } => {
            levels.iter().map(|level| format!("{name} = {level}")).collect()
        }
    });
    names.collect()
}

/// The heat map of an input over the picture, if it is one.
pub(crate) fn overlay(explanation: &Explanation, question: &Question, index: usize) -> Option<Picture> {
    let features = question.shape.features();
    paint(question, index, Some(&explanation.attribution.values[index * features..][..features]))
}

/// Rows of pixels of a small picture that is enlarged.
const HEIGHT: usize = 112;

/// A picture in grey, enlarged, with `values` `[channels, height, width]` over it: added up over the channels, orange
/// where positive, blue where negative, as strong as the value beside the largest.
fn paint(question: &Question, index: usize, values: Option<&[f32]>) -> Option<Picture> {
    let InputShape::Image { channels, height, width } = question.shape else { return None };
    let (plane, input) = (height * width, question.input(index));
    let sum = |values: &[f32], pixel: usize| (0..channels).map(|c| values[c * plane + pixel]).sum::<f32>();
    let heat: Vec<f32> = (0..plane).map(|pixel| values.map_or(0.0, |values| sum(values, pixel))).collect();
    let mut sizes: Vec<f32> = heat.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    // Not the largest of all: one bright pixel would leave the others pale.
    let strongest =
        sizes[(plane * 99 / 100).min(plane - 1)].max(sizes[plane - 1] * 0.2).max(f32::MIN_POSITIVE);
    let colours: Vec<[u8; 3]> = (0..plane)
        .map(|pixel| {
            let grey = sum(input, pixel) / channels as f32;
            match values {
                None => [(grey.clamp(0.0, 1.0) * 255.0).round() as u8; 3],
                Some(_) => colour(grey.clamp(0.0, 1.0), (heat[pixel] / strongest).clamp(-1.0, 1.0)),
            }
        })
        .collect();
    let scale = HEIGHT.div_ceil(height).max(1);
    let (tall, wide) = (height * scale, width * scale);
    let places = (0..3 * tall * wide).map(|i| (i / (tall * wide), i / wide % tall / scale, i % wide / scale));
    let pixels = places.map(|(channel, row, column)| colours[row * width + column][channel]).collect();
    Some(Picture { channels: 3, height: tall, width: wide, values: pixels })
}

/// Between a light grey, darker where the picture is bright, and orange or blue: a path through Oklab, where equal steps
/// look equal. Blue and orange differ for every kind of colour blindness.
///
/// B. Ottosson: A perceptual color space for image processing, 2020.
fn colour(grey: f32, strength: f32) -> [u8; 3] {
    let base = [0.96 - 0.22 * grey, 0.0, 0.0];
    let end = if strength > 0.0 { [0.62, 0.10, 0.13] } else { [0.46, -0.03, -0.17] };
    let share = strength.abs();
    let mix = |i: usize| base[i] + share * (end[i] - base[i]);
    let (lightness, a, b) = (mix(0), mix(1), mix(2));
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    let linear = [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_93 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ];
    linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let encoded =
            if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_tell_signs_apart_and_grow_stronger() {
        let [red, _, blue] = colour(0.5, 1.0);
        assert!(red > 200 && blue < 80, "orange");
        let [red, _, blue] = colour(0.5, -1.0);
        assert!(red < 80 && blue > 120, "blue");
        let [red, green, blue] = colour(0.5, 0.0);
        assert!(red.abs_diff(green) <= 1 && green.abs_diff(blue) <= 1, "grey");
        let saturation = |strength| {
            let [red, _, blue] = colour(0.5, strength).map(i32::from);
            (red - blue).abs()
        };
        assert!((1..=10).map(|i| saturation(i as f32 / 10.0)).is_sorted());
    }
}
