//! Whatever the input, an answer and no panic.

use crucible_recipe::{MAX_BYTES, check};
use proptest::prelude::*;

use crate::filled::{as_toml, recipe};
use crate::sample::Recipe;

fn told(text: &str, overrides: &[String]) -> String {
    match check::<Recipe>(text, "r.toml", overrides) {
        Ok(checked) => {
            let again = check::<Recipe>(&checked.filled, "r.toml", &[]).unwrap();
            assert_eq!((&again.value, &again.filled), (&checked.value, &checked.filled));
            checked.filled
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.to_string()
        }
    }
}

#[test]
fn too_long_a_recipe_is_refused() {
    let text = "#".repeat(MAX_BYTES);
    assert!(told(&text, &[]).starts_with("r.toml: missing table [data]"));
    assert_eq!(
        told(&(text.clone() + "#"), &[]),
        "r.toml: the recipe has 1048577 bytes; at most 1048576 (1 MiB) are read"
    );
    let told = told("", &["#".to_owned() + &text]);
    assert!(told.ends_with("…: the override has 1048577 bytes; at most 1048576 (1 MiB) are read"), "{told}");
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        format!("{}a = 1", "a.".repeat(400_000)),
        format!("[{}a]", "a.".repeat(400_000)),
        format!("[[{}a]]", "a.".repeat(400_000)),
        format!("a = {}", "[".repeat(900_000)),
        format!("a = {}{}", "[".repeat(400_000), "]".repeat(400_000)),
        format!("a = {}", "{a=".repeat(300_000)),
        format!("a = {}1{}", "{a=".repeat(200_000), "}".repeat(200_000)),
    ] {
        let told = told(&text, &[]);
        assert!(
            told.contains("not valid TOML: nested too deeply") && told.lines().count() == 3,
            "{}",
            &told[..told.len().min(2000)]
        );
    }
    let deep = format!("{}a=1", "a.".repeat(100_000));
    assert!(told("", std::slice::from_ref(&deep)).contains("the key before `=` must be a dotted key"));
    let deep = format!("a={}", "[".repeat(100_000));
    assert!(told("", &[deep]).contains("the value is not valid TOML"));
}

#[test]
fn many_problems_are_counted() {
    let text: String = (0..50_000).map(|index| format!("k{index} = {index}\n")).collect();
    let told = told(&text, &[]);
    assert!(told.ends_with("r.toml: and 49802 more problems"), "{}", &told[told.len() - 100..]);
    let line: String = (0..50_000).map(|index| format!("k{index} = {index}, ")).collect();
    assert!(self::told(&format!("model = {{ {line} x = 1 }}"), &[]).len() < 200_000);
    assert!(self::told(&"=\n".repeat(MAX_BYTES / 2), &[]).contains("more problems"));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let told = told("\"\\u001b[31m\" = 1\nx = \"\u{1b}[31m\"", &["\u{1b}[31m=1".to_owned()]);
    assert!(!told.contains('\u{1b}'), "{told:?}");
}

/// Pieces of recipes, right and wrong, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "\n",
        "\r\n",
        "#",
        " ",
        "\t",
        "data",
        "train",
        "optimizer",
        "name",
        "source",
        "\"sgd\"",
        "\"adam\"",
        "\"digits\"",
        "epochs",
        "lr",
        "1",
        "-0",
        "1e400",
        "inf",
        "nan",
        "0x",
        "1979-05-27",
        "true",
        "é",
        "\u{feff}",
        "\u{0}",
        "hidden",
        "model",
        "audit",
        "checks",
        "schedule",
        "99999999999999999999",
        "\\u12",
        "[train]\n",
        "epochs = 3\n",
        "data = \"digits\"\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text(text in any::<String>(), set in any::<String>()) {
        told(&text, &[set]);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        told(&String::from_utf8_lossy(&bytes), &[]);
    }

    #[test]
    fn any_pieces(text in pieces(), key in pieces(), value in pieces()) {
        told(&text, &[format!("{key}={value}"), format!("train.{key}={value}")]);
    }

    #[test]
    fn a_good_recipe_with_any_change(
        recipe in recipe(),
        filled in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..12usize, pieces()), 1..4),
    ) {
        let mut text = as_toml(&recipe);
        if filled {
            text = check::<Recipe>(&text, "r.toml", &[]).unwrap().filled;
        }
        for (at, cut, piece) in changes {
            let mut chars: Vec<char> = text.chars().collect();
            let start = at.index(chars.len() + 1);
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, piece.chars());
            text = chars.into_iter().collect();
        }
        told(&text, &[]);
    }
}
