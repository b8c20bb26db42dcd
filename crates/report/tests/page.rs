//! How each kind of content stands on the page.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use crucible_report::{
    Bar, BarChart, Bound, Card, Chart, Column, ConfusionMatrix, Fact, Figure, Gallery, Level, Limit,
    LineChart, Measure, Note, Outcome, Picture, Png, Report, Section, Series, Table, Value, Verdict, to_html,
    to_junit, to_markdown, to_svg,
};
use scraper::{ElementRef, Html, Selector};

fn page(sections: impl IntoIterator<Item = Section>) -> Html {
    let mut report = Report::new("Title", "Summary.");
    report.sections.extend(sections);
    Html::parse_document(&to_html(&report))
}

fn all<'a>(document: &'a Html, pattern: &str) -> Vec<ElementRef<'a>> {
    document.select(&Selector::parse(pattern).unwrap()).collect()
}

fn texts(document: &Html, pattern: &str) -> Vec<String> {
    let words = |element: ElementRef<'_>| element.text().collect::<String>().trim().to_owned();
    all(document, pattern).into_iter().map(words).collect()
}

fn figure(chart: Chart) -> Figure {
    Figure { title: "A figure".to_owned(), caption: "What to see.".to_owned(), chart }
}

fn one(block: impl Into<crucible_report::Block>) -> Html {
    page([Section::new("one", "One").block(block)])
}

#[test]
fn the_head_carries_title_verdict_highlights_and_facts() {
    let mut report = Report::new("A title", "A summary.");
    report.created = "2026-01-31".to_owned();
    report.verdict = Some(Verdict {
        outcome: Outcome::Fail,
        text: "A limit is broken".to_owned(),
        measured: Some(Value::percent_interval(Some(0.5), [0.25, 0.75], 0)),
        limit: Some(Limit { bound: Bound::AtMost, value: Value::number(0.1, 1) }),
    });
    report.add_highlight("Loss", Value::quantity(1234.5, 1, "nats"), "test");
    report.facts.push(Fact::new("Seed", "7"));
    let document = Html::parse_document(&to_html(&report));
    assert_eq!(texts(&document, "title"), ["A title"]);
    assert_eq!(texts(&document, "header > p"), ["2026-01-31", "A summary."]);
    assert_eq!(
        texts(&document, ".verdict.failed p"),
        ["✗ Fail A limit is broken", "measured 50% 25–75% limit ≤ 0.1"]
    );
    assert_eq!(texts(&document, ".highlights dt, .highlights dd"), ["Loss", "1,234.5\u{a0}nats", "test"]);
    assert_eq!(texts(&document, ".facts dt, .facts dd"), ["Seed", "7"]);
    assert!(all(&document, "nav").is_empty(), "one page without sections needs no contents");

    let markdown = to_markdown(&report);
    assert!(
        markdown
            .starts_with("# A title\n\n2026-01-31\n\nA summary.\n\n**✗ Fail**: A limit is broken; measured")
    );
    assert!(markdown.contains("- **Loss**: 1,234.5 nats — test\n"), "{markdown}");
    assert!(markdown.contains("| Fact | Value |\n| --- | --- |\n| Seed | 7 |\n"), "{markdown}");
}

