//! The methods against Captum's on the same weights: `golden/captum.py` says how the numbers were made.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use common::{Subject, rng};
use crucible_explain::{
    Attribution, Baseline, MethodConfig,
    methods::{
        DeepLift, Draw, ExpectedGradients, GradCam, IntegratedGradients, KernelShap, Lime, Lrp, LrpRule,
        Occlusion, Saliency, SmoothGrad, Smoothing,
    },
};
use crucible_models::{
    Classifier, InputShape,
    weights::{HostTensor, State},
};
use serde_json::Value;

struct Case {
    golden: Value,
    subject: Subject,
    inputs: Vec<f32>,
    targets: Vec<usize>,
    background: Vec<f32>,
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| usize::try_from(v.as_u64().unwrap()).unwrap()).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/captum.json")).unwrap()
}

/// Weights, which the file holds in hundredths.
fn weights(golden: &Value) -> State {
    let weight = |(name, value): (&String, &Value)| {
        let values = numbers(&value["values"]).iter().map(|v| (f64::from(*v) / 100.0) as f32).collect();
        (name.clone(), HostTensor { shape: counts(&value["shape"]), values })
    };
    golden["weights"].as_object().unwrap().iter().map(weight).collect()
}

fn cases() -> Vec<Case> {
    golden()["cases"].as_array().unwrap().iter().map(case).collect()
}

fn case(golden: &Value) -> Case {
    let shape = match golden["architecture"]["name"].as_str().unwrap() {
        "mlp" => InputShape::Features { count: 10 },
        "lenet5" => InputShape::Image { channels: 1, height: 12, width: 12 },
        _ => InputShape::Image { channels: 1, height: 6, width: 6 },
    };
    Case {
        golden: golden.clone(),
        subject: Subject::new(&golden["architecture"], shape, 3, Some(&weights(golden))),
        inputs: numbers(&golden["inputs"]),
        targets: counts(&golden["targets"]),
        background: numbers(&golden["background"]),
    }
}

impl Case {
    fn attribute(&self, method: MethodConfig) -> Attribution {
        let on = self.subject.examples(&self.inputs, &self.targets, &self.background);
        method.attribute(&self.subject.model(), &on, &mut rng(1)).unwrap()
    }

    /// Length of the difference divided by the length of what is expected.
    #[track_caller]
    fn close(&self, what: &str, actual: &[f32], expected: &Value, tolerance: f64) {
        let expected = numbers(expected);
        assert_eq!(actual.len(), expected.len(), "{what}");
        let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let pairs = actual.iter().zip(&expected);
        let error = length(&mut pairs.map(|(a, e)| f64::from(*a) - f64::from(*e)));
        let error = error / length(&mut expected.iter().map(|&e| f64::from(e)));
        assert!(error <= tolerance, "{what}, {}: {error}", self.golden["architecture"]);
    }

    fn has(&self, name: &str) -> bool {
        !self.golden[name].is_null()
    }

    fn square(&self) -> bool {
        matches!(self.subject.shape, InputShape::Image { .. })
    }
}

const TOLERANCE: f64 = 1e-3;

#[test]
fn the_networks_are_the_same() {
    for case in cases() {
        let logits = case.subject.view.logits(&case.inputs);
        case.close("logits", &logits, &case.golden["logits"], 1e-5);
    }
}

#[test]
fn gradients() {
    for case in cases() {
        for (name, absolute) in [("saliency", true), ("saliency_signed", false)] {
            let found = case.attribute(MethodConfig::Saliency(Saliency { absolute }));
            case.close(name, &found.values, &case.golden[name], TOLERANCE);
        }
        let found = case.attribute(MethodConfig::named("input-x-gradient").unwrap());
        case.close("input x gradient", &found.values, &case.golden["input_x_gradient"], TOLERANCE);
        if case.has("guided_backprop") {
            let found = case.attribute(MethodConfig::named("guided-backprop").unwrap());
            case.close("guided backprop", &found.values, &case.golden["guided_backprop"], TOLERANCE);
        }
    }
}

