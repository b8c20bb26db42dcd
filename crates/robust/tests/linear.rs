//! On a linear model the exact robust accuracy is known: the margin over the dual norm of the difference of two classes'
//! weights.

mod common;

use common::{Linear, attacks, cheap, rng, uniform};
use crucible_models::Classifier;
use crucible_robust::{Batch, Norm, Threat, Victim};

/// How far the nearest input of another class is, in a range that leaves room enough.
fn distance(model: &Linear, norm: Norm, input: &[f32], label: usize) -> f64 {
    let logits: Vec<f64> = (0..model.classes())
        .map(|class| {
            let terms = model.row(class).iter().zip(input).map(|(w, x)| f64::from(*w) * f64::from(*x));
            terms.sum::<f64>() + f64::from(model.bias[class])
        })
        .collect();
    let dual = match norm {
        Norm::Linf => Norm::L1,
        Norm::L2 => Norm::L2,
        Norm::L1 => Norm::Linf,
    };
    (0..model.classes())
        .filter(|&other| other != label)
        .map(|other| {
            let weights = model.row(label).iter().zip(model.row(other)).map(|(a, b)| a - b);
            (logits[label] - logits[other]) / dual.of(weights)
        })
        .fold(f64::INFINITY, f64::min)
}

/// A range that leaves room for every attack. That of `cw` is in proportion to its steps.
fn range(name: &str) -> [f32; 2] {
    if name == "cw" { [-1.0, 2.0] } else { [-4.0, 5.0] }
}

/// Attacks that find every example that can be fooled, among any number of classes. The untargeted ones climb a loss that
/// looks at several classes at once, and are sure to only between two.
const EXACT: [&str; 5] = ["apgd-t", "fab-t", "deepfool", "cw", "auto"];
const EXACT_OF_TWO: [&str; 5] = ["fgsm", "pgd", "mi-fgsm", "apgd-ce", "apgd-dlr"];

#[test]
fn strong_attacks_reach_the_exact_robust_accuracy_and_none_goes_below_it() {
    for classes in [2, 5] {
        let model = Linear::random(20, classes, 31);
        let inputs = uniform(200 * 20, 0.0, 1.0, &mut rng(32));
        let labels = common::says(&model, &inputs);
        for (config, norm) in attacks() {
            let distances: Vec<f64> = (inputs.chunks_exact(20).zip(&labels))
                .map(|(input, label)| distance(&model, norm, input, *label as usize))
                .collect();
            let mut sorted = distances.clone();
            sorted.sort_by(f64::total_cmp);
            // Between two examples' distances.
            let eps = f64::midpoint(sorted[100], sorted[101]) as f32;
            let name = config.name();
            let threat = Threat::new(norm, eps, range(name)).unwrap();
            let config = match name {
                "cw" | "apgd-t" | "apgd-dlr" | "apgd-ce" => config,
                "square" | "auto" => cheap(&config, 100),
                "hopskipjump" => cheap(&config, 10),
                // 40 steps of ε/30 do not reach from one end of the ball to the other.
                _ => cheap(&config, 80),
            };
            let batch = Batch::new(&inputs, &labels);
            let result = config.run(Victim::WhiteBox(&model), batch, &threat, &mut rng(33)).unwrap();
            let exact = EXACT.contains(&name) || classes == 2 && EXACT_OF_TWO.contains(&name);
            for (example, (fooled, distance)) in result.fooled.iter().zip(&distances).enumerate() {
                let certain = *distance > f64::from(eps) * (1.0 + 1e-5);
                assert!(
                    !(*fooled && certain),
                    "{name} {norm}: example {example} is {distance} away of {eps}"
                );
                let missed = exact && !fooled && *distance < f64::from(eps) * 0.99;
                assert!(!missed, "{name} {norm}, {classes} classes: {example} is {distance} away of {eps}");
            }
            let fooled = result.fooled.iter().filter(|fooled| **fooled).count();
            assert!(fooled >= 30, "{name} {norm}, {classes} classes: {fooled} of 101");
        }
    }
}

#[test]
fn the_attacks_for_the_nearest_input_find_the_distance() {
    let model = Linear::random(20, 5, 41);
    let inputs = uniform(50 * 20, 0.0, 1.0, &mut rng(42));
    let labels = common::says(&model, &inputs);
    for (config, norm) in attacks() {
        let (config, slack) = match config.name() {
            "deepfool" | "fab-t" => (config, 1.01),
            "cw" => {
                let slow = serde_json::json!({ "name": "cw", "steps": 1000, "learning_rate": 0.001 });
                (serde_json::from_value(slow).unwrap(), 1.1)
            }
            _ => continue,
        };
        let threat = Threat::new(norm, 30.0, range(config.name())).unwrap();
        let batch = Batch::new(&inputs, &labels);
        let result = config.run(Victim::WhiteBox(&model), batch, &threat, &mut rng(43)).unwrap();
        let mut worst = 0.0f64;
        for (example, (input, label)) in inputs.chunks_exact(20).zip(&labels).enumerate() {
            let exact = distance(&model, norm, input, *label as usize);
            // Adam's first step already goes farther than this, and not straight.
            if config.name() == "cw" && exact < 0.02 {
                continue;
            }
            worst = worst.max(norm.distance(result.input(example), input) / exact);
        }
        // FAB leaves an example alone once it is fooled towards one class, which need not be the nearest.
        if config.name() != "fab-t" {
            assert!(worst <= slack, "{} {norm}: {worst}", config.name());
        }
    }
}
