use crucible_models::{Classifier, Differentiable, Pull, Pulled};

use super::*;

/// `logits = W x + b`, of `[classes][features]`.
struct Linear {
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Classifier for Linear {
    fn features(&self) -> usize {
        self.weight[0].len()
    }

    fn classes(&self) -> usize {
        self.weight.len()
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        let rows = inputs.chunks_exact(self.features());
        let logit = |x: &[f32], class: usize| {
            let products = self.weight[class].iter().zip(x).map(|(w, x)| w * f64::from(*x));
            (products.sum::<f64>() + self.bias[class]) as f32
        };
        rows.flat_map(|x| (0..self.classes()).map(move |class| logit(x, class)).collect::<Vec<_>>()).collect()
    }
}

impl Differentiable for Linear {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        let weights = pull(0, &logits);
        let pulled = weights.chunks_exact(self.classes()).flat_map(|row| {
            (0..self.features()).map(|i| {
                let parts = row.iter().zip(&self.weight).map(|(pull, weight)| f64::from(*pull) * weight[i]);
                parts.sum::<f64>() as f32
            })
        });
        let gradient = pulled.collect();
        Pulled { logits, gradient }
    }
}

fn three() -> Linear {
    Linear {
        weight: vec![vec![1.0, -2.0, 0.5, 0.0], vec![0.3, 1.0, -1.0, 0.7], vec![-1.2, 0.1, 0.4, 2.0]],
        bias: vec![0.1, 0.0, -0.2],
    }
}

fn l2(weight: f64) -> Inversion {
    Inversion { penalty: Penalty::L2, weight, ..Inversion::default() }
}

/// Of two classes the input moves along the difference of their weights, as far as t = σ(−m(t)) · k: solved by bisection.
#[test]
fn two_classes_are_inverted_along_the_difference_of_their_weights() {
    let model = Linear { weight: vec![vec![1.0, 2.0, -1.0], vec![0.5, -1.0, 0.5]], bias: vec![0.0, 0.3] };
    let (low, high, weight) = (-2.0, 2.0, 20.0);
    for (class, sign) in [(0, 1.0), (1, -1.0)] {
        let difference: Vec<f64> = (0..3).map(|i| sign * (model.weight[0][i] - model.weight[1][i])).collect();
        let square: f64 = difference.iter().map(|d| d * d).sum();
        // x = t d where weight · 2 x / (n · width²) = σ(−(d·x + c)) d, c the class's bias less the other's.
        let (mut least, mut most) = (0.0, 10.0);
        for _ in 0..100 {
            let t = 0.5 * (least + most);
            let margin = t * square - sign * 0.3;
            let pull = 1.0 / (1.0 + f64::exp(margin));
            if 2.0 * weight * t / (3.0 * 16.0) < pull { least = t } else { most = t }
        }
        let found =
            invert(&model, &[3], [low, high], class, &[0.5, -1.0, 1.5], &l2(weight)).expect("an input");
        for (value, difference) in found[0].input.iter().zip(&difference) {
            assert!(
                (f64::from(*value) - least * difference).abs() < 2e-3,
                "{found:?}: {least} {difference:?}"
            );
        }
        let margin = least * square - sign * 0.3;
        assert!((found[0].probability - 1.0 / (1.0 + (-margin).exp())).abs() < 1e-3);
    }
}