#[test]
fn smooth_grad() {
    for case in cases() {
        let golden = &case.golden["smooth_grad"];
        let on = case.subject.examples(&case.inputs, &case.targets, &[]);
        for (name, smoothing, absolute) in [
            ("mean", Smoothing::Mean, false),
            ("squared", Smoothing::Squared, false),
            ("variance", Smoothing::Variance, false),
            ("absolute", Smoothing::Mean, true),
        ] {
            let samples = counts(&serde_json::json!([golden["samples"]]))[0];
            let method = SmoothGrad { samples, smoothing, absolute, ..SmoothGrad::default() };
            let noise = numbers(&golden["noise"]);
            let found = method.attribute_with(&case.subject.model(), &on, &noise).unwrap();
            case.close(&format!("smooth grad, {name}"), &found.values, &golden["cases"][name], TOLERANCE);
        }
        let calm = SmoothGrad { samples: 3, noise: 0.0, ..SmoothGrad::default() };
        let found = case.attribute(MethodConfig::SmoothGrad(calm));
        case.close("smooth grad without noise", &found.values, &case.golden["saliency_signed"], TOLERANCE);
    }
}

#[test]
fn integrated_gradients() {
    for case in cases() {
        for (name, baseline) in
            [("integrated_gradients", Baseline::Zero), ("integrated_gradients_mean", Baseline::Mean)]
        {
            let method = IntegratedGradients { baseline, ..IntegratedGradients::default() };
            let once = IntegratedGradients { refine: 0, ..method.clone() };
            let found = case.attribute(MethodConfig::IntegratedGradients(once));
            case.close(name, &found.values, &case.golden[name], TOLERANCE);
            for gap in case.attribute(MethodConfig::IntegratedGradients(method)).gaps.unwrap() {
                assert!(gap.relative < 0.01, "{name}: {gap:?}");
            }
        }
    }
}

#[test]
fn expected_gradients() {
    for case in cases() {
        let golden = &case.golden["expected_gradients"];
        let (alphas, baselines) = (numbers(&golden["alphas"]), counts(&golden["baselines"]));
        let draws: Vec<Draw> = alphas
            .iter()
            .zip(baselines)
            .map(|(&alpha, baseline)| Draw { baseline, alpha: f64::from(alpha) })
            .collect();
        let method = ExpectedGradients { samples: draws.len() / case.targets.len() };
        let on = case.subject.examples(&case.inputs, &case.targets, &case.background);
        let found = method.attribute_with(&case.subject.model(), &on, &draws).unwrap();
        case.close("expected gradients", &found.values, &golden["values"], TOLERANCE);
    }
}

#[test]
fn deep_lift() {
    for case in cases() {
        for (name, baseline) in [("deep_lift", Baseline::Zero), ("deep_lift_mean", Baseline::Mean)] {
            let found = case.attribute(MethodConfig::DeepLift(DeepLift { baseline }));
            case.close(name, &found.values, &case.golden[name], TOLERANCE);
            for gap in found.gaps.unwrap() {
                assert!(gap.absolute < 1e-4 * (1.0 + gap.expected.abs()), "{name}: {gap:?}");
            }
        }
    }
}

#[test]
fn layer_wise_relevance_propagation() {
    for case in cases() {
        for (name, rule, epsilon, bias) in [
            ("epsilon", LrpRule::Epsilon, 0.01, true),
            ("gamma", LrpRule::Gamma, 1e-9, true),
            ("gamma_without_bias", LrpRule::Gamma, 1e-9, false),
            ("z-plus_without_bias", LrpRule::ZPlus, 1e-9, false),
        ] {
            let found = case.attribute(MethodConfig::Lrp(Lrp { rule, epsilon, gamma: 0.25, bias }));
            case.close(&format!("lrp, {name}"), &found.values, &case.golden["lrp"][name], TOLERANCE);
        }
    }
}