#[test]
fn a_card_shows_each_limit_with_what_was_measured() {
    let measure = |outcome, value| Measure {
        label: "Error".to_owned(),
        outcome,
        value,
        limit: Limit { bound: Bound::AtMost, value: Value::number(0.1, 2) },
        text: "Small.".to_owned(),
        section: "One".to_owned(),
    };
    let measures = vec![
        measure(Outcome::Pass, Value::interval(Some(0.05), [0.04, 0.06], 2)),
        measure(Outcome::Skipped, Value::Missing),
    ];
    let mut report = Report::new("Gate", "");
    report.cards.push(Card { title: "Concern".to_owned(), outcome: Outcome::Undecided, measures });
    report.sections.push(Section::new("One", "One"));
    let document = Html::parse_document(&to_html(&report));
    assert_eq!(texts(&document, ".card.undecided h3"), ["Concern ? Undecided"]);
    assert_eq!(texts(&document, ".measure .label"), ["Error ✓ Pass", "Error – Skipped"]);
    assert_eq!(texts(&document, ".measure > .number"), ["0.05 0.04–0.06", "–"]);
    assert_eq!(texts(&document, ".measure > .limit"), ["limit ≤ 0.10"; 2]);
    let links: Vec<_> = all(&document, ".measure a").iter().filter_map(|link| link.attr("href")).collect();
    assert_eq!(links, ["#one"; 2]);
    // From 0.04 to the limit, with room of 0.15 of that at both ends.
    let lines: Vec<_> = all(&document, ".gauge div").iter().filter_map(|part| part.attr("style")).collect();
    assert_eq!(lines, ["left:11.54%;width:25.64%", "left:24.36%", "left:88.46%"]);
    let junit = to_junit(&report);
    let test = "<testcase classname=\"Concern\" name=\"Error\"><skipped message=\"–, limit ≤ 0.10. Small.\">";
    assert!(
        junit.contains(test) && junit.contains("tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\""),
        "{junit}"
    );
    let markdown = to_markdown(&report);
    assert!(markdown.contains("| Concern | Error | ✓ Pass | 0.05 (0.04–0.06) | ≤ 0.10 |"), "{markdown}");
}

#[test]
fn sections_are_listed_and_linked_even_when_their_ids_clash() {
    let document =
        page([Section::new("A b", "First"), Section::new("a-b", "Second"), Section::new("", "Third")]);
    let links: Vec<_> = all(&document, "nav a").iter().filter_map(|link| link.attr("href")).collect();
    assert_eq!(links, ["#a-b", "#a-b-2", "#section"]);
    assert_eq!(texts(&document, "nav a"), texts(&document, "h2"));
}

