//! The report as Markdown (CommonMark with GitHub's tables), for terminals and model cards. Pictures are left out.

use std::fmt::Write;

use crate::schema::{
    Align, BarChart, Block, Card, Chart, Column, ConfusionMatrix, Fact, Figure, Level, LineChart, Measure,
    Report, Table, Verdict,
};
use crate::value::Value;

/// Writes a report as Markdown.
pub fn to_markdown(report: &Report) -> String {
    let mut out = format!("# {}\n", escape(&report.title));
    for text in [&report.created, &report.summary] {
        paragraph(&mut out, &escape(text));
    }
    verdict(&mut out, report.verdict.as_ref());
    if !report.highlights.is_empty() {
        out.push('\n');
    }
    for highlight in &report.highlights {
        let detail = if highlight.detail.is_empty() { "" } else { " — " };
        let (label, detail) = (escape(&highlight.label), format!("{detail}{}", escape(&highlight.detail)));
        push(&mut out, format_args!("- **{label}**: {}{detail}\n", value(&highlight.value)));
    }
    cards(&mut out, &report.cards);
    facts(&mut out, &report.facts);
    for section in &report.sections {
        push(&mut out, format_args!("\n## {}\n", escape(&section.title)));
        verdict(&mut out, section.verdict.as_ref());
        for content in &section.blocks {
            block(&mut out, content);
        }
    }
    out
}

/// Writing into a string cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        push(out, format_args!("\n{text}\n"));
    }
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph { text } => paragraph(out, &escape(text)),
        Block::Facts { facts } => self::facts(out, facts),
        Block::Table(table) => self::table(out, table),
        Block::Figure(figure) => self::figure(out, figure),
        Block::Gallery(gallery) => {
            let pictures =
                gallery.pictures.iter().map(|picture| escape(&picture.caption)).collect::<Vec<_>>();
            paragraph(out, &format!("**{}** ({} pictures)", escape(&gallery.caption), pictures.len()));
            paragraph(out, &pictures.join("; "));
        }
        Block::Note(note) => {
            let name = match note.level {
                Level::Info => "Note",
                Level::Warning => "Warning",
            };
            paragraph(out, &format!("> **{name}:** {}", escape(&note.text)));
        }
    }
}

fn verdict(out: &mut String, verdict: Option<&Verdict>) {
    let Some(verdict) = verdict else { return };
    let mut text = format!("**{}**: {}", verdict.outcome.mark(), escape(&verdict.text));
    if let Some(measured) = &verdict.measured {
        push(&mut text, format_args!("; measured {}", value(measured)));
    }
    if let Some(limit) = &verdict.limit {
        push(&mut text, format_args!("; limit {} {}", limit.bound.sign(), value(&limit.value)));
    }
    paragraph(out, &text);
}

/// One table of all that had a limit.
fn cards(out: &mut String, cards: &[Card]) {
    let names = [Column::left("Concern"), Column::left("Measure"), Column::left("Verdict")];
    let columns = names.into_iter().chain(["Measured", "Limit"].map(Column::right)).collect();
    let row = |card: &Card, measure: &Measure| {
        let limit = format!("{} {}", measure.limit.bound.sign(), measure.limit.value);
        let words = [&*card.title, &measure.label, measure.outcome.mark()].map(Value::text);
        words.into_iter().chain([measure.value.clone(), Value::text(limit)]).collect()
    };
    let rows: Vec<_> =
        cards.iter().flat_map(|card| card.measures.iter().map(move |measure| row(card, measure))).collect();
    if !rows.is_empty() {
        table(out, &Table { columns, rows, caption: String::new() });
    }
}

fn facts(out: &mut String, facts: &[Fact]) {
    let columns = ["Fact", "Value"].map(Column::left).to_vec();
    let rows = facts.iter().map(|fact| vec![Value::text(&fact.name), fact.value.clone()]).collect();
    table(out, &Table { columns, rows, caption: String::new() });
}

fn figure(out: &mut String, figure: &Figure) {
    if !figure.title.is_empty() {
        paragraph(out, &format!("**{}**", escape(&figure.title)));
    }
    match &figure.chart {
        Chart::Line(chart) => table(out, &line_table(chart)),
        Chart::Bar(chart) => table(out, &bar_table(chart)),
        Chart::ConfusionMatrix(matrix) => table(out, &matrix_table(matrix)),
    }
    paragraph(out, &escape(&figure.caption));
}

/// A line in words: where it begins and ends, and between what.
fn line_table(chart: &LineChart) -> Table {
    let names = ["points", "first", "last", "lowest", "highest"].map(Column::right);
    let columns =
        std::iter::once(Column::left(format!("{} over {}", chart.y_label, chart.x_label))).chain(names);
    let rows = chart.series.iter().map(|series| {
        let values: Vec<f64> = series.points.iter().map(|point| point[1].0).filter(|v| !v.is_nan()).collect();
        let lowest = values.iter().copied().reduce(f64::min);
        let highest = values.iter().copied().reduce(f64::max);
        let write = |value: Option<f64>| value.map_or(Value::Missing, |value| Value::number(value, 4));
        let ends = [values.first().copied(), values.last().copied(), lowest, highest].map(write);
        [Value::text(&series.name), Value::count(values.len() as u64)].into_iter().chain(ends).collect()
    });
    Table { columns: columns.collect(), rows: rows.collect(), caption: String::new() }
}