#[test]
fn grad_cam_before_and_after_the_activation() {
    for case in cases().iter().filter(|case| case.square()) {
        for (name, layer, before_activation) in [
            ("conv1", "conv1", true),
            ("act1", "conv1", false),
            ("conv2", "conv2", true),
            ("act2", "conv2", false),
        ] {
            let layer = Some(layer.to_owned());
            let found =
                case.attribute(MethodConfig::GradCam(GradCam { layer, before_activation, relu: false }));
            let map = found.coarse.unwrap().values;
            case.close(&format!("grad cam, {name}"), &map, &case.golden["grad_cam"][name], TOLERANCE);
        }
        let last = case.attribute(MethodConfig::named("grad-cam").unwrap()).coarse.unwrap().values;
        let positive: Vec<f64> =
            numbers(&case.golden["grad_cam"]["act2"]).iter().map(|v| f64::from(v.max(0.0))).collect();
        assert!(last.iter().zip(&positive).all(|(a, e)| (f64::from(*a) - e).abs() < 1e-4));
    }
}

#[test]
fn occlusion() {
    for case in cases() {
        let method = Occlusion { window: 3, stride: 2, value: 0.25 };
        let found = case.attribute(MethodConfig::Occlusion(method));
        case.close("occlusion", &found.values, &case.golden["occlusion"], TOLERANCE);
    }
}

#[test]
fn lime_on_the_same_choices() {
    for case in cases() {
        let golden = &case.golden["lime"];
        let kept: Vec<bool> = counts(&golden["kept"]).iter().map(|&kept| kept == 1).collect();
        let method = Lime { square: counts(&serde_json::json!([golden["square"]]))[0], ..Lime::default() };
        let on = case.subject.examples(&case.inputs, &case.targets, &[]);
        let zeros = vec![0.0; case.inputs.len()];
        let found = method.attribute_with(&case.subject.model(), &on, &kept, &zeros).unwrap();
        case.close("lime", &found.values, &golden["values"], TOLERANCE);
    }
}

#[test]
fn kernel_shap_of_few_parts_is_exact() {
    for case in cases() {
        let golden = &case.golden["shapley"];
        let square = counts(&serde_json::json!([golden["square"]]))[0];
        let found = case.attribute(MethodConfig::KernelShap(KernelShap { square, ..KernelShap::default() }));
        // Captum gives each pixel its part's whole value, here it is divided among the pixels.
        let pixels = if case.square() { square * square } else { 1 } as f32;
        let values: Vec<f32> = found.values.iter().map(|value| value * pixels).collect();
        // Captum sums in float32, the enumeration of the tables in float64.
        let tolerance = if case.square() { 1e-5 } else { 1e-6 };
        case.close("shapley", &values, &golden["values"], tolerance);
        assert!(found.gaps.unwrap().iter().all(|gap| gap.absolute < 1e-9));
    }
}

#[test]
fn grad_cam_plus_plus() {
    for case in cases().iter().filter(|case| case.square()) {
        let found = case.attribute(MethodConfig::named("grad-cam-plus-plus").unwrap());
        let map = found.coarse.unwrap().values;
        case.close("grad cam ++", &map, &case.golden["grad_cam_plus_plus"], TOLERANCE);
    }
}

#[test]
fn attention_rollout() {
    let golden = &golden()["rollout"];
    let architecture = serde_json::json!({
        "name": "transformer", "width": 8, "heads": 2, "layers": 2, "feedforward": 12, "norm_first": false,
    });
    let shape = InputShape::Sequence { length: 5, width: 8 };
    let subject = Subject::new(&architecture, shape, 3, Some(&weights(golden)));
    let inputs = numbers(&golden["inputs"]);
    let on = subject.examples(&inputs, &[0, 1], &[]);
    let method = MethodConfig::named("attention-rollout").unwrap();
    let found = method.attribute(&subject.model(), &on, &mut rng(1)).unwrap();
    let (relevance, expected) = (found.coarse.unwrap().values, numbers(&golden["relevance"]));
    assert!(relevance.iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-5), "{relevance:?} {expected:?}");
    assert!(expected.iter().any(|part| (part - 0.2).abs() > 0.03), "not nearly even: {expected:?}");
    assert_eq!(found.values[8..16], [relevance[1]; 8]);
}
