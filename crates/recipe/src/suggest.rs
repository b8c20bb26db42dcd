//! The nearest spelling of a name.

/// The one of `names` that `typed` was most likely meant to be, if any is near.
pub(crate) fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    if typed.chars().nth(64).is_some() {
        return None;
    }
    let plain = plain(typed);
    names
        .iter()
        .map(|name| (closeness(&plain, &self::plain(name)), *name))
        .filter(|(closeness, _)| *closeness > 0.0)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

/// Zero for names that are not near; more than zero, and the more the nearer, for those that are.
fn closeness(typed: &str, name: &str) -> f64 {
    let edits = strsim::damerau_levenshtein(typed, name);
    let similar = strsim::jaro_winkler(typed, name);
    let few = edits <= 1 + name.chars().count() / 4;
    let initials = abbreviates(name, typed) || abbreviates(typed, name);
    if few || initials || similar > 0.88 { similar.max(f64::MIN_POSITIVE) } else { 0.0 }
}

/// Whether `short` is made of the initials of `long`'s words: `lr` of `learning_rate`.
fn abbreviates(short: &str, long: &str) -> bool {
    long.contains('_') && long.split('_').filter_map(|word| word.chars().next()).eq(short.chars())
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["lr", "momentum", "nesterov", "weight_decay", "name"];
        for (typed, meant) in [
            ("learning_rate", Some("lr")),
            ("weight-decay", Some("weight_decay")),
            ("wieght_decay", Some("weight_decay")),
            ("Momentum", Some("momentum")),
            ("momentun", Some("momentum")),
            ("nam", Some("name")),
            ("l", Some("lr")),
            ("color", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &names), meant, "{typed}");
        }
    }
}
