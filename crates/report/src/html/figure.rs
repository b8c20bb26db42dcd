//! Charts. Lines are SVG; bars and matrices are tables with coloured cells, which wrap, zoom, copy and read aloud as
//! what they are.

use maud::{Markup, PreEscaped, html};

use crate::chart::{self, LINES, Scale, Size};
use crate::format;
use crate::html::block::value;
use crate::schema::{Bar, BarChart, Chart, ConfusionMatrix, Figure, LineChart};

/// With more classes than this, a matrix is unreadable and only its largest confusions are listed.
const MOST_CLASSES: usize = 24;
/// How many of them.
const MOST_CONFUSIONS: usize = 20;
/// Lines with more points than this have no table below them.
const MOST_ROWS: usize = 60;

pub(super) fn figure(figure: &Figure) -> Markup {
    html! {
        figure {
            @if !figure.title.is_empty() {
                figcaption.title { (figure.title) }
            }
            @match &figure.chart {
                Chart::Line(chart) => (line(chart, &figure.title)),
                Chart::Bar(chart) => (bars(chart)),
                Chart::ConfusionMatrix(matrix) => (confusion_matrix(matrix)),
            }
            @if !figure.caption.is_empty() {
                p.caption { (figure.caption) }
            }
        }
    }
}

fn line(chart: &LineChart, title: &str) -> Markup {
    let names = chart.series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>().join(", ");
    let label = format!("{title}: {} over {} for {names}", chart.y_label, chart.x_label);
    let drawing = |class: &str, size: Size| match chart::line(chart, size) {
        Some(svg) => html! {
            svg class=(class) viewBox=(size.view_box()) role="img" aria-label=(label) { (PreEscaped(svg)) }
        },
        None => html! {},
    };
    let (wide, narrow) = (drawing("wide", Size::WIDE), drawing("narrow", Size::NARROW));
    html! {
        @if wide.0.is_empty() {
            p.empty { "No data." }
        } @else {
            ul.legend {
                @for (index, series) in chart.series.iter().enumerate() {
                    li { i.{ "line-" (index % LINES.len()) } {} (series.name) }
                }
            }
            p.axis { (chart.y_label) @if chart.log_y { " (log scale)" } }
            (wide)
            (narrow)
            p.axis.x { (chart.x_label) @if chart.log_x { " (log scale)" } }
            (points(chart))
        }
    }
}

