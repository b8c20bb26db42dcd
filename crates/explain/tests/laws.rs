//! What holds of every method, whatever the model.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use common::{Function, Subject, rng, subject, wave};
use crucible_explain::{Examples, METHODS, MethodConfig, Model, Need, methods::IntegratedGradients};
use crucible_models::{
    InputShape, Scaling,
    weights::{self, State},
};
use serde_json::{Value, json};

/// All methods with few samples.
fn methods() -> Vec<MethodConfig> {
    let quick = |name: &str| -> MethodConfig {
        let mut settings = json!({"name": name});
        if ["smooth-grad", "expected-gradients"].contains(&name) {
            settings["samples"] = json!(5);
        }
        if ["lime", "kernel-shap"].contains(&name) {
            settings["samples"] = json!(40);
        }
        if name.starts_with("grad-cam") {
            // The positive part of these small maps may be nothing.
            settings["relu"] = json!(false);
        }
        serde_json::from_value(settings).unwrap()
    };
    METHODS.iter().map(|method| quick(method.name)).collect()
}

#[test]
fn a_constant_function_has_no_reasons() {
    let (inputs, background) = (wave(3 * 144), wave(2 * 144));
    for method in methods() {
        // The rollout never looks at the function's value: it shows where attention flows.
        if method.info().need == Need::Attention {
            continue;
        }
        let subject = subject(method.info().need, true);
        let on = subject.examples(&inputs, &[0, 1, 2], &background);
        let found = method.attribute(&subject.model(), &on, &mut rng(3)).unwrap();
        let worst = found.values.iter().fold(0.0_f32, |worst, value| worst.max(value.abs()));
        assert!(worst < 1e-6, "{}: {worst}", method.name());
    }
}

#[test]
fn values_are_finite_reproducible_and_as_many_as_the_inputs() {
    let (inputs, background) = (wave(3 * 144), wave(2 * 144));
    for method in methods() {
        let subject = subject(method.info().need, false);
        let on = subject.examples(&inputs, &[0, 1, 2], &background);
        let run = |seed| method.attribute(&subject.model(), &on, &mut rng(seed)).unwrap();
        let found = run(3);
        assert_eq!(found.values.len(), inputs.len(), "{}", method.name());
        assert!(found.values.iter().all(|value| value.is_finite()), "{}", method.name());
        assert!(found.values.iter().any(|&value| value != 0.0), "{}", method.name());
        assert_eq!(found, run(3), "{}", method.name());

        let none = subject.examples(&[], &[], &background);
        let found = method.attribute(&subject.model(), &none, &mut rng(3)).unwrap();
        assert!(found.values.is_empty(), "{}", method.name());
    }
}

#[test]
fn a_picture_of_zeros_is_no_trouble() {
    let (inputs, background) = (vec![0.0; 144], wave(2 * 144));
    for method in methods() {
        let subject = subject(method.info().need, false);
        let on = subject.examples(&inputs, &[1], &background);
        let found = method.attribute(&subject.model(), &on, &mut rng(3)).unwrap();
        assert!(found.values.iter().all(|value| value.is_finite()), "{}", method.name());
    }
}

/// Sundararajan et al.: the same function written in two ways, `min(1, ReLU(x1 − 1) − x2)` where it is positive.
#[test]
fn two_ways_to_write_a_function_have_the_same_integrated_gradients() {
    fn relu(x: f32) -> f32 {
        x.max(0.0)
    }
    fn step(x: f32) -> f32 {
        f32::from(u8::from(x > 0.0))
    }
    let shape = InputShape::Features { count: 2 };
    let on = Examples { inputs: &[3.0, 1.0], targets: &[0], shape, background: &[] };
    let check = |model: Model<'_>| {
        let method = MethodConfig::IntegratedGradients(IntegratedGradients::default());
        let found = method.attribute(&model, &on, &mut rng(1)).unwrap();
        assert!((found.values[0] - 1.5).abs() < 0.01, "{found:?}");
        assert!((found.values[1] + 0.5).abs() < 0.01, "{found:?}");
    };
    check(Model::differentiable(&Function {
        features: 2,
        f: |x: &[f32]| relu(relu(x[0]) - 1.0 - relu(x[1])),
        g: |x: &[f32]| {
            let outer = step(relu(x[0]) - 1.0 - relu(x[1]));
            vec![outer * step(x[0]), -outer * step(x[1])]
        },
    }));
    check(Model::differentiable(&Function {
        features: 2,
        f: |x: &[f32]| relu(relu(x[0] - 1.0) - relu(x[1])),
        g: |x: &[f32]| {
            let outer = step(relu(x[0] - 1.0) - relu(x[1]));
            vec![outer * step(x[0] - 1.0), -outer * step(x[1])]
        },
    }));
}

