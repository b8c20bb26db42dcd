//! Questions about a budget of privacy.

use crate::support::Place;

fn budget(place: &Place, words: &[&str]) -> serde_json::Value {
    let common = ["privacy", "budget", "--rate", "0.04", "--steps", "2250", "--delta", "1e-5", "--json"];
    place.ok(&[&common, words].concat()).objects().remove(0)
}

/// ε by Opacus and by Google's dp-accounting, and the noise by Opacus.
#[test]
fn a_budget_is_that_of_others() {
    let place = Place::empty();
    let found = &budget(&place, &["--noise", "1.5"])["epsilon"];
    let epsilon = |key: &str| found[key].as_f64().unwrap();
    assert!((epsilon("rdp") - 7.329_111).abs() < 5e-4, "{found}");
    assert!(epsilon("pld_lower") <= 6.768_8 && 6.768_7 <= epsilon("pld_upper"), "{found}");
    assert!((epsilon("gdp") - 6.601_567).abs() < 1e-4, "{found}");
    let found = &budget(&place, &["--epsilon", "8"])["noise"];
    for (key, published) in [("rdp", 1.416), ("pld", 1.347_7), ("gdp", 1.323_2)] {
        assert!((found[key].as_f64().unwrap() - published).abs() < 1e-2, "{found}");
    }
}

#[test]
fn a_budget_is_told_as_a_table_and_drawn() {
    let place = Place::empty();
    let words =
        ["privacy", "budget", "--noise", "1", "--rate", "0.01", "--steps", "400", "--plot", "spent.svg"];
    let text = place.ok(&words).out;
    for steps in ["100", "200", "400", "800", "1600"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(steps)), "{text}");
    }
    assert!(place.text("spent.svg").starts_with("<svg"));
}

#[test]
fn a_budget_of_wrong_numbers_is_wrong_use() {
    let place = Place::empty();
    for (words, expected) in [
        (
            &["--noise", "-1", "--rate", "0.1"][..],
            "the noise is -1, and must be a finite number above 0: the noise's standard deviation over the clipping norm",
        ),
        (
            &["--noise", "1", "--rate", "2"],
            "the sampling rate is 2, and must lie above 0 and be at most 1: the expected share of the examples in a step",
        ),
        (
            &["--noise", "1", "--rate", "0.1", "--delta", "0"],
            "δ is 0, and must lie between 0 and 1; below one over the number of examples is usual, such as 1e-5",
        ),
        (&["--epsilon", "0", "--rate", "0.1"], "ε is 0, and must be a finite number above 0"),
    ] {
        place.refuses(&[&["privacy", "budget", "--steps", "10"], words].concat(), 2, expected);
    }
}
