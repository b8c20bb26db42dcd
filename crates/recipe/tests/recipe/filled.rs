//! The complete recipe, and that checking it changes nothing.

use crucible_recipe::check;
use proptest::prelude::*;

use crate::sample::{
    Activation, Adam, Audit, Column, Csv, Data, Limit, Model, Optimizer, Precision, Recipe, Schedule, Sgd,
    Source, Train,
};

#[test]
fn defaults_are_filled_in_and_bare_names_written_out() {
    let text = "data = \"digits\"\ntrain = { epochs = 3, optimizer = \"adam\", precision = \"half\" }\n\
                audit.checks = [{ metric = \"auroc\", at_least = 1 }]";
    let expected = r#"[data]
test_share = 0.2
source = "digits"

[model]
hidden = [64]
activation = "relu"
norm = false

[train]
epochs = 3
seed = 0
precision = "half"

[train.optimizer]
name = "adam"
lr = 0.001
betas = [0.9, 0.999]
epsilon = 1e-8

[[audit.checks]]
metric = "auroc"
at_least = 1.0
"#;
    assert_eq!(check::<Recipe>(text, "r", &[]).unwrap().filled, expected);
}

#[test]
fn an_option_is_kept_though_all_in_it_is_unset() {
    let text = "data = \"digits\"\ntrain.epochs = 3\naudit = {}";
    let checked = check::<Recipe>(text, "r", &[]).unwrap();
    assert!(checked.value.audit.is_some());
    assert_eq!(check::<Recipe>(&checked.filled, "r", &[]).unwrap().value, checked.value);
}

#[test]
fn the_largest_seed_and_odd_text_come_back() {
    let text = "train = { epochs = 1, seed = 18446744073709551615 }\n\
                data = { source = \"csv\", path = \"a\\\"\\\\\\n\\u0001é\", label = 7, rename = { \"\" = 1, \"a.b\" = 2 } }";
    let checked = check::<Recipe>(text, "r", &[]).unwrap();
    assert_eq!(checked.value.train.seed, u64::MAX);
    assert!(checked.filled.contains(r#"path = "a\"\\\n\u0001é""#), "{}", checked.filled);
    assert!(checked.filled.contains("\"\" = 1\n\"a.b\" = 2"), "{}", checked.filled);
    assert_eq!(check::<Recipe>(&checked.filled, "r", &[]).unwrap().value, checked.value);
}

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::POSITIVE.prop_filter("not zero", |x| *x > 0.0),
        1e-12..1e3f64,
        Just(0.1),
        Just(1e-8)
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let label = prop_oneof![any::<u16>().prop_map(Column::Number), any::<String>().prop_map(Column::Name)];
    let csv = (any::<String>(), label, prop::collection::btree_map(any::<String>(), any::<u8>(), 0..4));
    prop_oneof![
        Just(Source::Digits),
        csv.prop_map(|(path, label, rename)| Source::Csv(Csv { path: path + "x", label, rename })),
        (2..=1_000_000usize, prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO)
            .prop_map(|(points, noise)| Source::TwoMoons { points, noise }),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    (
        prop::collection::vec(1..=4096u32, 1..=8),
        prop_oneof![Just(Activation::Relu), Just(Activation::Gelu), Just(Activation::Tanh)],
        prop::option::of(any::<(u32, u32)>()),
        prop::option::of(positive()),
        any::<bool>(),
    )
        .prop_map(|(hidden, activation, shape, scale, norm)| Model {
            hidden,
            activation,
            shape,
            scale,
            norm,
        })
}

fn optimizer() -> impl Strategy<Value = Optimizer> {
    let decay = prop_oneof![0.0..1f32, Just(1e-4)];
    prop_oneof![
        (positive(), 0.0..1f64, any::<bool>(), decay).prop_map(|(lr, momentum, nesterov, weight_decay)| {
            Optimizer::Sgd(Sgd { lr, momentum, nesterov, weight_decay })
        }),
        (positive(), any::<[i32; 2]>(), prop::num::f64::NORMAL).prop_map(|(lr, betas, epsilon)| {
            Optimizer::Adam(Adam { lr, betas: betas.map(f64::from), epsilon })
        }),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        Just(Schedule::Constant),
        (any::<u32>(), prop::num::f64::NORMAL).prop_map(|(every, factor)| Schedule::Step { every, factor }),
    ]
}

fn train() -> impl Strategy<Value = Train> {
    (
        1..=10_000u32,
        any::<u64>(),
        prop::option::of(1..usize::MAX),
        prop::option::of(prop_oneof![Just(Precision::Single), Just(Precision::Half)]),
        optimizer(),
        prop::option::of(schedule()),
    )
        .prop_map(|(epochs, seed, batch, precision, optimizer, schedule)| Train {
            epochs,
            seed,
            batch,
            precision,
            optimizer,
            schedule,
        })
}

pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let limit = (any::<String>(), prop::num::f64::NORMAL | prop::num::f64::ZERO)
        .prop_map(|(metric, at_least)| Limit { metric, at_least });
    let audit = prop::collection::vec(limit, 0..3).prop_map(|checks| Audit { checks });
    (0.0..=0.5f64, source(), model(), train(), prop::option::of(audit)).prop_map(
        |(test_share, source, model, train, audit)| Recipe {
            data: Data { test_share, source },
            model,
            train,
            audit,
        },
    )
}

/// Any recipe as JSON, which is TOML in all but its brackets: the way in without `filled`.
pub(crate) fn as_toml(recipe: &Recipe) -> String {
    fn value(json: &serde_json::Value) -> String {
        match json {
            serde_json::Value::Object(map) => {
                let set = map.iter().filter(|(_, inner)| !inner.is_null());
                let pairs = set.map(|(key, inner)| format!("{} = {}", text(key), value(inner)));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", "))
            }
            serde_json::Value::String(string) => text(string),
            other => other.to_string(),
        }
    }
    // JSON writes the control character DEL plainly, and TOML does not have it.
    fn text(string: &str) -> String {
        serde_json::to_string(string).unwrap().replace('\u{7f}', "\\u007f")
    }
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(recipe).unwrap()).unwrap();
    json.as_object()
        .unwrap()
        .iter()
        .filter(|(_, inner)| !inner.is_null())
        .map(|(key, inner)| format!("{key} = {}\n", value(inner)))
        .collect()
}

proptest! {
    #[test]
    fn any_recipe_is_read_and_its_filled_form_is_stable(recipe in recipe()) {
        let checked = check::<Recipe>(&as_toml(&recipe), "r", &[]).map_err(|problems| {
            TestCaseError::fail(format!("{problems}"))
        })?;
        prop_assert_eq!(&checked.value, &recipe);
        let again = check::<Recipe>(&checked.filled, "r", &[]).map_err(|problems| {
            TestCaseError::fail(format!("{problems}\n{}", checked.filled))
        })?;
        prop_assert_eq!(&again.value, &recipe);
        prop_assert_eq!(again.filled, checked.filled);
    }
}
