use crucible_data::{Column, Examples, InputFormat};
use crucible_report::{Column as Heading, Value};

/// Columns of a table that the report shows.
const COLUMNS: usize = 16;

/// The headings of a table's columns, the first ones where there are many, or of texts.
pub(super) fn headings(format: &InputFormat) -> Vec<Heading> {
    if let InputFormat::Text { .. } = format {
        return vec![Heading::left("Text")];
    }
    let heading = |column: &Column| match column {
        Column::Numeric { name, .. } => Heading::right(name),
        Column::Categorical { name, .. } => Heading::left(name),
    };
    format.columns().into_iter().take(COLUMNS).map(|(column, _)| heading(column)).collect()
}

/// What an example of a table has in those columns, or the beginning of a text.
pub(super) fn cells(format: &InputFormat, examples: &Examples, index: usize) -> Vec<Value> {
    if let Some(excerpts) = examples.excerpts() {
        return vec![Value::text(excerpts[index].text.clone())];
    }
    let inputs = crate::view::inputs(examples, std::iter::once(index));
    let cell = |(number, (column, places)): (u32, (&Column, std::ops::Range<usize>))| {
        let missing = examples.missing().binary_search(&(index as u32, number)).is_ok();
        let cell = if missing { None } else { column.cell(&inputs[places]) };
        cell.map_or(Value::Missing, |cell| Value::text(cell.to_string()))
    };
    (0..).zip(format.columns().into_iter().take(COLUMNS)).map(cell).collect()
}
