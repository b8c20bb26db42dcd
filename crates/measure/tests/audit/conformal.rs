//! Against MAPIE (`golden/conformal.py`), and whether sets cover what they promise.

use crucible_measure::conformal::{Conformal, Score};
use crucible_measure::{Proportion, Rows, softmax};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_near, labels, number, numbers};

fn score(case: &Value) -> Score {
    match case["name"].as_str().unwrap() {
        "lac" => Score::Lac,
        "aps" => Score::Aps,
        _ => Score::Raps { lambda: number(&case["lambda"]), k_reg: case["k_reg"].as_u64().unwrap() as usize },
    }
}

#[test]
fn thresholds_and_sets_are_mapies() {
    let golden: Value = serde_json::from_str(include_str!("../golden/conformal.json")).unwrap();
    let classes = golden["classes"].as_u64().unwrap() as usize;
    let (calibration, truth) = (numbers(&golden["calibration"]), labels(&golden["labels"]));
    let fresh = numbers(&golden["fresh"]);
    let (draws, fresh_draws) = (numbers(&golden["draws"]), numbers(&golden["fresh_draws"]));
    for case in golden["cases"].as_array().unwrap() {
        let all = (0..truth.len()).collect();
        let on = case.get("calibrated_on").map_or(all, labels);
        let rows = Rows::new(&calibration, classes);
        let part: Vec<f64> = on.iter().flat_map(|i| rows.row(*i)).copied().collect();
        let part_labels: Vec<usize> = on.iter().map(|i| truth[*i]).collect();
        let alpha = number(&case["alpha"]);
        let ours = Conformal::calibrate(
            score(case),
            Rows::new(&part, classes),
            &part_labels,
            alpha,
            Some(&draws[..on.len()]),
        );
        assert_near(ours.threshold, number(&case["threshold"]));

        // Where it includes the class that passes the threshold, a draw of 1 leaves out that class's share; where it
        // does not, the draw is 0, but then no set of its own is empty.
        let at = match &case["last"] {
            Value::Bool(true) => vec![1.0; fresh_draws.len()],
            Value::Bool(false) => vec![0.0; fresh_draws.len()],
            _ => fresh_draws.clone(),
        };
        let sets = ours.sets(Rows::new(&fresh, classes), Some(&at));
        let theirs = labels(&case["sets"]);
        for (example, theirs) in theirs.chunks(classes).enumerate() {
            let theirs: Vec<usize> = (0..classes).filter(|class| theirs[*class] == 1).collect();
            let forced = case["last"] == false && sets.set(example).is_empty();
            assert!(sets.set(example) == theirs || (forced && theirs.len() == 1), "{case}, {example}");
        }
    }
}

#[test]
fn sets_say_what_they_cover() {
    // Scores of the labels by LAC: 0.1, 0.2, 0.3, 0.4; α = 0.2 takes the fourth of four.
    let rows = [0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.4, 0.6];
    let (rows, truth) = (Rows::new(&rows, 2), [0, 1, 0, 1]);
    let lac = |alpha| Conformal::calibrate(Score::Lac, rows, &truth, alpha, None);
    assert_near(lac(0.2).threshold, 0.4);
    assert_near(lac(0.41).threshold, 0.3);
    // Five places, of which 0.1 cannot leave out one.
    assert_eq!(lac(0.1).threshold, f64::INFINITY);
    let sets = lac(0.2).sets(Rows::new(&[0.5, 0.5, 0.65, 0.35], 2), None);
    assert_eq!((sets.set(0), sets.set(1)), (vec![], vec![0]));
    assert_eq!(sets.mean_size(), Some(0.5));
    assert_eq!(sets.coverage(&[0, 0]).successes, 1);
    assert_eq!(successes(sets.coverage_by_class(&[0, 1])), [0, 0]);
    assert_eq!(successes(sets.coverage_by_size(&[0, 0])), [0, 1, 0]);
    let none = Conformal::calibrate(Score::Aps, Rows::new(&[], 3), &[], 0.1, None);
    assert_eq!(none.sets(Rows::new(&[0.2, 0.3, 0.5], 3), None).set(0), [0, 1, 2]);
}

