//! The checks, against values that are known by hand for `f(x) = 2 x₁ − x₂ + 3 x₃`.

mod common;

use common::{Function, Subject, rng, wave};
use crucible_explain::{
    Baseline, Examples, ExplainError, Layers, MethodConfig, Model,
    checks::{
        InfidelityConfig, Measured, Perturbation, RandomisationConfig, RemovalConfig, SensitivityConfig,
        gaps, infidelity, max_sensitivity, randomisation, removal,
    },
    tables::{partial_dependence, permutation_importance, quantile_grid},
};
use crucible_models::{
    Architecture, Classifier, InputShape, Scaling, WhiteBox,
    weights::{self, WeightsError},
};
use serde_json::json;

const SLOPES: [f32; 3] = [2.0, -1.0, 3.0];

fn linear() -> Function {
    Function {
        features: 3,
        f: |x| x.iter().zip(SLOPES).map(|(x, slope)| x * slope).sum(),
        g: |_| SLOPES.to_vec(),
    }
}

fn on<'a>(inputs: &'a [f32], targets: &'a [usize]) -> Examples<'a> {
    Examples { inputs, targets, shape: InputShape::Features { count: 3 }, background: &[] }
}

fn near(actual: &[f64], expected: &[f64], tolerance: f64) {
    let near = actual.iter().zip(expected).all(|(a, e)| (a - e).abs() <= tolerance);
    assert!(near && actual.len() == expected.len(), "{actual:?}, not {expected:?}");
}

#[test]
fn curves_of_deletion_and_insertion() {
    let function = linear();
    let model = Model::differentiable(&function);
    // Contributions 2, −2, 3 at (1, 2, 1): the third goes first, the second last.
    let on = on(&[1.0, 2.0, 1.0], &[0]);
    let config = RemovalConfig { measured: Measured::Score, ..RemovalConfig::default() };
    let found = removal(&config, &model, &on, &[2.0, -2.0, 3.0], &mut rng(1)).unwrap();
    near(&found.fractions, &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0], 1e-12);
    near(&found.deletion, &[3.0, 0.0, -2.0, 0.0], 1e-6);
    near(&found.insertion, &[0.0, 3.0, 5.0, 3.0], 1e-6);
    near(&found.deletion_areas, &[(1.5 - 1.0 - 1.0) / 3.0], 1e-6);
    near(&found.insertion_areas, &[(1.5 + 4.0 + 4.0) / 3.0], 1e-6);

    let found = removal(&RemovalConfig::default(), &model, &on, &[2.0, -2.0, 3.0], &mut rng(1)).unwrap();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    near(&found.insertion, &[0.0, 3.0, 5.0, 3.0].map(sigmoid), 1e-6);
    let few = RemovalConfig { steps: 2, ..config };
    let found = removal(&few, &model, &on, &[2.0, -2.0, 3.0], &mut rng(1)).unwrap();
    near(&found.deletion, &[3.0, 0.0, 0.0], 1e-6);
}

#[test]
fn the_gradient_of_a_linear_function_predicts_noise_and_its_contributions_predict_holes() {
    let function = linear();
    let model = Model::differentiable(&function);
    let on = on(&[1.0, 2.0, 1.0], &[0]);
    let noise = InfidelityConfig { samples: 4000, perturbation: Perturbation::Noise { sigma: 0.5 } };
    let holes = Perturbation::Parts { square: 1, baseline: Baseline::Zero };
    let holes = InfidelityConfig { samples: 4000, perturbation: holes };
    let ask = |config, values: &[f32]| infidelity(config, &model, &on, values, &mut rng(1)).unwrap();

    let right = ask(&noise, &SLOPES);
    near(&right.error, &[0.0], 1e-10);
    // E[(Σ slope · I)²] = σ² Σ slope².
    near(&right.change, &[0.25 * 14.0], 0.2);
    let doubled = ask(&noise, &[4.0, -2.0, 6.0]);
    near(&doubled.error, &right.change, 1e-5);
    near(&doubled.scaled_error, &[0.0], 1e-10);
    // Without the second slope: its part of the change is missed.
    near(&ask(&noise, &[2.0, 0.0, 3.0]).error, &[0.25], 0.02);
    near(&ask(&noise, &[0.0; 3]).error, &right.change, 1e-10);

    near(&ask(&holes, &[2.0, -2.0, 3.0]).error, &[0.0], 1e-10);
    // A contribution of one too much, in every other sample.
    near(&ask(&holes, &[2.0, -2.0, 4.0]).error, &[0.5], 0.03);
}

#[test]
fn the_gradient_of_a_linear_function_is_not_sensitive_and_its_contributions_are() {
    let function = linear();
    let model = Model::differentiable(&function);
    let on = on(&[1.0, 2.0, 1.0, 0.0, 0.0, 0.0], &[0, 0]);
    let ask = |radius: f64, name: &str| {
        let method = MethodConfig::named(name).unwrap();
        let config = SensitivityConfig { radius, samples: 500 };
        max_sensitivity(&config, &method, &model, &on, &mut rng(1)).unwrap()
    };
    near(&ask(0.1, "saliency"), &[0.0, 0.0], 0.0);
    // slope · x moves by at most radius · |slope|, so in a corner by radius · √14, of √(4 + 4 + 9).
    let found = ask(0.1, "input-x-gradient");
    let corner = 0.1 * (14.0_f64 / 17.0).sqrt();
    assert!(found[0] <= corner + 1e-6 && found[0] > 0.85 * corner, "{found:?}");
    assert_eq!(found[1], f64::INFINITY, "values of zero that do not stay so");
}

