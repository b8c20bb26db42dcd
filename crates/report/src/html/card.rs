//! What was held against limits, a card for each concern.

use maud::{Markup, html};

use crate::html::block::value;
use crate::html::mark;
use crate::schema::{Card, Measure};

/// The cards; `anchor` finds the anchor of a section by its id.
pub(super) fn cards<'a>(cards: &[Card], anchor: impl Fn(&str) -> Option<&'a str>) -> Markup {
    html! {
        @if !cards.is_empty() {
            div.cards {
                @for card in cards {
                    (self::card(card, &anchor))
                }
            }
        }
    }
}

fn card<'a>(card: &Card, anchor: &impl Fn(&str) -> Option<&'a str>) -> Markup {
    html! {
        article class={ "card " (card.outcome.class()) } {
            h3 { (card.title) " " (mark(card.outcome)) }
            @for measure in &card.measures {
                (self::measure(measure, anchor(&measure.section)))
            }
        }
    }
}

fn measure(measure: &Measure, anchor: Option<&str>) -> Markup {
    html! {
        div.measure {
            p.label {
                @match anchor {
                    Some(anchor) => a href={ "#" (anchor) } { (measure.label) },
                    None => (measure.label),
                }
                " " (mark(measure.outcome))
            }
            p.number { (value(&measure.value)) }
            p.limit { "limit " (measure.limit.bound.sign()) " " (value(&measure.limit.value)) }
            @if let Some(gauge) = Gauge::new(measure) {
                (gauge.draw(measure))
            }
            @if !measure.text.is_empty() {
                p { (measure.text) }
            }
        }
    }
}

/// Where an interval lies beside its limit, as shares of the width.
struct Gauge {
    low: f64,
    at: f64,
    high: f64,
    limit: f64,
}

impl Gauge {
    /// None where a value or the limit is missing.
    fn new(measure: &Measure) -> Option<Self> {
        let (at, limit) = (measure.value.estimate()?, measure.limit.value.estimate()?);
        let [low, high] = measure.value.ends().unwrap_or([at; 2]);
        // A little room at both ends, more where everything lies at one place.
        let (from, to) = (low.min(at).min(limit), high.max(at).max(limit));
        let room = ((to - from) * 0.15).max(0.02 * to.abs().max(from.abs())).max(1e-9);
        let share = |value: f64| 100.0 * (value - from + room) / (to - from + 2.0 * room);
        let [low, at, high, limit] = [low, at, high, limit].map(share);
        [low, at, high, limit].iter().all(|share| share.is_finite()).then_some(Self { low, at, high, limit })
    }

    fn draw(&self, measure: &Measure) -> Markup {
        let Self { low, at, high, limit } = self;
        html! {
            div class={ "gauge " (measure.outcome.class()) } aria-hidden="true" {
                div.span style=(format!("left:{low:.2}%;width:{:.2}%", high - low)) {}
                div.at style=(format!("left:{at:.2}%")) {}
                div.line style=(format!("left:{limit:.2}%")) {}
            }
        }
    }
}
