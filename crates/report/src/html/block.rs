//! Everything but figures.

use maud::{Markup, html};

use crate::html::figure::figure;
use crate::picture::Picture;
use crate::schema::{Align, Block, Column, Fact, Gallery, Level, Note, Table};
use crate::value::Value;

/// Up to this width a picture is shown with its pixels as they are.
const SMALL_PICTURE: u32 = 96;

pub(super) fn block(block: &Block) -> Markup {
    match block {
        Block::Paragraph { text } => html! { p { (text) } },
        Block::Facts { facts } => self::facts(facts),
        Block::Table(table) => self::table(table),
        Block::Figure(figure) => self::figure(figure),
        Block::Gallery(gallery) => self::gallery(gallery),
        Block::Note(note) => self::note(note),
    }
}

/// A value, its interval set apart.
pub(super) fn value(value: &Value) -> Markup {
    html! {
        (value.head())
        @if let Some(range) = value.tail() {
            " " span.range { (range) }
        }
    }
}

pub(super) fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl.facts {
            @for fact in facts {
                div { dt { (fact.name) } dd { (value(&fact.value)) } }
            }
        }
    }
}

fn note(note: &Note) -> Markup {
    let (class, name) = match note.level {
        Level::Info => ("note", "Note"),
        Level::Warning => ("note warning", "Warning"),
    };
    html! {
        aside class=(class) { p { strong { (name) } " " (note.text) } }
    }
}

fn table(table: &Table) -> Markup {
    let class = |column: usize| match table.columns.get(column).map(|column| column.align) {
        None | Some(Align::Left) => None,
        Some(Align::Center) => Some("center"),
        Some(Align::Right) => Some("right"),
    };
    let columns: Vec<(usize, &Column)> = table.columns.iter().enumerate().collect();
    html! {
        // Reachable by keyboard, since a wide table scrolls within it.
        div.scroll tabindex="0" role="group" aria-label=(if table.caption.is_empty() { "Table" } else { &table.caption }) {
            table {
                @if !table.caption.is_empty() {
                    caption { (table.caption) }
                }
                thead {
                    tr {
                        @for (index, column) in columns {
                            th scope="col" class=[class(index)] { (column.title) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 {
                                    th scope="row" class=[class(index)] { (value(cell)) }
                                } @else {
                                    td class=[class(index)] { (value(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gallery(gallery: &Gallery) -> Markup {
    html! {
        figure {
            @if !gallery.caption.is_empty() {
                figcaption.title { (gallery.caption) }
            }
            @if gallery.pictures.is_empty() {
                p.empty { "No pictures." }
            } @else {
                ul class=(gallery_class(gallery)) {
                    @for picture in &gallery.pictures {
                        li { (self::picture(picture)) }
                    }
                }
            }
        }
    }
}

/// From this width on a square picture is a sheet of many.
const SHEET: u32 = 257;

/// Strips of pictures side by side get more room, by how much wider than high they are, and so do whole sheets.
fn gallery_class(gallery: &Gallery) -> &'static str {
    let size = gallery.pictures.first().and_then(|picture| picture.png.size());
    match size.map(|[width, height]| width / height.max(1)) {
        Some(..2) if size.is_some_and(|[width, _]| width >= SHEET) => "gallery sheets",
        Some(4..) => "gallery rows",
        Some(2..) => "gallery strips",
        _ => "gallery",
    }
}

fn picture(picture: &Picture) -> Markup {
    let size = picture.png.size();
    let small = size.is_some_and(|[width, _]| width <= SMALL_PICTURE);
    html! {
        img class=[small.then_some("pixels")] src=(picture.png.data_url()) alt=(picture.alt)
            width=[size.map(|[width, _]| width)] height=[size.map(|[_, height]| height)];
        @if !picture.caption.is_empty() {
            p { (picture.caption) }
        }
    }
}