fn bar_table(chart: &BarChart) -> Table {
    let rows = chart.bars.iter().map(|bar| vec![Value::text(&bar.label), bar.value.clone()]).collect();
    Table { columns: vec![Column::left(""), Column::right(&chart.value_label)], rows, caption: String::new() }
}

fn matrix_table(matrix: &ConfusionMatrix) -> Table {
    let label = |class: usize| matrix.labels.get(class).cloned().unwrap_or_else(|| class.to_string());
    let width = matrix.counts.iter().map(Vec::len).max().unwrap_or(0).max(matrix.labels.len());
    let columns = std::iter::once(Column::left("actual / predicted"))
        .chain((0..width).map(|c| Column::right(label(c))));
    let rows = matrix.counts.iter().enumerate().map(|(actual, row)| {
        std::iter::once(Value::text(label(actual)))
            .chain(row.iter().map(|&count| Value::count(count)))
            .collect()
    });
    Table { columns: columns.collect(), rows: rows.collect(), caption: String::new() }
}

fn table(out: &mut String, table: &Table) {
    if !table.caption.is_empty() {
        paragraph(out, &format!("**{}**", escape(&table.caption)));
    }
    // Markdown drops the cells that the header does not announce.
    let width = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.columns.len());
    if width == 0 || (table.rows.is_empty() && table.caption.is_empty()) {
        return;
    }
    let titles = table.columns.iter().map(|column| escape(&column.title));
    let rules = table.columns.iter().map(|column| match column.align {
        Align::Left => "---".to_owned(),
        Align::Center => ":-:".to_owned(),
        Align::Right => "--:".to_owned(),
    });
    out.push('\n');
    row(out, titles, width, "");
    row(out, rules, width, "---");
    for cells in &table.rows {
        row(out, cells.iter().map(value), width, "");
    }
}

fn row(out: &mut String, cells: impl Iterator<Item = String>, width: usize, filler: &str) {
    let cells = cells.chain(std::iter::repeat(filler.to_owned())).take(width).collect::<Vec<_>>();
    push(out, format_args!("| {} |\n", cells.join(" | ")));
}

fn value(value: &Value) -> String {
    let head = escape(&value.head());
    match value.tail() {
        Some(range) => format!("{head} ({})", escape(&range)),
        None => head,
    }
}

/// Text that reads as itself: nothing in it is markup, at the start of a line or within a table either.
fn escape(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut escaped = String::with_capacity(words.len());
    let mut previous = None;
    let mut characters = words.chars().peekable();
    // "1. " begins a list, and "1.5" does not.
    let digits = words.len() - words.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut rest = words[digits..].chars();
    let item =
        digits > 0 && matches!(rest.next(), Some('.' | ')')) && matches!(rest.next(), None | Some(' '));
    let mut item = item.then_some(digits);
    while let Some(character) = characters.next() {
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let marked = match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' => true,
            // Within a word an underscore is one, and file names are full of them.
            '_' => !(inside(previous) && inside(characters.peek().copied())),
            '#' | '-' | '+' | '=' => previous.is_none(),
            '.' | ')' => item == Some(0),
            _ => false,
        };
        if marked {
            escaped.push('\\');
        }
        escaped.push(character);
        previous = Some(character);
        item = item.and_then(|left| left.checked_sub(1));
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;

    /// The text of a document, and whether it holds anything but one paragraph of text.
    fn read(markdown: &str) -> (String, bool) {
        let mut text = String::new();
        let mut plain = true;
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::Start(pulldown_cmark::Tag::Paragraph)
                | Event::End(pulldown_cmark::TagEnd::Paragraph) => {}
                _ => plain = false,
            }
        }
        (text, plain)
    }

    proptest! {
        #[test]
        fn escaped_text_reads_as_itself(text in "[ -~é✓\\n]{0,40}", sharp in "[#*_`~<>|+=0-9.)&;a \\\\\\[\\]!:/-]{0,16}") {
            for text in [text, sharp] {
                let (read, plain) = read(&escape(&text));
                prop_assert_eq!(read, text.split_whitespace().collect::<Vec<_>>().join(" "));
                prop_assert!(plain);
            }
        }
    }

    #[test]
    fn names_stay_readable() {
        assert_eq!(escape("train_loss 3-layer #1 at 1.5"), "train_loss 3-layer #1 at 1.5");
        assert_eq!(escape("1. <b>"), "1\\. \\<b\\>");
    }
}