#[test]
fn a_linear_function_is_its_own_explanation_in_the_callers_units() {
    let state: State = [
        ("fc1.bias", vec![2], vec![0.3, -0.2]),
        ("fc1.weight", vec![2, 3], vec![1.0, -2.0, 0.5, 0.25, 1.0, -1.0]),
    ]
    .map(|(name, shape, values)| (name.to_owned(), weights::HostTensor { shape, values }))
    .into();
    let scaling = Scaling { scale: vec![2.0, 0.5, 4.0], offset: vec![0.1, 0.2, -0.3] };
    let shape = InputShape::Features { count: 3 };
    let architecture = json!({"name": "mlp", "hidden": []});
    let subject = Subject::scaled(&architecture, shape, 2, Some(&state), scaling);
    let inputs = [0.5, 1.0, 0.25];
    let on = subject.examples(&inputs, &[0], &[0.0; 3]);
    let slopes = [2.0, -1.0, 2.0];
    for name in ["saliency", "guided-backprop", "smooth-grad"] {
        let found = named(name, &subject, &on);
        let size = |slope: f32| if name == "saliency" { slope.abs() } else { slope };
        let expected: Vec<f32> = slopes.iter().map(|&slope| size(slope)).collect();
        close(name, &found, &expected, 1e-5);
    }
    for name in [
        "input-x-gradient",
        "integrated-gradients",
        "expected-gradients",
        "deep-lift",
        "occlusion",
        "kernel-shap",
    ] {
        let expected: Vec<f32> = slopes.iter().zip(&inputs).map(|(slope, input)| slope * input).collect();
        close(name, &named(name, &subject, &on), &expected, 1e-5);
    }
}

/// One output: the second class's logit is the output, the first one's reasons are the opposite.
#[test]
fn a_single_output_explains_both_classes() {
    let shape = InputShape::Features { count: 4 };
    let subject = Subject::new(&json!({"name": "mlp", "hidden": [5]}), shape, 1, None);
    let (inputs, background) = ([wave(4), wave(4)].concat(), wave(8));
    let on = subject.examples(&inputs, &[0, 1], &background);
    for name in
        ["input-x-gradient", "integrated-gradients", "deep-lift", "lrp", "occlusion", "lime", "kernel-shap"]
    {
        let found = named(name, &subject, &on);
        let opposite: Vec<f32> = found[..4].iter().map(|value| -value).collect();
        close(name, &found[4..], &opposite, 1e-5);
    }
}

fn named(name: &str, subject: &Subject, on: &Examples<'_>) -> Vec<f32> {
    MethodConfig::named(name).unwrap().attribute(&subject.model(), on, &mut rng(3)).unwrap().values
}

#[track_caller]
fn close(what: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    let near = actual.iter().zip(expected).all(|(a, e)| (a - e).abs() <= tolerance);
    assert!(near && actual.len() == expected.len(), "{what}: {actual:?}, not {expected:?}");
}

/// The relevance of all tokens adds up to one, and that of a pixel is its patch's.
#[test]
fn the_rollout_is_a_distribution_over_tokens() {
    let subject = subject(Need::Attention, false);
    let inputs = wave(2 * 144);
    let on = subject.examples(&inputs, &[0, 1], &[]);
    let found = MethodConfig::named("attention-rollout").unwrap();
    let found = found.attribute(&subject.model(), &on, &mut rng(1)).unwrap();
    let coarse = found.coarse.unwrap();
    assert_eq!((coarse.height, coarse.width, coarse.values.len()), (2, 2, 8));
    for map in coarse.values.chunks_exact(4) {
        assert!((map.iter().sum::<f32>() - 1.0).abs() < 1e-6 && map.iter().all(|&part| part > 0.0));
    }
    assert_eq!(found.values[0], coarse.values[0]);
    assert_eq!(found.values[4 * 12 + 9], coarse.values[1]);
    assert_eq!(found.values[11], 0.0, "no patch covers the last columns");
}

