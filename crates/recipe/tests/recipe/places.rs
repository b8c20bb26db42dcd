//! Where things were written, and the caller's own problems.

use crucible_recipe::{Origin, Problems, check};

use crate::sample::Recipe;

const TEXT: &str = r#"data = "digits"

[train]
  epochs = 3
optimizer = { name = "sgd", lr = 0.5 }

[[audit.checks]]
metric = "auroc"
at_least = 0.5
"#;

fn file(line: usize, column: usize) -> Origin {
    Origin::File { line, column }
}

#[test]
fn keys_are_located() {
    let set = "train.seed=7".to_owned();
    let checked = check::<Recipe>(TEXT, "r.toml", std::slice::from_ref(&set)).unwrap();
    for (path, origin) in [
        ("data", file(1, 8)),
        ("train", file(3, 2)),
        ("train.epochs", file(4, 12)),
        ("train.optimizer", file(5, 1)),
        ("train.optimizer.lr", file(5, 34)),
        ("audit.checks[0]", file(7, 1)),
        ("audit.checks[0].at_least", file(9, 12)),
        ("train.seed", Origin::Override { text: set.clone() }),
        ("train.batch", Origin::Default),
        ("model.hidden", Origin::Default),
        ("audit.checks[1]", Origin::Default),
        ("train.epoch", Origin::Default),
        ("", Origin::Default),
        ("..[[", Origin::Default),
    ] {
        assert_eq!(checked.locate(path), origin, "{path}");
    }
}

#[test]
fn the_callers_own_problems_are_told_alike() {
    let checked = check::<Recipe>(TEXT, "r.toml", &["train.seed=7".to_owned()]).unwrap();
    let mut problems = Problems::none(&checked.places);
    assert!(problems.is_empty() && problems.clone().into_result().is_ok());
    problems.add(&checked.places, "train.optimizer.lr", "too bold", Some("try 0.1".to_owned()));
    problems.add(&checked.places, "train.batch", "must be given with [audit]", None);
    problems.append(Problems::at(&checked.places, "train.seed", "unlucky", Some("try 8".to_owned())));
    problems.add(&checked.places, "model.hidden", "must not be empty", None);
    assert_eq!(
        problems.to_string(),
        "r.toml:5:34: too bold
    5 | optimizer = { name = \"sgd\", lr = 0.5 }
      |                                  ^^^ try 0.1

r.toml:3:2: must be given with [audit]
    3 | [train]
      |  ^^^^^

--set train.seed=7: unlucky
      = try 8

r.toml: must not be empty"
    );
    assert!(problems.into_result().is_err());
}

#[test]
fn problems_serialize() {
    let problems =
        check::<Recipe>("data = \"digits\"\ntrain = { epochs = 0 }", "r.toml", &["x=1".to_owned()])
            .unwrap_err();
    assert_eq!(
        serde_json::to_value(&problems).unwrap(),
        serde_json::json!([
            {
                "line": 2,
                "column": 20,
                "override": null,
                "path": "train.epochs",
                "message": "`train.epochs` must be an integer from 1 to 10000, found 0",
                "help": null,
            },
            {
                "line": null,
                "column": null,
                "override": "x=1",
                "path": "x",
                "message": "unknown key `x` at the top level",
                "help": "allowed: data, model, train, audit",
            },
        ])
    );
}