#[test]
fn gaps_of_any_values() {
    let function = linear();
    let model = Model::black_box(&function);
    let on = on(&[1.0, 2.0, 1.0], &[0]);
    let found = gaps(&model, &on, &[2.0, -2.0, 4.0], &[0.0; 3]);
    near(&[found[0].expected, found[0].absolute, found[0].relative], &[3.0, 1.0, 1.0 / 3.0], 1e-6);
}

#[derive(Debug)]
struct Failed;

impl From<ExplainError> for Failed {
    fn from(error: ExplainError) -> Self {
        panic!("{error}")
    }
}

impl From<WeightsError> for Failed {
    fn from(error: WeightsError) -> Self {
        panic!("{error}")
    }
}

#[test]
fn random_weights_give_other_reasons_unless_the_method_looks_at_the_input_alone() {
    let shape = InputShape::Image { channels: 1, height: 12, width: 12 };
    let settings = json!({"name": "lenet5", "activation": "relu"});
    let subject = Subject::new(&settings, shape, 3, None);
    let architecture: Architecture = serde_json::from_value(settings).unwrap();
    let other = architecture.init(shape, 3, &mut rng(99), &subject.device).unwrap();
    let fresh = weights::collect(&other);
    let inputs = wave(4 * 144);
    let on = subject.examples(&inputs, &[0, 1, 2, 0], &[]);
    let config = RandomisationConfig::default();
    let (scaling, device) = (Scaling::none(144), &subject.device);

    let mut last = Vec::new();
    let found =
        randomisation(&config, &subject.network, &fresh, 144, device, |network| -> Result<_, Failed> {
            let view = WhiteBox::new(network, &scaling, 3, device);
            let model = Model::layered(&view, Layers { network, device, scaling: &scaling, outputs: 3 });
            last = view.logits(&inputs);
            Ok(MethodConfig::named("saliency")?.attribute(&model, &on, &mut rng(1))?.values)
        })
        .unwrap();
    let names: Vec<&str> = found.stages.iter().map(|stage| stage.layer.as_str()).collect();
    assert_eq!(names, ["fc3", "fc2", "fc1", "conv2", "conv1"]);
    assert!(!found.fails && found.stages[4].mean.abs() < 0.5, "{found:?}");
    assert_eq!(
        last,
        WhiteBox::new(&other, &scaling, 3, device).logits(&inputs),
        "all layers are the other's"
    );

    let found =
        randomisation(&config, &subject.network, &fresh, 144, device, |_| Ok::<_, Failed>(inputs.clone()));
    let found = found.unwrap();
    assert!(found.fails && found.stages.iter().all(|stage| stage.mean == 1.0), "{found:?}");
}

#[test]
fn columns_that_matter_are_missed() {
    let function = linear();
    let inputs: Vec<f32> = (0..300).map(|i| ((i * 7919) % 200) as f32 / 100.0 - 1.0).collect();
    let logits = function.logits(&inputs);
    let labels: Vec<usize> = logits.chunks_exact(2).map(|row| usize::from(row[0] < row[1])).collect();
    let columns = [vec![0], vec![1], vec![2], vec![0, 1, 2], vec![]];
    let found = permutation_importance(&function, &inputs, &labels, &columns, 5, &mut rng(1));
    let drops: Vec<f64> = found.iter().map(|importance| importance.accuracy_drop().0).collect();
    assert!(drops[2] > drops[0] && drops[0] > drops[1] && drops[1] > 0.0, "{drops:?}");
    assert_eq!((drops[4], found[4].loss_rise()), (0.0, (0.0, 0.0)));
    assert_eq!(found, permutation_importance(&function, &inputs, &labels, &columns, 5, &mut rng(1)));
}

#[test]
fn dependence_on_one_feature_of_a_linear_function() {
    let function = linear();
    let inputs = [1.0, 0.0, 0.0, 0.0, 2.0, 0.0];
    let found = partial_dependence(&function, &inputs, &[2], &[-1.0, 0.0, 1.0]);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let expected: Vec<f64> = [-1.0, 0.0, 1.0]
        .iter()
        .flat_map(|x| {
            let mean = 0.5 * (sigmoid(2.0 + 3.0 * x) + sigmoid(-2.0 + 3.0 * x));
            [mean, 1.0 - mean]
        })
        .collect();
    near(&found.mean, &expected, 1e-6);
    assert!((f64::from(found.rows[(3 + 1) * 2]) - sigmoid(-2.0)).abs() < 1e-6);
    // Columns that move together, as the values of one category do.
    let found = partial_dependence(&function, &inputs, &[0, 2], &[1.0, 0.0, 0.0, 1.0]);
    let [first, second] = [[2.0, 0.0], [3.0, 1.0]].map(|[x, y]| 0.5 * (sigmoid(x) + sigmoid(y)));
    near(&found.mean, &[first, 1.0 - first, second, 1.0 - second], 1e-6);
    assert_eq!(quantile_grid(&[0.0, 5.0, 1.0, 5.0, 2.0, 7.0, 3.0, 9.0, 4.0, 9.0], 2, 0, 3), [0.0, 2.0, 4.0]);
    assert_eq!(quantile_grid(&[1.0, 1.0], 1, 0, 5), [1.0]);
    assert_eq!(quantile_grid(&[0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 9.0, 7.0], 1, 0, 3), [0.0, 5.0, 9.0]);
    assert!(quantile_grid(&[], 1, 0, 5).is_empty());
}
