//! Reports of any content, with texts and numbers chosen to break things.

use crucible_report::{
    Align, Bar, BarChart, Block, Bound, Card, Chart, Column, ConfusionMatrix, Fact, Figure, Gallery,
    Highlight, Level, Limit, LineChart, Measure, Note, Number, Outcome, Picture, Png, Report, Section,
    Series, Table, Value, Verdict,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ]{0,12}",
        any::<String>(),
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' onmouseover='alert(1)".to_owned()),
        Just("</style></svg></title><b>&lt;".to_owned()),
        Just("]]>--><!-- | `x` [a](javascript:alert(1))".to_owned()),
    ]
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    let special =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0, 0.0];
    prop_oneof![3 => -1e3..1e3f64, 1 => any::<f64>(), 1 => prop::sample::select(special.to_vec())]
}

fn value() -> impl Strategy<Value = Value> {
    let interval = (number(), number(), number(), any::<u8>(), any::<bool>());
    prop_oneof![
        Just(Value::Missing),
        text().prop_map(Value::text),
        (number(), any::<u8>(), text()).prop_map(|(v, digits, unit)| Value::quantity(v, digits, unit)),
        (number(), any::<u8>()).prop_map(|(v, digits)| Value::percent(v, digits)),
        interval.prop_map(|(estimate, low, high, digits, percent)| {
            let [estimate, low, high] = [estimate, low, high].map(Number);
            Value::Interval { estimate, low, high, digits, percent }
        }),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    (text(), value()).prop_map(|(name, value)| Fact { name, value })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (outcome(), text(), option::of(value()), option::of(limit()))
        .prop_map(|(outcome, text, measured, limit)| Verdict { outcome, text, measured, limit })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::{Fail, Pass, Skipped, Undecided};
    prop::sample::select(vec![Pass, Fail, Undecided, Skipped])
}

fn limit() -> impl Strategy<Value = Limit> {
    let bound = prop_oneof![Just(Bound::AtLeast), Just(Bound::AtMost)];
    (bound, value()).prop_map(|(bound, value)| Limit { bound, value })
}

fn card() -> impl Strategy<Value = Card> {
    let measure = (text(), outcome(), value(), limit(), text(), text()).prop_map(
        |(label, outcome, value, limit, text, section)| Measure {
            label,
            outcome,
            value,
            limit,
            text,
            section,
        },
    );
    (text(), outcome(), vec(measure, 0..3)).prop_map(|(title, outcome, measures)| Card {
        title,
        outcome,
        measures,
    })
}

fn table() -> impl Strategy<Value = Table> {
    let align = prop_oneof![Just(Align::Left), Just(Align::Center), Just(Align::Right)];
    let column = (text(), align).prop_map(|(title, align)| Column { title, align });
    (vec(column, 0..4), vec(vec(value(), 0..5), 0..4), text()).prop_map(|(columns, rows, caption)| Table {
        columns,
        rows,
        caption,
    })
}

pub(crate) fn line_chart() -> impl Strategy<Value = LineChart> {
    let points = vec((number(), number()), 0..40).prop_map(|points| points.into_iter().map(|(x, y)| [x, y]));
    let series = vec((text(), points).prop_map(|(name, points)| Series::new(name, points)), 0..9);
    (text(), text(), any::<[bool; 2]>(), series).prop_map(|(x_label, y_label, [log_x, log_y], series)| {
        LineChart { x_label, y_label, log_x, log_y, series }
    })
}

fn chart() -> impl Strategy<Value = Chart> {
    let bars = vec((text(), value()).prop_map(|(label, value)| Bar { label, value }), 0..5);
    let counts = vec(vec(prop_oneof![0..9u64, any::<u64>()], 0..5), 0..30);
    prop_oneof![
        line_chart().prop_map(Chart::Line),
        (text(), bars).prop_map(|(value_label, bars)| Chart::Bar(BarChart { value_label, bars })),
        (vec(text(), 0..5), counts)
            .prop_map(|(labels, counts)| Chart::ConfusionMatrix(ConfusionMatrix { labels, counts })),
    ]
}

fn block() -> impl Strategy<Value = Block> {
    let picture = (vec(any::<u8>(), 0..40), text(), text()).prop_map(|(bytes, alt, caption)| Picture {
        png: Png(bytes),
        alt,
        caption,
    });
    let gallery = (vec(picture, 0..3), text()).prop_map(|(pictures, caption)| Gallery { pictures, caption });
    let level = prop_oneof![Just(Level::Info), Just(Level::Warning)];
    prop_oneof![
        text().prop_map(|text| Block::Paragraph { text }),
        vec(fact(), 0..3).prop_map(|facts| Block::Facts { facts }),
        table().prop_map(Block::Table),
        (text(), text(), chart()).prop_map(|(title, caption, chart)| Block::Figure(Figure {
            title,
            caption,
            chart
        })),
        gallery.prop_map(Block::Gallery),
        (level, text()).prop_map(|(level, text)| Block::Note(Note { level, text })),
    ]
}

pub(crate) fn report() -> impl Strategy<Value = Report> {
    let section = (text(), text(), option::of(verdict()), vec(block(), 0..5))
        .prop_map(|(id, title, verdict, blocks)| Section { id, title, verdict, blocks });
    let highlight =
        (text(), value(), text()).prop_map(|(label, value, detail)| Highlight { label, value, detail });
    let head = (text(), text(), option::of(verdict()), text());
    (head, vec(highlight, 0..3), vec(card(), 0..3), vec(fact(), 0..3), vec(section, 0..4)).prop_map(
        |((title, summary, verdict, created), highlights, cards, facts, sections)| Report {
            verdict,
            created,
            highlights,
            cards,
            facts,
            sections,
            ..Report::new(title, summary)
        },
    )
}