/// The numbers behind the lines, where they are few and stand at the same places.
fn points(chart: &LineChart) -> Markup {
    let Some(first) = chart.series.first() else { return html! {} };
    let same = |a: &[[crate::Number; 2]]| a.iter().map(|p| p[0]).eq(first.points.iter().map(|p| p[0]));
    if first.points.len() > MOST_ROWS || !chart.series.iter().all(|series| same(&series.points)) {
        return html! {};
    }
    html! {
        details {
            summary { "Numbers" }
            div.scroll tabindex="0" role="group" aria-label="Numbers" {
                table {
                    thead {
                        tr {
                            th scope="col" { (chart.x_label) }
                            @for series in &chart.series { th.right scope="col" { (series.name) } }
                        }
                    }
                    tbody {
                        @for row in 0..first.points.len() {
                            tr {
                                th scope="row" { (short(first.points[row][0].0)) }
                                @for series in &chart.series { td.right { (short(series.points[row][1].0)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A number whose precision nobody stated: whole ones plain, others with four significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || (value.fract() == 0.0 && value.abs() < 1e15) {
        return format::number(value, 0);
    }
    format::number(value, (3.0 - value.abs().log10().floor()).clamp(0.0, 6.0) as u8)
}

fn bars(chart: &BarChart) -> Markup {
    if chart.bars.is_empty() {
        return html! { p.empty { "No data." } };
    }
    let scale = Scale::new(chart);
    let place = |value: f64| scale.place(value) * 100.0;
    html! {
        @if !chart.value_label.is_empty() {
            p.axis { (chart.value_label) }
        }
        div.scroll {
            table.bars {
                tbody {
                    @for bar in &chart.bars {
                        (self::bar(bar, place))
                    }
                }
            }
        }
    }
}

fn bar(bar: &Bar, place: impl Fn(f64) -> f64) -> Markup {
    let stretch = |a: f64, b: f64| {
        let (from, to) = (place(a.min(b)), place(a.max(b)));
        format!("left:{from:.2}%;width:{:.2}%", to - from)
    };
    html! {
        tr {
            th scope="row" { (bar.label) }
            td.track {
                // The values stand beside it.
                div aria-hidden="true" {
                    @if let Some(estimate) = bar.value.estimate() {
                        i.bar style=(stretch(0.0, estimate)) {}
                    }
                    @if let Some([low, high]) = bar.value.ends() {
                        i.whisker style=(stretch(low, high)) {}
                    }
                }
            }
            td.right { (value(&bar.value)) }
        }
    }
}

fn confusion_matrix(matrix: &ConfusionMatrix) -> Markup {
    let classes = matrix.counts.len().max(matrix.labels.len());
    match classes {
        0 => html! { p.empty { "No data." } },
        1..=MOST_CLASSES => whole_matrix(matrix),
        _ => largest_confusions(matrix),
    }
}

fn label(matrix: &ConfusionMatrix, class: usize) -> String {
    matrix.labels.get(class).cloned().unwrap_or_else(|| class.to_string())
}

fn whole_matrix(matrix: &ConfusionMatrix) -> Markup {
    let columns = matrix.counts.iter().map(Vec::len).max().unwrap_or(0).max(matrix.labels.len());
    let wrong = matrix.counts.iter().enumerate().flat_map(|(actual, row)| {
        (0..row.len()).filter(move |&predicted| predicted != actual).map(|predicted| share(row, predicted))
    });
    let worst = wrong.fold(0.0, f64::max);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Confusion matrix" {
            table.matrix {
                thead {
                    tr {
                        td rowspan="2" {}
                        th.axis colspan=(columns) scope="colgroup" { "predicted" }
                    }
                    tr {
                        @for class in 0..columns { th scope="col" { (label(matrix, class)) } }
                    }
                }
                tbody {
                    @for (actual, row) in matrix.counts.iter().enumerate() {
                        tr {
                            th scope="row" { (label(matrix, actual)) }
                            @for predicted in 0..row.len() {
                                (cell(row, predicted, actual == predicted, worst))
                            }
                        }
                    }
                }
            }
        }
        p.caption {
            "Rows are actual classes, columns predicted ones. " i.key.hit {} " Right answers are shaded by their share of \
             the row, " i.key.miss {} " wrong ones by theirs relative to the most frequent mistake."
        }
    }
}

/// The share of one cell in its row.
fn share(row: &[u64], predicted: usize) -> f64 {
    match row[predicted] {
        0 => 0.0,
        count => count as f64 / row.iter().map(|&count| count as f64).sum::<f64>(),
    }
}

fn cell(row: &[u64], predicted: usize, hit: bool, worst: f64) -> Markup {
    let share = share(row, predicted);
    let (class, shade) = match hit {
        _ if row[predicted] == 0 => ("zero", 0.0),
        true => ("hit", share),
        false => ("miss", share / worst),
    };
    html! {
        td class=(class) style={ "--shade:" (format!("{:.1}", shade * 100.0)) "%" } {
            (format::number(row[predicted] as f64, 0))
        }
    }
}

fn largest_confusions(matrix: &ConfusionMatrix) -> Markup {
    let cells = matrix.counts.iter().enumerate().flat_map(|(actual, row)| {
        row.iter().enumerate().map(move |(predicted, &count)| (count, actual, predicted))
    });
    let mut wrong: Vec<_> = cells.filter(|&(count, a, p)| count > 0 && a != p).collect();
    wrong.sort_by_key(|&(count, actual, predicted)| (std::cmp::Reverse(count), actual, predicted));
    wrong.truncate(MOST_CONFUSIONS);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Most frequent confusions" {
            table {
                caption { "The most frequent confusions" }
                thead {
                    tr {
                        th scope="col" { "actual" }
                        th scope="col" { "predicted" }
                        th.right scope="col" { "count" }
                    }
                }
                tbody {
                    @for (count, actual, predicted) in wrong {
                        tr {
                            th scope="row" { (label(matrix, actual)) }
                            td { (label(matrix, predicted)) }
                            td.right { (format::number(count as f64, 0)) }
                        }
                    }
                }
            }
        }
    }
}