/// Whatever the start, nothing on a grid over the whole range is surer.
#[test]
fn without_a_penalty_nothing_in_the_range_is_surer() {
    let model = three();
    let sure = |input: &[f32], class: usize| {
        let row: Vec<f64> = model.logits(input).iter().map(|logit| f64::from(*logit)).collect();
        crate::membership::confidence(&row, class)
    };
    let grid: Vec<Vec<f32>> = (0..11usize.pow(4))
        .map(|point| (0..4).map(|i| (point / 11usize.pow(i) % 11) as f32 / 10.0).collect())
        .collect();
    for class in 0..3 {
        let best = grid.iter().map(|point| sure(point, class)).fold(f64::NEG_INFINITY, f64::max);
        let starts = [0.5f32; 4].into_iter().chain([0.9, 0.1, 0.4, 0.3]).collect::<Vec<_>>();
        let found = invert(&model, &[4], [0.0, 1.0], class, &starts, &l2(0.0)).expect("inputs");
        assert_eq!(found.len(), 2);
        for found in found {
            let here = sure(&found.input, class);
            assert!(here > best - 1e-5, "class {class}: {here} of {best} at {:?}", found.input);
            assert!(found.class == class && found.input.iter().all(|value| (0.0..=1.0).contains(value)));
            assert!((found.probability - 1.0 / (1.0 + (-here).exp())).abs() < 1e-6);
        }
    }
}

/// The derivative of the total variation, by differences: at the optimum no small move in the range is better.
#[test]
fn with_total_variation_no_small_change_is_better() {
    let model = Linear {
        weight: vec![(0..12).map(|i| (f64::from(i) * 1.3).sin()).collect(), vec![0.0; 12]],
        bias: vec![0.0, 0.0],
    };
    let settings = Inversion { steps: 3000, weight: 2.0, ..Inversion::default() };
    let shape = [1, 3, 4];
    let cost = |x: &[f32]| {
        let logits = model.logits(x);
        let loss = (1.0 + f64::from(logits[1] - logits[0]).exp()).ln();
        let mut variation = 0.0;
        for row in 0..3 {
            for column in 0..4 {
                let at = |row: usize, column: usize| f64::from(x[row * 4 + column]);
                if column < 3 {
                    variation += (at(row, column + 1) - at(row, column)).hypot(0.01);
                }
                if row < 2 {
                    variation += (at(row + 1, column) - at(row, column)).hypot(0.01);
                }
            }
        }
        loss + 2.0 * variation / 17.0
    };
    let found = invert(&model, &shape, [0.0, 1.0], 0, &[0.5; 12], &settings).expect("an input");
    let here = cost(&found[0].input);
    assert!(here < cost(&[0.5; 12]) - 0.1, "{here}");
    for pixel in 0..12 {
        for step in [-0.05f32, 0.05] {
            let mut moved = found[0].input.clone();
            moved[pixel] = (moved[pixel] + step).clamp(0.0, 1.0);
            assert!(cost(&moved) > here - 1e-4, "pixel {pixel} by {step}: {} of {here}", cost(&moved));
        }
    }
    let rough = invert(&model, &shape, [0.0, 1.0], 0, &[0.5; 12], &Inversion { weight: 0.0, ..settings });
    assert!(cost(&rough.expect("an input")[0].input) > here);
}

