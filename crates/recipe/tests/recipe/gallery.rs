//! Bad recipes, each beside exactly what is said of it.
//!
//! With `BLESS=1` in the environment the expected texts are written anew; read the difference.

use crate::sample;

use std::fs;
use std::path::Path;

#[test]
fn each_bad_recipe_is_told_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gallery");
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        let overrides: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("#--set ")).map(str::to_owned).collect();
        let told = crucible_recipe::check::<sample::Recipe>(&text, "recipe.toml", &overrides)
            .map(|checked| checked.filled)
            .expect_err(&format!("{} is accepted", path.display()))
            .to_string();
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, told + "\n").unwrap();
        } else if fs::read_to_string(&expected).unwrap() != told.clone() + "\n" {
            wrong += &format!("---- {}\n{told}\n", path.display());
        }
    }
    assert!(seen >= 15, "only {seen} recipes in the gallery");
    assert!(wrong.is_empty(), "{wrong}");
}
