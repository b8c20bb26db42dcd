//! The text of a recipe: from byte offsets to lines, columns and excerpts.

use std::ops::Range;

/// Lines longer than this many characters are shown in part.
const WIDEST: usize = 110;
/// How many characters of a long line are shown before the place that matters.
const BEFORE: usize = 40;

/// What was written: the file, and the overrides on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    pub(crate) file_name: String,
    file: String,
    line_starts: Vec<usize>,
    pub(crate) overrides: Vec<String>,
}

/// One line of the file, and which of its characters matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Excerpt {
    pub(crate) line: String,
    /// Characters before the first that matters.
    pub(crate) indent: usize,
    /// How many characters matter, at least one.
    pub(crate) width: usize,
}

impl Text {
    /// Indexes a file's lines.
    pub(crate) fn new(file_name: &str, file: &str, overrides: &[String]) -> Self {
        let line_starts =
            std::iter::once(0).chain(file.match_indices('\n').map(|(index, _)| index + 1)).collect();
        Self {
            file_name: file_name.to_owned(),
            file: file.to_owned(),
            line_starts,
            overrides: overrides.to_vec(),
        }
    }

    /// The line and the column, both from one and the column in characters, and the excerpt of these bytes.
    pub(crate) fn resolve(&self, span: &Range<usize>) -> (usize, usize, Excerpt) {
        let start = self.boundary(span.start);
        let row = self.line_starts.partition_point(|&line| line <= start).saturating_sub(1);
        let line_start = self.line_starts.get(row).copied().unwrap_or(0);
        let line_end = self.line_starts.get(row + 1).map_or(self.file.len(), |next| next - 1);
        let start = start.min(line_end);
        let line = self.file.get(line_start..line_end).unwrap_or_default();
        let end = self.boundary(span.end).clamp(start, line_end);
        let column = count(self.file.get(line_start..start));
        let width = count(self.file.get(start..end)).max(1);
        (row + 1, column + 1, excerpt(line.strip_suffix('\r').unwrap_or(line), column, width))
    }

    fn boundary(&self, offset: usize) -> usize {
        self.file.floor_char_boundary(offset.min(self.file.len()))
    }
}

fn count(text: Option<&str>) -> usize {
    text.unwrap_or_default().chars().count()
}

fn excerpt(line: &str, column: usize, width: usize) -> Excerpt {
    let show = |character: char| match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    };
    if line.chars().nth(WIDEST).is_none() {
        return Excerpt { line: line.chars().map(show).collect(), indent: column, width };
    }
    let skipped = column.saturating_sub(BEFORE);
    let mut shown: String = line.chars().skip(skipped).take(WIDEST).map(show).collect();
    let mut indent = column - skipped;
    if skipped > 0 {
        shown.insert(0, '…');
        indent += 1;
    }
    if line.chars().nth(skipped + WIDEST).is_some() {
        shown.push('…');
    }
    let room = shown.chars().count().saturating_sub(indent).max(1);
    Excerpt { line: shown, indent, width: width.min(room) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_may_end_in_crlf() {
        let text = Text::new("r", "a = 1\r\nöö = \"é\"\r\n", &[]);
        let start = text.file.find('"').unwrap();
        let (line, column, excerpt) = text.resolve(&(start..start + 4));
        assert_eq!((line, column), (2, 6));
        assert_eq!(excerpt, Excerpt { line: "öö = \"é\"".to_owned(), indent: 5, width: 3 });
    }

    #[test]
    fn any_offsets_resolve() {
        let text = Text::new("r", "é\n\tx", &[]);
        for start in 0..9 {
            for end in 0..9 {
                let (line, column, excerpt) = text.resolve(&(start..end));
                assert!(line <= 2 && column <= 3 && excerpt.width >= 1, "{start}..{end}");
            }
        }
    }

    #[test]
    fn long_lines_are_shown_in_part() {
        let long = format!("{}needle{}", "a".repeat(500), "b".repeat(500));
        let (_, column, excerpt) = Text::new("r", &long, &[]).resolve(&(500..506));
        assert_eq!(column, 501);
        assert_eq!(excerpt.line.chars().count(), WIDEST + 2);
        let marked: String = excerpt.line.chars().skip(excerpt.indent).take(excerpt.width).collect();
        assert_eq!(marked, "needle");
    }
}