#[test]
fn settings_that_cannot_be_are_told() {
    let model = three();
    for (settings, expected) in [
        (Inversion { steps: 0, ..Inversion::default() }, "steps is 0, and must be at least 1"),
        (l2(-1.0), "weight is -1, and must be a finite number of at least 0"),
        (
            Inversion { step_size: f64::NAN, ..Inversion::default() },
            "step_size is NaN, and must be a finite number above 0",
        ),
    ] {
        let error = invert(&model, &[4], [0.0, 1.0], 0, &[0.0; 4], &settings).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let config = NearestNeighbour { per_class: 0, ..NearestNeighbour::default() };
    assert!(ExtractionConfig::NearestNeighbour(config).check().is_err());
    for (name, _, config) in ExtractionConfig::all() {
        assert_eq!((config.name(), config.check()), (name, Ok(())));
    }
}

#[test]
fn the_nearest_are_of_the_same_class() {
    let train = Labelled { inputs: &[0.0, 0.0, 3.0, 4.0, 1.0, 1.0], labels: &[0, 1, 0] };
    let test = Labelled { inputs: &[0.0, 2.0, 0.1, 0.0, 9.0, 9.0], labels: &[0, 1, 0] };
    let made = Labelled { inputs: &[0.0, 1.0, 0.0, 0.0, 5.0, 5.0], labels: &[0, 1, 2] };
    let found = nearest_neighbours(made, train, test, 2);
    let first = found[0].expect("examples of class 0");
    assert_eq!((first.train, first.test, first.nearest_train, first.nearest_test), (1.0, 1.0, 0, 0));
    assert_eq!(first.ratio(), 1.0);
    let second = found[1].expect("examples of class 1");
    assert_eq!((second.train, second.nearest_train, second.nearest_test), (5.0, 1, 1));
    assert!((second.ratio() - 50.0).abs() < 1e-4);
    assert_eq!(found[2], None);
}

/// The mean over all choices, counted one by one.
#[test]
fn the_larger_split_has_no_advantage() {
    let train = [1.0f32, 2.0, 4.0, 8.0, 16.0];
    let test = [3.0f32, 5.0];
    let labels = [0; 5];
    let found = nearest_neighbours(
        Labelled { inputs: &[0.0], labels: &[0] },
        Labelled { inputs: &train, labels: &labels },
        Labelled { inputs: &test, labels: &labels[..2] },
        1,
    );
    let found = found[0].expect("examples");
    let mut pairs = Vec::new();
    for (i, a) in train.iter().enumerate() {
        pairs.extend(train[i + 1..].iter().map(|b| f64::from(a.min(*b))));
    }
    let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
    assert!((found.train - mean).abs() < 1e-12, "{} {mean}", found.train);
    assert_eq!((found.test, found.nearest_train), (3.0, 0));
}

/// Training and test examples of one distribution are as near as each other, though there are ten times as many of one;
/// inputs that are copies of training examples are not.
#[test]
fn only_copies_are_nearer() {
    let mut state = 1u64;
    let mut normal = || {
        // Twelve uniform numbers, less their mean.
        let mut sum = -6.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 33) as f64 / f64::from(1u32 << 31);
        }
        sum as f32
    };
    let mut draw = |count: usize| (0..count * 5).map(|_| normal()).collect::<Vec<f32>>();
    let (train, test, made) = (draw(1000), draw(100), draw(200));
    let labels = vec![0; 1000];
    let ratio = |made: &[f32]| {
        let [made, train, test] =
            [made, &train, &test].map(|inputs| Labelled { inputs, labels: &labels[..inputs.len() / 5] });
        let found = nearest_neighbours(made, train, test, 5);
        let logs: Vec<f64> = found.iter().flatten().map(|near| near.ratio().ln()).collect();
        (logs.iter().sum::<f64>() / logs.len() as f64).exp()
    };
    let fresh = ratio(&made);
    assert!((fresh - 1.0).abs() < 0.08, "{fresh}");
    let copies: Vec<f32> = train[..500].iter().map(|value| value + 0.001).collect();
    assert!(ratio(&copies) < 0.97, "{}", ratio(&copies));
}

/// Where the label is the attribute, a model of it gives the attribute away; where the label does not depend on it, the
/// first value is guessed.
#[test]
fn an_attribute_that_is_the_label_is_always_guessed() {
    let values: Vec<Vec<f32>> =
        (0..3).map(|level| (0..3).map(|i| f32::from(u8::from(i == level))).collect()).collect();
    let labels: Vec<u32> = (0..30).map(|i| i % 3).collect();
    let inputs: Vec<f32> =
        labels.iter().flat_map(|label| [&[0.7], values[*label as usize].as_slice()].concat()).collect();
    let known = |scale: f64| Linear {
        weight: (1..4).map(|own| (0..4).map(|i| if i == own { scale } else { 0.0 }).collect()).collect(),
        bias: vec![0.0; 3],
    };
    let guesses = infer_attribute(&known(2.0), &inputs, &labels, &[1, 2, 3], &values);
    assert!(guesses.iter().zip(&labels).all(|(guess, label)| *guess == *label as usize));
    let unknown = infer_attribute(&known(0.0), &inputs, &labels, &[1, 2, 3], &values);
    assert!(unknown.iter().all(|guess| *guess == 0));
}