fn successes(shares: Vec<Proportion>) -> Vec<u64> {
    shares.iter().map(|share| share.successes).collect()
}

#[test]
fn a_penalty_shortens_long_sets() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (probabilities, truth) = sample(2000, &mut rng);
    let rows = Rows::new(&probabilities, CLASSES);
    let longest = |score| {
        let sets = Conformal::calibrate(score, rows, &truth, 0.05, None).sets(rows, None);
        assert!(sets.coverage(&truth).estimate().unwrap() >= 0.95);
        (0..sets.len()).map(|example| sets.set(example).len()).max()
    };
    assert!(longest(Score::Raps { lambda: 0.2, k_reg: 2 }) < longest(Score::Aps));
}

const CLASSES: usize = 5;

/// Probabilities, and labels that are not drawn by them: no promise needs a good network.
fn sample(count: usize, rng: &mut ChaCha8Rng) -> (Vec<f64>, Vec<usize>) {
    let truth: Vec<usize> = (0..count).map(|_| rng.random_range(0..CLASSES)).collect();
    let mut logit = |class, label| 2.0 * rng.random::<f64>() + if class == label { 1.5 } else { 0.0 };
    let places = truth.iter().flat_map(|label| (0..CLASSES).map(|class| (class, *label)));
    let logits: Vec<f64> = places.map(|(class, label)| logit(class, label)).collect();
    (softmax(Rows::new(&logits, CLASSES), 1.0), truth)
}

/// The coverage after a calibration on 1,000 examples is distributed as Beta(901, 100), of which 95% lies in
/// [0.8808, 0.9179].
const USUAL: std::ops::RangeInclusive<f64> = 0.8808..=0.9179;

/// Where the label's probability is uniform, the coverage is the threshold itself.
#[test]
fn coverage_is_distributed_as_promised() {
    let covered = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows: Vec<f64> = (0..1000).map(|_| rng.random()).flat_map(|p: f64| [p, 1.0 - p]).collect();
        Conformal::calibrate(Score::Lac, Rows::new(&rows, 2), &[0; 1000], 0.1, None).threshold
    };
    let coverages: Vec<f64> = (0..2000).map(covered).collect();
    let within = coverages.iter().filter(|c| USUAL.contains(*c)).count();
    assert!((1870..=1930).contains(&within), "{within} of 2000");
    let mean = coverages.iter().sum::<f64>() / 2000.0;
    assert!((mean - 901.0 / 1001.0).abs() < 0.001, "{mean}");
}

/// The same on drawn examples, whose share that is covered has a standard error of 0.0021: with it, 85 or more of 100
/// calibrations lie within with a probability of 0.99.
#[test]
fn every_score_covers_what_it_promises() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (fresh, fresh_labels) = sample(20_000, &mut rng);
    let fresh = Rows::new(&fresh, CLASSES);
    let draws: Vec<f64> = fresh_labels.iter().map(|_| rng.random()).collect();
    for score in [Score::Lac, Score::Aps, Score::Raps { lambda: 0.1, k_reg: 2 }] {
        let covered = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (probabilities, truth) = sample(1000, &mut rng);
            let own: Vec<f64> = truth.iter().map(|_| rng.random()).collect();
            let rows = Rows::new(&probabilities, CLASSES);
            let fitted = Conformal::calibrate(score, rows, &truth, 0.1, Some(&own));
            fitted.sets(fresh, Some(&draws)).coverage(&fresh_labels).estimate().unwrap()
        };
        let coverages: Vec<f64> = (0..100).map(covered).collect();
        let within = coverages.iter().filter(|c| USUAL.contains(*c)).count();
        assert!(within >= 85, "{score:?}: {within} of 100");
        let mean = coverages.iter().sum::<f64>() / 100.0;
        assert!((mean - 901.0 / 1001.0).abs() < 0.008, "{score:?}: {mean}");
    }
}
