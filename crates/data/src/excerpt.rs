//! Texts for people to look at.

/// The text behind an example, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Its beginning on one line, and "…" where it goes on.
    pub text: String,
    /// Whether tokens of it were cut off.
    pub is_cut: bool,
}

impl Excerpt {
    /// Characters of a text that are kept.
    const LONGEST: usize = 160;

    /// Of a whole text.
    #[must_use]
    pub fn new(text: &str, is_cut: bool) -> Self {
        let mut words = String::new();
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
            if let Some((end, _)) = words.char_indices().nth(Self::LONGEST) {
                words.truncate(end);
                words.push('…');
                break;
            }
        }
        Self { text: words, is_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_end_in_an_ellipsis_and_lines_become_one() {
        assert_eq!(Excerpt::new("  two\n\tlines ", false).text, "two lines");
        assert_eq!(Excerpt::new("", true), Excerpt { text: String::new(), is_cut: true });
        let long = Excerpt::new(&"ö".repeat(500), false).text;
        assert_eq!((long.chars().count(), long.ends_with('…')), (161, true));
        let whole = "x".repeat(160);
        assert_eq!(Excerpt::new(&whole, false).text, whole);
    }
}
