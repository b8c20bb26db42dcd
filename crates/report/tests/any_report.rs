//! What holds for every report, however hostile its texts and broken its numbers.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod arbitrary;

use std::collections::HashSet;

use crucible_report::{
    Block, Chart, Figure, ReadError, Report, Section, VERSION, from_json, to_html, to_json, to_junit,
    to_markdown, to_svg,
};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser};
use scraper::{Html, Selector};

/// The only elements that the page consists of.
const ELEMENTS: &str = "html head meta title style body div header nav main section article aside h1 h2 h3 p a b i strong span \
    ol ul li dl dt dd table caption thead tbody tr th td figure figcaption details summary img svg polyline line circle \
    text";

fn select(pattern: &str) -> Selector {
    Selector::parse(pattern).unwrap()
}

/// Fails if a page holds anything that runs, loads or does not belong there.
fn check_inert(page: &str) -> Result<(), TestCaseError> {
    let document = Html::parse_document(page);
    for element in document.select(&select("*")) {
        let element = element.value();
        prop_assert!(ELEMENTS.split_whitespace().any(|name| name == element.name()), "<{}>", element.name());
        for (name, value) in element.attrs() {
            prop_assert!(!name.starts_with("on"), "{}", name);
            match name {
                "href" => prop_assert!(value.starts_with('#'), "{}", value),
                "src" => prop_assert!(value.starts_with("data:image/png;base64,"), "{}", value),
                "style" => prop_assert!(!value.contains("url") && !value.contains("NaN"), "{}", value),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Every drawing of a page is well-formed XML, and all its coordinates are numbers.
fn check_drawings(page: &str) -> Result<(), TestCaseError> {
    for (start, _) in page.match_indices("<svg ") {
        let length = page[start..].find("</svg>").unwrap() + "</svg>".len();
        let drawing = roxmltree::Document::parse(&page[start..start + length])
            .map_err(|error| TestCaseError::fail(format!("{error}")))?;
        for node in drawing.descendants() {
            for name in ["cx", "cy", "r", "x", "y", "x1", "y1", "x2", "y2", "points"] {
                let numbers =
                    node.attribute(name).unwrap_or_default().split([' ', ',']).filter(|n| !n.is_empty());
                for number in numbers {
                    prop_assert!(
                        number.parse::<f64>().is_ok_and(|n| (-1e3..1e4).contains(&n)),
                        "{}={}",
                        name,
                        number
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn json_keeps_every_bit(report in arbitrary::report()) {
        let json = to_json(&report);
        let read = from_json(&json).unwrap();
        prop_assert_eq!(&read, &report);
        prop_assert_eq!(to_json(&read), json);
    }

    #[test]
    fn junit_is_xml_with_a_test_for_each_limit(report in arbitrary::report()) {
        let xml = to_junit(&report);
        let document = roxmltree::Document::parse(&xml).map_err(|error| TestCaseError::fail(format!("{error}")))?;
        let tests = document.descendants().filter(|node| node.has_tag_name("testcase")).count();
        prop_assert_eq!(tests, report.cards.iter().map(|card| card.measures.len()).sum::<usize>());
    }

    #[test]
    fn html_is_inert_whatever_it_holds(report in arbitrary::report()) {
        let page = to_html(&report);
        check_inert(&page)?;
        check_drawings(&page)?;

        let document = Html::parse_document(&page);
        prop_assert_eq!(document.select(&select("h1")).count(), 1);
        prop_assert_eq!(document.select(&select("section")).count(), report.sections.len());
        let ids: Vec<_> = document.select(&select("[id]")).filter_map(|element| element.value().id()).collect();
        prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{:?}", ids);
        for link in document.select(&select("a")) {
            prop_assert!(ids.contains(&&link.attr("href").unwrap()[1..]));
        }
    }

    #[test]
    fn drawings_hold_only_numbers(chart in arbitrary::line_chart()) {
        let figure = Figure { title: String::new(), caption: String::new(), chart: Chart::Line(chart) };
        let mut report = Report::new("", "");
        report.sections.push(Section::new("", "").block(figure));
        check_drawings(&to_html(&report))?;
    }

    #[test]
    fn picture_files_are_well_formed_and_within_their_frame(report in arbitrary::report()) {
        let blocks = report.sections.iter().flat_map(|section| &section.blocks);
        for figure in blocks.filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None }) {
            let Some(svg) = to_svg(figure) else { continue };
            let file = roxmltree::Document::parse(&svg).map_err(|error| TestCaseError::fail(format!("{error}")))?;
            for bar in file.descendants().filter(|node| node.attribute("class") == Some("bar")) {
                let [x, width]: [f64; 2] = ["x", "width"].map(|name| bar.attribute(name).unwrap().parse().unwrap());
                prop_assert!(x > 0.0 && width >= 0.0 && x + width < 760.0, "{} {}", x, width);
            }
        }
    }

    #[test]
    fn markdown_holds_no_html_and_no_links_whatever_it_holds(report in arbitrary::report()) {
        let markdown = to_markdown(&report);
        let mut headings = 0;
        for event in Parser::new_ext(&markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            use pulldown_cmark::Tag;
            match event {
                Event::Html(_) | Event::InlineHtml(_) => prop_assert!(false, "HTML in {}", markdown),
                Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => {
                    prop_assert!(false, "a link or code in {}", markdown);
                }
                Event::Start(Tag::Heading { .. }) => headings += 1,
                _ => {}
            }
        }
        prop_assert_eq!(headings, 1 + report.sections.len());
    }

    #[test]
    fn texts_come_back_out_of_html(text in arbitrary::text()) {
        // HTML parsers replace these, as the standard says.
        prop_assume!(!text.contains(['\0', '\r']));
        let mut report = Report::new(&text, "");
        report.sections.push(Section::new("one", "One").block(Block::Paragraph { text: text.clone() }));
        let document = Html::parse_document(&to_html(&report));
        for place in ["h1", "section p"] {
            let read: String = document.select(&select(place)).next().unwrap().text().collect();
            prop_assert_eq!(&read, &text);
        }
    }
}

#[test]
fn json_begins_with_its_version_and_is_stable() {
    let mut report = Report::new("A", "B");
    report.sections.push(Section::new("c", "C").paragraph("D"));
    let json = r#"{
  "version": 2,
  "title": "A",
  "summary": "B",
  "verdict": null,
  "created": "",
  "highlights": [],
  "cards": [],
  "facts": [],
  "sections": [
    {
      "id": "c",
      "title": "C",
      "verdict": null,
      "blocks": [
        {
          "kind": "paragraph",
          "text": "D"
        }
      ]
    }
  ]
}
"#;
    assert_eq!(to_json(&report), json);
    let first = json.replace("\"version\": 2", "\"version\": 1").replace("  \"cards\": [],\n", "");
    assert_eq!(from_json(&first).unwrap(), report, "the first version had no cards");
}

#[test]
fn reports_of_another_version_are_refused_by_name() {
    let newer = format!(r#"{{"version": {}, "something": "else"}}"#, VERSION + 1);
    assert!(matches!(from_json(&newer), Err(ReadError::Version { found }) if found == VERSION + 1));
    assert!(matches!(from_json("{}"), Err(ReadError::Invalid(_))));
    assert!(matches!(from_json(r#"{"version": 1}"#), Err(ReadError::Invalid(_))));
}
