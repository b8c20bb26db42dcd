//! What the documents say of the code is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::Place;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The crates of the workspace with the crates of it that each needs, as Cargo knows them.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = |name: &Value| match name.as_str().unwrap() {
        "crucible" => "cli".to_owned(),
        name => name.trim_start_matches("crucible-").to_owned(),
    };
    let needs = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|needed| needed["kind"].is_null() && needed["path"].is_string());
        normal.map(|needed| short(&needed["name"])).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (short(&package["name"]), needs(package))).collect()
}

#[test]
fn the_table_of_crates_is_what_cargo_knows() {
    let text = document("ARCHITECTURE.md");
    let (_, section) = text.split_once("\n## Crates\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let table: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let needs = quoted(cells[2]).into_iter().map(str::to_owned).collect();
            (quoted(cells[1])[0].to_owned(), needs)
        })
        .collect();
    assert_eq!(table, crates());
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut named = 0;
    for document_name in ["ARCHITECTURE.md", "README.md", "CHANGELOG.md"] {
        let text = document(document_name);
        for path in quoted(&text).into_iter().filter(|path| is_path(path)) {
            assert!(root().join(path).exists(), "{document_name} names {path}");
            named += 1;
        }
    }
    assert!(named >= 10, "{named}");
}

fn is_path(text: &str) -> bool {
    let folders = ["crates/", "recipes/", "benches/", "data/", "docs/", ".ci/"];
    folders.iter().any(|folder| text.starts_with(folder)) && !text.contains(['*', '<', ' '])
}

#[test]
fn only_kernels_may_be_unsafe() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 80, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let allows = ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code", "expect(unsafe_code"];
        let found = allows.iter().any(|word| text.contains(word));
        let here = file.ends_with("crates/cli/tests/cli/tidy.rs");
        assert!(!found || here || file.starts_with(root().join("crates/kernels")), "{}", file.display());
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_recipe_is_shipped_listed_and_right() {
    let place = Place::empty();
    let listed: BTreeSet<String> = place
        .ok(&["recipe", "list", "--json"])
        .objects()
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect();
    let files: BTreeSet<String> = std::fs::read_dir(root().join("recipes"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, files);
    for name in files {
        let said = place.run(&["recipe", "check", &name]);
        // One whose files are the reader's own says which to give.
        let needs = said.err.starts_with(&format!("error: {name}.toml needs paths of your own:\n  --set "));
        assert!(said.code == Some(0) || (said.code == Some(2) && needs), "{said:?}");
    }
}

#[test]
fn the_readme_names_only_verbs_that_exist() {
    let place = Place::empty();
    let readme = document("README.md");
    let calls = readme.lines().filter_map(|line| line.strip_prefix("crucible "));
    let verbs: BTreeSet<&str> = calls.map(|call| call.split_whitespace().next().unwrap()).collect();
    assert!(verbs.len() >= 6, "{verbs:?}");
    for verb in verbs {
        place.ok(&[verb, "--help"]);
    }
}