#[test]
fn anchors_never_clash_with_the_titles_of_other_sections() {
    let document = page([Section::new("x", "X"), Section::new("x-title", "Y")]);
    let mut ids: Vec<_> = all(&document, "[id]").iter().filter_map(|element| element.attr("id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn tables_align_their_columns_and_bear_ragged_rows() {
    let table = Table {
        columns: vec![Column::left("Class"), Column::right("Recall")],
        rows: vec![
            vec!["a".into(), Value::percent_interval(Some(0.9), [0.8, 0.95], 1)],
            vec!["b".into()],
            vec!["c".into(), Value::interval(None, [0.0, 1.0], 2), "extra".into()],
        ],
        caption: "By class".to_owned(),
    };
    let document = one(table.clone());
    assert_eq!(texts(&document, "caption"), ["By class"]);
    assert_eq!(texts(&document, "tbody th"), ["a", "b", "c"]);
    assert_eq!(texts(&document, "tbody td"), ["90.0% 80.0–95.0%", "–", "extra"]);
    assert_eq!(texts(&document, ".right"), ["Recall", "90.0% 80.0–95.0%", "–"]);

    let mut report = Report::new("", "");
    report.sections.push(Section::new("", "").block(table));
    let rows = "| Class | Recall |  |\n| --- | --: | --- |\n| a | 90.0% (80.0–95.0%) |  |\n| b |  |  |\n| c | – | extra |\n";
    assert!(to_markdown(&report).ends_with(rows), "{}", to_markdown(&report));
}

#[test]
fn a_line_chart_is_drawn_for_both_widths_named_and_backed_by_numbers() {
    let chart = LineChart {
        x_label: "epoch".to_owned(),
        y_label: "loss".to_owned(),
        log_x: false,
        log_y: false,
        series: vec![
            Series::new("training", [[1.0, 0.75], [2.0, 0.5], [3.0, f64::NAN], [4.0, 0.25]]),
            Series::new("validation", [[1.0, 0.8], [2.0, 0.6], [3.0, 0.5], [4.0, f64::INFINITY]]),
        ],
    };
    let document = one(figure(Chart::Line(chart)));
    assert_eq!(texts(&document, "figcaption"), ["A figure"]);
    assert_eq!(texts(&document, ".legend li"), ["training", "validation"]);
    for svg in all(&document, "svg") {
        assert_eq!(svg.attr("role"), Some("img"));
        assert_eq!(svg.attr("aria-label"), Some("A figure: loss over epoch for training, validation"));
        assert!(svg.attr("viewBox").is_some() && svg.attr("width").is_none());
    }
    // Two stretches of training, of which one is a lone point; one of validation; seven points in all.
    assert_eq!(
        all(&document, "svg.wide polyline").len() + all(&document, "svg.narrow polyline").len(),
        2 * 3
    );
    assert_eq!(all(&document, "svg.wide circle").len(), 6);
    assert_eq!(texts(&document, "svg.wide text"), ["0", "0.2", "0.4", "0.6", "0.8", "1", "2", "3", "4"]);
    assert_eq!(
        texts(&document, "details tbody td"),
        ["0.7500", "0.8000", "0.5000", "0.6000", "–", "0.5000", "0.2500", "∞"]
    );
}

#[test]
fn the_style_sheet_knows_every_colour_of_the_drawings() {
    let series =
        (0..8).map(|line| Series::new(line.to_string(), [[0.0, 1.0], [1.0, f64::from(line)]])).collect();
    let html = {
        let mut report = Report::new("", "");
        let chart = LineChart { series, ..LineChart::default() };
        report.sections.push(Section::new("", "").block(figure(Chart::Line(chart))));
        to_html(&report)
    };
    let document = Html::parse_document(&html);
    let style = texts(&document, "style").concat();
    for element in all(&document, "polyline, circle, line") {
        for attribute in ["stroke", "fill"] {
            let color = element.attr(attribute).unwrap_or("none");
            let hidden = element.attr("opacity") == Some("0");
            let known = style.contains(&format!("svg [{attribute}=\"{color}\"]"));
            assert!(color == "none" || hidden || known, "{attribute}={color}");
        }
    }
    for line in 0..7 {
        assert_eq!(style.matches(&format!("--line-{line}:")).count(), 3, "light, dark and print");
    }
}

#[test]
fn bars_start_at_zero_and_carry_whiskers() {
    let bars = [
        ("up", Value::interval(Some(3.0), [2.0, 4.0], 1)),
        ("down", Value::number(-1.0, 1)),
        ("lost", Value::number(f64::NAN, 1)),
    ];
    let bars = bars.map(|(label, value)| Bar { label: label.to_owned(), value }).to_vec();
    let document = one(figure(Chart::Bar(BarChart { value_label: "gain".to_owned(), bars })));
    let style = |class: &str| -> Vec<_> {
        all(&document, class).iter().filter_map(|bar| bar.attr("style")).collect()
    };
    assert_eq!(style(".bar"), ["left:20.00%;width:60.00%", "left:0.00%;width:20.00%"]);
    assert_eq!(style(".whisker"), ["left:60.00%;width:40.00%"]);
    assert_eq!(texts(&document, ".bars .right"), ["3.0 2.0–4.0", "\u{2212}1.0", "–"]);
}

/// The attributes of the elements of a class, in a file that is XML.
fn drawn(svg: &str, class: &str, names: [&str; 2]) -> Vec<[f64; 2]> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let elements = document.descendants().filter(|node| node.attribute("class") == Some(class));
    elements.map(|node| names.map(|name| node.attribute(name).unwrap().parse().unwrap())).collect()
}

#[test]
fn a_bar_chart_is_a_picture_file_with_the_same_proportions() {
    let bars = [
        ("<up> & \"away\"", Value::interval(Some(3.0), [2.0, 4.0], 1)),
        ("down", Value::number(-1.0, 1)),
        ("lost", Value::number(f64::NAN, 1)),
    ];
    let bars = bars.map(|(label, value)| Bar { label: label.to_owned(), value }).to_vec();
    let svg = to_svg(&figure(Chart::Bar(BarChart { value_label: "gain".to_owned(), bars }))).unwrap();
    let [up, down] = drawn(&svg, "bar", ["x", "width"]).try_into().unwrap();
    let unit = down[1];
    assert!((up[1] - 3.0 * unit).abs() < 0.2 && (up[0] - (down[0] + unit)).abs() < 0.2, "{up:?} {down:?}");
    let whisker = drawn(&svg, "whisker", ["x1", "x2"])[0];
    assert!((whisker[0] - (up[0] + 2.0 * unit)).abs() < 0.2, "{whisker:?}");
    assert!((whisker[1] - (up[0] + 4.0 * unit)).abs() < 0.2, "{whisker:?}");
    assert!((drawn(&svg, "zero", ["x1", "x2"])[0][0] - up[0]).abs() < 0.2);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let words: Vec<&str> =
        document.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
    let expected = [
        "A figure",
        "gain",
        "<up> & \"away\"",
        "3.0 (2.0–4.0)",
        "down",
        "\u{2212}1.0",
        "lost",
        "–",
        "What to see.",
    ];
    assert_eq!(words, expected);
}

#[test]
fn a_line_chart_is_a_picture_file_and_a_matrix_is_none() {
    let series = vec![Series::new("one\u{1}", [[0.0, 1.0], [1.0, 2.0]]), Series::new("two", [[0.0, 3.0]])];
    let chart = LineChart {
        x_label: "age".to_owned(),
        y_label: "share".to_owned(),
        log_x: false,
        log_y: false,
        series,
    };
    let svg = to_svg(&figure(Chart::Line(chart))).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let count = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!((count("polyline"), count("circle")), (2, 3));
    for word in ["A figure", "one ", "two", "age", "share", "What to see."] {
        assert!(document.descendants().any(|node| node.text() == Some(word)), "{word}");
    }
    assert_eq!(to_svg(&figure(Chart::Line(LineChart::default()))), None);
    assert_eq!(to_svg(&figure(Chart::Bar(BarChart::default()))), None);
    assert_eq!(to_svg(&figure(Chart::ConfusionMatrix(ConfusionMatrix::default()))), None);
}

#[test]
fn logarithmic_axes_say_so_and_drop_what_they_cannot_show() {
    let series = vec![Series::new("one", [[0.0, 0.5], [0.001, 0.0], [0.01, 0.1], [0.1, 0.2], [1.0, 1.0]])];
    let (x_label, y_label) = ("false".to_owned(), "true".to_owned());
    let chart = Chart::Line(LineChart { x_label, y_label, log_x: true, log_y: true, series });
    let document = one(figure(chart.clone()));
    assert_eq!(texts(&document, "p.axis"), ["true (log scale)", "false (log scale)"]);
    assert_eq!(all(&document, "svg.wide circle").len(), 3);
    // The same distance from each power of ten to the next.
    let places: Vec<f64> = all(&document, "svg.wide circle")
        .iter()
        .map(|circle| circle.attr("cx").unwrap().parse().unwrap())
        .collect();
    assert!(((places[1] - places[0]) - (places[2] - places[1])).abs() <= 1.0, "{places:?}");
    let svg = to_svg(&figure(chart)).unwrap();
    assert!(svg.contains(">true (log scale)<") && svg.contains(">false (log scale)<"), "{svg}");
}

#[test]
fn a_line_chart_of_an_earlier_report_is_linear() {
    let text = r#"{"kind": "line", "x_label": "", "y_label": "", "log_y": true, "series": []}"#;
    let chart: Chart = serde_json::from_str(text).unwrap();
    assert_eq!(chart, Chart::Line(LineChart { log_y: true, ..LineChart::default() }));
}

#[test]
fn a_confusion_matrix_is_shaded_by_row() {
    let matrix =
        ConfusionMatrix { labels: vec!["cat".to_owned()], counts: vec![vec![8, 2], vec![1, 0], vec![]] };
    let document = one(figure(Chart::ConfusionMatrix(matrix)));
    assert_eq!(texts(&document, "tbody th"), ["cat", "1", "2"]);
    assert_eq!(texts(&document, ".matrix tbody td"), ["8", "2", "1", "0"]);
    let shades: Vec<_> =
        all(&document, ".matrix tbody td").iter().filter_map(|cell| cell.attr("style")).collect();
    assert_eq!(shades, ["--shade:80.0%", "--shade:20.0%", "--shade:100.0%", "--shade:0.0%"]);
    let classes: Vec<_> =
        all(&document, ".matrix tbody td").iter().filter_map(|cell| cell.attr("class")).collect();
    assert_eq!(classes, ["hit", "miss", "miss", "zero"]);
}

#[test]
fn of_a_large_matrix_the_largest_confusions_are_listed() {
    let counts =
        (0..100).map(|a| (0..100).map(|p| if a == p { 500 } else { (a * 100 + p) as u64 % 97 }).collect());
    let matrix = ConfusionMatrix { labels: Vec::new(), counts: counts.collect() };
    let document = one(figure(Chart::ConfusionMatrix(matrix)));
    let counts = texts(&document, "tbody .right");
    assert_eq!(counts.len(), 20);
    assert!(counts.iter().all(|count| count == "96"), "{counts:?}");
}

#[test]
fn a_gallery_shows_pictures_by_their_size() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[0, 50, 100, 150, 200, 250]).unwrap();
    assert_eq!(Png(bytes.clone()).size(), Some([3, 2]));
    assert_eq!(Png(b"GIF89a".to_vec()).size(), None);

    let picture =
        |png| Picture { png: Png(png), alt: "A four".to_owned(), caption: "4 read as 9".to_owned() };
    let pictures = vec![picture(bytes), picture(Vec::new())];
    let document = one(Gallery { pictures, caption: "Worst".to_owned() });
    let images = all(&document, ".gallery img");
    assert_eq!((images[0].attr("width"), images[0].attr("height")), (Some("3"), Some("2")));
    assert_eq!((images[0].attr("class"), images[1].attr("class")), (Some("pixels"), None));
    assert_eq!(images[0].attr("alt"), Some("A four"));
    assert_eq!(texts(&document, ".gallery p"), ["4 read as 9", "4 read as 9"]);
}