/// Sampling and enumeration agree where both can be done.
#[test]
fn drawn_shapley_values_approach_the_exact_ones() {
    let shape = InputShape::Features { count: 8 };
    let subject = Subject::new(&json!({"name": "mlp", "hidden": [6], "activation": "tanh"}), shape, 3, None);
    let inputs = wave(8);
    let on = subject.examples(&inputs, &[1], &[]);
    let run = |samples: usize| {
        let method: MethodConfig =
            serde_json::from_value(json!({"name": "kernel-shap", "samples": samples})).unwrap();
        method.attribute(&subject.model(), &on, &mut rng(1)).unwrap()
    };
    let (exact, drawn) = (run(254), run(253));
    assert_ne!(exact, drawn);
    let size = exact.values.iter().fold(0.0_f32, |size, value| size.max(value.abs()));
    close("drawn", &drawn.values, &exact.values, 0.05 * size);
    assert!(drawn.gaps.unwrap()[0].absolute < 1e-9);
}

/// The chain's gradient, link by link, is the network's: without ReLU, guided backpropagation changes nothing. DeepLIFT
/// adds up through every activation.
#[test]
fn the_chain_knows_every_layer_and_activation() {
    let shape = InputShape::Features { count: 6 };
    let inputs = wave(70 * 6);
    let targets: Vec<usize> = (0..70).map(|i| i % 3).collect();
    for activation in ["identity", "leaky-relu", "gelu", "silu", "sigmoid", "tanh", "relu"] {
        for batch_norm in [false, true] {
            let sizes =
                json!({"name": "mlp", "hidden": [7, 5], "activation": activation, "batch_norm": batch_norm});
            let fresh = Subject::new(&sizes, shape, 3, None);
            let mut state = weights::collect(&fresh.network);
            for (name, tensor) in &mut state {
                if name.starts_with("bn") {
                    tensor.values.iter_mut().zip(wave(20)).for_each(|(v, w)| *v = w + 0.3);
                }
            }
            let subject = Subject::new(&sizes, shape, 3, Some(&state));
            let on = subject.examples(&inputs, &targets, &[]);
            let run = |settings: Value| {
                let method: MethodConfig = serde_json::from_value(settings).unwrap();
                method.attribute(&subject.model(), &on, &mut rng(1)).unwrap()
            };
            if activation != "relu" {
                let plain = run(json!({"name": "saliency", "absolute": false})).values;
                close(activation, &run(json!({"name": "guided-backprop"})).values, &plain, 1e-5);
            }
            for gap in run(json!({"name": "deep-lift"})).gaps.unwrap() {
                assert!(gap.absolute < 1e-4, "{activation} {batch_norm}: {gap:?}");
            }
            // Without biases nothing is lost on the way; pooling and normalization have none to leave out.
            if !batch_norm && activation == "relu" {
                let relevance = run(json!({"name": "lrp", "bias": false})).values;
                let scores = subject.model().explained(&inputs, &targets);
                for (row, score) in relevance.chunks_exact(6).zip(scores) {
                    let sum: f32 = row.iter().sum();
                    assert!((f64::from(sum) - score).abs() < 1e-3, "{sum}, not {score}");
                }
            }
        }
    }
}

#[test]
fn settings_survive_the_way_through_a_file_and_baselines_can_be_chosen() {
    for method in methods() {
        let text = serde_json::to_string(&method).unwrap();
        assert_eq!(serde_json::from_str::<MethodConfig>(&text).unwrap(), method);
    }
    let subject = subject(Need::Chain, false);
    let (inputs, background) = (wave(2 * 144), wave(3 * 144));
    let on = subject.examples(&inputs, &[0, 1], &background);
    for baseline in [
        json!({"kind": "zero"}),
        json!({"kind": "mean"}),
        json!({"kind": "blurred", "sigma": 2.0}),
        json!({"kind": "random", "draws": 3}),
    ] {
        for name in ["integrated-gradients", "deep-lift", "kernel-shap"] {
            let settings = json!({"name": name, "baseline": baseline});
            let method: MethodConfig = serde_json::from_value(settings).unwrap();
            let found = method.attribute(&subject.model(), &on, &mut rng(1)).unwrap();
            for gap in found.gaps.unwrap() {
                assert!(gap.absolute < 0.01 * gap.expected.abs() + 1e-6, "{name} {baseline}: {gap:?}");
            }
        }
    }
}
