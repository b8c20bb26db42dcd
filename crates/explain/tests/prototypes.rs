//! Portraits of classes by a network whose features are known.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use crucible_explain::{
    SURVEYS, SurveyConfig,
    prototypes::{Answered, Portrait, Prototypes},
};
use crucible_models::{Classifier, Featured};

/// Inputs of two values. The last layer reads twice the first; its score for the second of four classes is that, the
/// other scores are zero and −50.
struct Line;

impl Classifier for Line {
    fn features(&self) -> usize {
        2
    }

    fn classes(&self) -> usize {
        4
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        inputs.chunks_exact(2).flat_map(|x| [0.0, 2.0 * x[0], -50.0, -50.0]).collect()
    }
}

impl Featured for Line {
    fn penultimate(&self, inputs: &[f32]) -> Vec<f32> {
        inputs.chunks_exact(2).map(|x| 2.0 * x[0]).collect()
    }
}

fn indices(of: &[Answered]) -> Vec<usize> {
    of.iter().map(|answered| answered.index).collect()
}

/// Class 0 around −3 and around 1, class 1 around 3 and a single one at −1, one of class 2 at 10, none of 3.
fn portraits(settings: &Prototypes) -> Vec<Portrait> {
    let places = [-3.0, 3.0, -3.2, 3.1, -2.9, 2.6, 1.0, -1.0, 1.1, 10.0];
    // What the features do not show must not count.
    let inputs: Vec<f32> = places.iter().enumerate().flat_map(|(i, &x)| [x, 1e3 * i as f32]).collect();
    settings.portray(&Line, &inputs, &[0, 1, 0, 1, 0, 1, 0, 1, 0, 2]).unwrap()
}

#[test]
fn a_class_is_explained_by_what_the_last_layer_reads() {
    let found = portraits(&Prototypes { per_class: 2, ..Prototypes::default() });
    assert_eq!(found.len(), 4);
    let zero = &found[0];
    assert_eq!(indices(&zero.prototypes), [4, 6], "one of each group, the one that is nearer to the other");
    assert_eq!(zero.criticisms.len(), 2);
    // The prototypes at −3 and 1 see those of class 1 at −1 and at 2.6.
    assert_eq!(indices(&zero.counter_examples), [7, 5]);
    assert_eq!(indices(&zero.most_certain), [2, 0]);
    assert_eq!(indices(&zero.least_certain), [8, 6]);
    let odd = zero.least_certain[1];
    let expected = 1.0 / (1.0 + 2.0f64.exp());
    assert!(odd.answer == 1 && (odd.probability - expected).abs() < 1e-9, "{odd:?}");
    // The counter-example speaks of its own class.
    let other = zero.counter_examples[0];
    assert!(other.answer == 0 && (other.probability - expected).abs() < 1e-9, "{other:?}");

    let two = &found[2];
    let lists = [&two.prototypes, &two.most_certain, &two.least_certain].map(|list| indices(list));
    assert_eq!((lists, two.criticisms.len()), ([vec![9], vec![9], vec![9]], 0));
    assert_eq!(indices(&two.counter_examples), [3]);
    assert_eq!(found[3], Portrait::default(), "a class without examples");
    assert_eq!(Prototypes::default().portray(&Line, &[], &[]).unwrap(), vec![Portrait::default(); 4]);
}

#[test]
fn only_so_many_are_compared_and_all_are_sorted() {
    let found = portraits(&Prototypes { per_class: 9, most: 2 });
    assert_eq!(indices(&found[0].prototypes).len(), 2, "0 and 4 of 0, 2, 4, 6, 8");
    assert!(found[0].prototypes.iter().all(|answered| [0, 4].contains(&answered.index)));
    assert_eq!(found[0].most_certain.len(), 5);
}

#[test]
fn settings_have_ranges_and_surveys_names() {
    for info in SURVEYS {
        let config = SurveyConfig::named(info.name).unwrap();
        assert_eq!((config.info(), config.check()), (info, Ok(())));
        assert!(info.doc.ends_with('.') && info.doc.len() < 120, "{}", info.doc);
    }
    assert_eq!(SurveyConfig::named("prototype"), None);
    let none = Prototypes { per_class: 0, ..Prototypes::default() };
    let error = none.portray(&Line, &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "`per_class` is 0; it must be at least 1");
    assert_eq!(SurveyConfig::Prototypes(none).check(), Err(error));
}
