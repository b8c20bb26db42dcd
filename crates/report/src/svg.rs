//! A chart as a picture file of its own: SVG, for slides and papers.

use maud::{Markup, PreEscaped, html};

use crate::chart::{self, LINES, Scale, Size};
use crate::schema::{Bar, BarChart, Chart, Figure, LineChart};

const WIDTH: u32 = 760;
/// From one line of text, or one bar, to the next.
const LINE: u32 = 24;
/// Around everything.
const MARGIN: u32 = 16;
/// Of a name that is written whole; more than that would leave no room for the bars.
const LETTERS: usize = 36;
/// The average letter at the size of the text.
const LETTER: u32 = 7;

/// Only of what is drawn here: the drawing of lines brings its own.
const STYLE: &str = ".word{font:13px sans-serif;fill:#333}.title{font:bold 15px sans-serif}.end{text-anchor:end}\
                     .bar{fill:#0072B2}.whisker,.zero{stroke:#333;stroke-width:1.5}.zero{stroke-width:1;stroke:#999}";

/// Writes a figure as an SVG file, on white; `None` for a confusion matrix, which is a table, and where there are no data.
///
/// The file needs nothing else and holds the words of the figure; a text that is too long for its place ends in `…`.
pub fn to_svg(figure: &Figure) -> Option<String> {
    let (content, height) = match &figure.chart {
        Chart::Line(chart) => line(chart)?,
        Chart::Bar(chart) => bars(chart)?,
        Chart::ConfusionMatrix(_) => return None,
    };
    let top = MARGIN + LINE;
    let height = top + height + LINE + MARGIN;
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH) height=(height)
            viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(cut(&figure.title, usize::MAX)) {
            style { (PreEscaped(STYLE)) }
            rect width="100%" height="100%" fill="#fff" {}
            text.word.title x=(MARGIN) y=(MARGIN + 14) { (cut(&figure.title, 90)) }
            g transform={ "translate(0 " (top) ")" } { (content) }
            text.word x=(MARGIN) y=(height - MARGIN) { (cut(&figure.caption, 105)) }
        }
    };
    Some(svg.into_string())
}

/// The drawing between the names of its axes and lines, and its height.
fn line(chart: &LineChart) -> Option<(Markup, u32)> {
    let size = Size::WIDE;
    let drawing = chart::line(chart, size)?;
    let scale = |logarithmic| if logarithmic { " (log scale)" } else { "" };
    let mut place = MARGIN;
    let names = chart.series.iter().enumerate().map(|(index, series)| {
        let name = cut(&series.name, LETTERS);
        let x = place;
        place += 24 + LETTER * name.chars().count() as u32 + 16;
        let plotters::style::RGBColor(red, green, blue) = LINES[index % LINES.len()];
        html! {
            rect x=(x) y="5" width="16" height="4" fill=(format!("#{red:02X}{green:02X}{blue:02X}")) {}
            text.word x=(x + 22) y="13" { (name) }
        }
    });
    let names: Vec<Markup> = names.collect();
    let content = html! {
        @for name in names { (name) }
        text.word x=(MARGIN) y=(LINE + 13) { (cut(&chart.y_label, 90)) (scale(chart.log_y)) }
        svg x="0" y=(2 * LINE) width=(size.width) height=(size.height) viewBox=(size.view_box()) {
            (PreEscaped(drawing))
        }
        text.word.end x=(WIDTH - MARGIN) y=(2 * LINE + size.height + 13) { (cut(&chart.x_label, 90)) (scale(chart.log_x)) }
    };
    Some((content, 3 * LINE + size.height))
}

fn bars(chart: &BarChart) -> Option<(Markup, u32)> {
    if chart.bars.is_empty() {
        return None;
    }
    let letters = |text: &str| text.chars().count().min(LETTERS) as u32 * LETTER;
    let names = chart.bars.iter().map(|bar| letters(&bar.label)).max()?;
    let numbers = chart.bars.iter().map(|bar| letters(&words(bar))).max()?;
    let (left, right) = (MARGIN + names + 12, WIDTH - MARGIN - numbers - 12);
    let scale = Scale::new(chart);
    let place = |value: f64| f64::from(left) + scale.place(value) * f64::from(right - left);
    let bar = |(row, bar): (usize, &Bar)| {
        let y = LINE * (row as u32 + 1);
        let stretch = |a: f64, b: f64| {
            let (from, to) = (place(a.min(b)), place(a.max(b)));
            (format!("{from:.1}"), format!("{:.1}", to - from), format!("{to:.1}"))
        };
        html! {
            text.word.end x=(left - 12) y=(y + 16) { (cut(&bar.label, LETTERS)) }
            @if let Some(estimate) = bar.value.estimate() {
                @let (from, width, _) = stretch(0.0, estimate);
                rect.bar x=(from) y=(y + 3) width=(width) height=(LINE - 6) {}
            }
            @if let Some([low, high]) = bar.value.ends() {
                @let (from, _, to) = stretch(low, high);
                line.whisker x1=(from) x2=(to) y1=(y + LINE / 2) y2=(y + LINE / 2) {}
                line.whisker x1=(from) x2=(from) y1=(y + 8) y2=(y + LINE - 8) {}
                line.whisker x1=(to) x2=(to) y1=(y + 8) y2=(y + LINE - 8) {}
            }
            text.word.end x=(WIDTH - MARGIN) y=(y + 16) { (cut(&words(bar), LETTERS)) }
        }
    };
    let zero = format!("{:.1}", place(0.0));
    let rows = chart.bars.len() as u32 + 1;
    let content = html! {
        text.word x=(left) y="13" { (cut(&chart.value_label, 60)) }
        @for markup in chart.bars.iter().enumerate().map(bar) { (markup) }
        line.zero x1=(zero) x2=(zero) y1=(LINE) y2=(LINE * rows) {}
    };
    Some((content, LINE * rows))
}

/// The value with its interval.
fn words(bar: &Bar) -> String {
    match bar.value.tail() {
        Some(range) => format!("{} ({range})", bar.value.head()),
        None => bar.value.head(),
    }
}

/// At most so many letters of a text, without characters that XML cannot carry.
fn cut(text: &str, letters: usize) -> String {
    let text = text.replace(|c: char| c.is_control() || ['\u{FFFE}', '\u{FFFF}'].contains(&c), " ");
    if text.chars().count() <= letters {
        return text;
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}
