//! Overrides that can be applied. Those that cannot are in the gallery.

use crucible_recipe::check;

use crate::sample::{Activation, Adam, Column, Optimizer, Recipe, Schedule, Sgd, Source};

const BASE: &str = r#"
data = "digits"

[train]
epochs = 3

[train.optimizer]
name = "sgd"
lr = 0.5
momentum = 0.9
"#;

fn with(text: &str, overrides: &[&str]) -> Result<Recipe, String> {
    let overrides: Vec<String> = overrides.iter().map(|&set| set.to_owned()).collect();
    check::<Recipe>(text, "r.toml", &overrides)
        .map(|checked| checked.value)
        .map_err(|problems| problems.to_string())
}

#[test]
fn values_are_toml_or_bare_words() {
    let recipe = with(
        BASE,
        &[
            "train.epochs=7",
            "model.activation = gelu",
            "model.hidden=[1, 2]",
            "train.\"seed\"=0xff",
            "model.scale=2",
        ],
    )
    .unwrap();
    assert_eq!((recipe.train.epochs, recipe.train.seed), (7, 255));
    assert_eq!((recipe.model.activation, recipe.model.hidden), (Activation::Gelu, vec![1, 2]));
    assert_eq!(recipe.model.scale, Some(2.0));
}

#[test]
fn the_last_one_counts() {
    assert_eq!(with(BASE, &["train.epochs=7", "train.epochs=9"]).unwrap().train.epochs, 9);
}

#[test]
fn a_new_variant_drops_what_only_the_old_one_had() {
    let adam = Optimizer::Adam(Adam { lr: 0.5, ..Adam::default() });
    for set in ["train.optimizer.name=adam", "train.optimizer=adam", "train.optimizer=\"adam\""] {
        assert_eq!(with(BASE, &[set]).unwrap().train.optimizer, adam, "{set}");
    }
    let whole = with(BASE, &["train.optimizer={ name = \"adam\" }"]).unwrap();
    assert_eq!(whole.train.optimizer, Optimizer::Adam(Adam::default()));
}

#[test]
fn what_an_override_gave_is_not_dropped() {
    let told = with(BASE, &["train.optimizer.nesterov=true", "train.optimizer=adam"]).unwrap_err();
    assert_eq!(
        told,
        "--set train.optimizer.nesterov=true: unknown key `nesterov` in [train.optimizer]\n      \
         = only with name = \"sgd\", not \"adam\"; allowed: lr, betas, epsilon"
    );
}

#[test]
fn a_mistyped_key_is_not_dropped() {
    let text = BASE.replace("momentum", "momentun");
    let told = with(&text, &["train.optimizer=adam"]).unwrap_err();
    assert!(told.starts_with("r.toml:10:1: unknown key `momentun` in [train.optimizer]"), "{told}");
}

#[test]
fn flattened_tags_switch_too() {
    let text = "data = { source = \"two-moons\", noise = 0.5, test_share = 0.1 }\ntrain.epochs = 1";
    let recipe = with(text, &["data.source=csv", "data.path=/tmp/a b.csv", "data.label=y"]).unwrap();
    assert_eq!(recipe.data.test_share, 0.1);
    let Source::Csv(csv) = recipe.data.source else { panic!("{:?}", recipe.data.source) };
    assert_eq!((csv.path.as_str(), csv.label), ("/tmp/a b.csv", Column::Name("y".to_owned())));
}

#[test]
fn bare_names_open_up() {
    let text = "data = \"two-moons\"\ntrain = { epochs = 1, optimizer = \"adam\" }";
    let recipe = with(text, &["data.points=10", "train.optimizer.lr=0.25"]).unwrap();
    assert_eq!(recipe.data.source, Source::TwoMoons { points: 10, noise: 0.0 });
    assert_eq!(recipe.train.optimizer, Optimizer::Adam(Adam { lr: 0.25, ..Adam::default() }));
}

#[test]
fn a_table_left_to_its_default_is_changed_from_there() {
    let text = "data = \"digits\"\ntrain.epochs = 1";
    let recipe = with(text, &["train.optimizer.momentum=0.5"]).unwrap();
    assert_eq!(recipe.train.optimizer, Optimizer::Sgd(Sgd { momentum: 0.5, ..Sgd::default() }));
    // The default's own values do not leak into another variant.
    let recipe = with(text, &["train.optimizer.name=adam"]).unwrap();
    assert_eq!(recipe.train.optimizer, Optimizer::Adam(Adam::default()));
    let recipe = with(text, &["train.schedule.name=step", "train.schedule.every=2"]).unwrap();
    assert_eq!(recipe.train.schedule, Some(Schedule::Step { every: 2, factor: 0.1 }));
}

#[test]
fn a_mistake_in_the_file_can_be_overridden() {
    assert_eq!(with(&BASE.replace("epochs = 3", "epochs = 0"), &["train.epochs=4"]).unwrap().train.epochs, 4);
}