#[test]
fn sheets_of_pictures_get_more_room_than_single_ones() {
    for (side, class) in [(28, "gallery"), (302, "gallery sheets")] {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&vec![9; (side * side) as usize]).unwrap();
        let picture = Picture { png: Png(bytes), alt: "Digits".to_owned(), caption: String::new() };
        let document = one(Gallery { pictures: vec![picture], caption: String::new() });
        assert_eq!(all(&document, "ul.gallery")[0].attr("class"), Some(class));
    }
}

#[test]
fn notes_name_their_weight_in_words() {
    let note = |level| Note { level, text: "Mind this.".to_owned() };
    let document = page([Section::new("", "").block(note(Level::Info)).block(note(Level::Warning))]);
    assert_eq!(texts(&document, "aside"), ["Note Mind this.", "Warning Mind this."]);
}

#[test]
fn nothing_at_all_renders() {
    let empty = Section::new("", "")
        .paragraph("")
        .block(Table::default())
        .block(Gallery::default())
        .block(figure(Chart::Line(LineChart::default())))
        .block(figure(Chart::Line(LineChart { series: vec![Series::default()], ..LineChart::default() })))
        .block(figure(Chart::Bar(BarChart::default())))
        .block(figure(Chart::ConfusionMatrix(ConfusionMatrix::default())));
    let document = page([empty]);
    assert_eq!(texts(&document, ".empty"), ["No pictures.", "No data.", "No data.", "No data.", "No data."]);
    assert!(all(&document, "svg").is_empty());
}
