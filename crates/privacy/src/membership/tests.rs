use crucible_measure::{Roc, normal_quantile};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/membership.json")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn bools(value: &Value) -> Vec<bool> {
    value.as_array().expect("a list").iter().map(|v| v.as_bool().expect("a truth")).collect()
}

/// The attack that a line of the golden values is about.
fn attack(line: &str) -> AttackConfig {
    let words: Vec<&str> = line.split(' ').collect();
    let variance = |word| if word == "each" { Variance::Each } else { Variance::Fixed };
    match words[..] {
        ["label-only"] => AttackConfig::LabelOnly(LabelOnly {}),
        ["loss"] => AttackConfig::Loss(Loss {}),
        ["calibrated-loss"] => AttackConfig::CalibratedLoss(CalibratedLoss {}),
        ["lira", word] => AttackConfig::Lira(Lira { variance: variance(word) }),
        ["lira-offline", word, tails] => AttackConfig::LiraOffline(LiraOffline {
            variance: variance(word),
            tails: if tails == "both" { Tails::Both } else { Tails::High },
        }),
        ["rmia", gamma, a] => {
            let number = |word: &str| word.parse().expect("a number");
            AttackConfig::Rmia(Rmia { gamma: number(gamma), a: number(a) })
        }
        _ => panic!("{line}"),
    }
}

#[test]
fn scores_are_those_of_the_authors_code() {
    let mut compared = 0;
    for case in golden()["cases"].as_array().expect("a list") {
        let of = |name: &str| numbers(&case[name]);
        let (target, scores, members) = (of("target"), of("scores"), bools(&case["members"]));
        let (z_target, z_scores) = (of("z_target"), of("z_scores"));
        let evidence = Evidence {
            target: &target,
            right: &vec![true; target.len()],
            shadows: Shadows { scores: &scores, members: &members },
            population: Some(Population { target: &z_target, shadows: &z_scores }),
        };
        for (line, theirs) in case["found"].as_object().expect("a table") {
            let ours = attack(line).run(evidence).unwrap_or_else(|e| panic!("{line}: {e}"));
            for (ours, theirs) in ours.iter().zip(numbers(theirs)) {
                assert!(
                    (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0),
                    "{line}: {ours} is not {theirs}"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 10 * (15 + 12));
}

#[test]
fn confidence_is_scipys_and_keeps_its_digits_far_out() {
    let golden = &golden()["confidence"];
    let rows = golden["logits"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(golden["confidences"].as_array().expect("a list"));
    for (logits, confidences) in rows {
        for (label, theirs) in numbers(confidences).into_iter().enumerate() {
            let ours = confidence(&numbers(logits), label);
            assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "{ours} is not {theirs}");
        }
    }
    // Where the probability in `f64` is 1.
    assert_eq!(confidence(&[0.0, 90.0], 1), 90.0);
    assert_eq!(confidence(&[1000.0, -1000.0], 1), -2000.0);
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    normal_quantile(((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
}

/// Confidences of models that know their members by a shift: an example's confidences are normal about its own ease, whose
/// spread is `spread`, with a variance of 1, and `shift` higher for members.
struct World {
    target: Vec<f64>,
    right: Vec<bool>,
    truth: Vec<bool>,
    scores: Vec<f64>,
    members: Vec<bool>,
}

impl World {
    fn new(models: usize, examples: usize, shift: f64, (ease, spread): (f64, f64)) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let eases: Vec<f64> = (0..examples).map(|_| ease + spread * normal(&mut rng)).collect();
        let mut model = |members: &[bool]| -> Vec<f64> {
            let shifted =
                eases.iter().zip(members).map(|(ease, member)| ease + f64::from(u8::from(*member)) * shift);
            shifted.map(|mean| mean + normal(&mut rng)).collect()
        };
        let mut coins = ChaCha8Rng::seed_from_u64(8);
        let mut toss = || -> Vec<bool> { (0..examples).map(|_| coins.next_u64() & 1 == 1).collect() };
        let truth = toss();
        // Two models in a row share the examples out between them.
        let halves = (0..models / 2).map(|_| toss());
        let members: Vec<Vec<bool>> =
            halves.flat_map(|half| [half.iter().map(|member| !member).collect(), half]).collect();
        let target = model(&truth);
        let scores: Vec<Vec<f64>> = members.iter().map(|members| model(members)).collect();
        // Of two classes.
        let right = target.iter().map(|confidence| *confidence > 0.0).collect();
        Self { target, right, truth, scores: scores.concat(), members: members.concat() }
    }

    fn evidence(&self) -> Evidence<'_> {
        let shadows = Shadows { scores: &self.scores, members: &self.members };
        Evidence { target: &self.target, right: &self.right, shadows, population: None }
    }

    fn roc(&self, line: &str) -> Roc {
        let scores = attack(line).run(self.evidence()).unwrap_or_else(|e| panic!("{line}: {e}"));
        let of = |member| -> Vec<f64> {
            scores
                .iter()
                .zip(&self.truth)
                .filter(|(_, truth)| **truth == member)
                .map(|(score, _)| *score)
                .collect()
        };
        Roc::new(&of(true), &of(false)).expect("members and non-members")
    }
}

/// Φ(x), by Simpson's rule, as an independent oracle.
fn cdf(x: f64) -> f64 {
    let (steps, from) = (4000, -12.0);
    let h = (x - from) / f64::from(steps);
    let weight = |i| if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
    let term = |i: i32| weight(i) * (-0.5 * (from + f64::from(i) * h).powi(2)).exp();
    (0..=steps).map(term).sum::<f64>() * h / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
}

/// The area under the curve of two normal scores is Φ(difference of means / √(sum of variances)). At confidences this low
/// the loss is the confidence, negated.
#[test]
fn areas_are_the_known_ones_of_normal_scores() {
    let (shift, spread, models) = (1.0, 3.0, 64);
    let world = World::new(models, 20_000, shift, (-60.0, spread));
    let optimum = cdf(shift / 2f64.sqrt());
    // The mean, and about the median, of 32 models vary too, and so does a variance from 32.
    let mean = cdf(shift / (2.0 * (1.0 + 2.0 / models as f64)).sqrt());
    for (line, known, slack) in [
        ("loss", cdf(shift / (2.0 * (1.0 + spread * spread)).sqrt()), 0.0),
        ("calibrated-loss", mean, 0.0),
        ("lira-offline fixed high", mean, 0.005),
        ("lira-offline each high", mean, 0.01),
        ("lira fixed", optimum, 0.005),
        ("lira each", optimum, 0.01),
    ] {
        let roc = world.roc(line);
        let interval = roc.auc_interval(0.999).expect("an interval");
        println!("{line}: {} for {known}, {interval:?}", roc.auc());
        assert!(
            interval.low - slack <= known && known <= interval.high + slack,
            "{line}: {interval:?} for {known}"
        );
        assert!(roc.auc() < optimum + 0.015, "{line} does better than the best: {}", roc.auc());
    }
}

/// What the papers are about: at few false positives a loss finds next to nothing.
#[test]
fn shadow_models_find_members_at_few_false_positives() {
    let world = World::new(32, 20_000, 4.0, (0.0, 4.0));
    let found = |line: &str| {
        let point = world.roc(line).at_false_positive_rate(0.001);
        point.true_positives.estimate().expect("members")
    };
    // Of N(4, 1) against N(0, 1), where Φ⁻¹(0.999) is 3.0902: Φ(0.9098).
    let optimum = cdf(4.0 - 3.090_232_306_167_813);
    let loss = found("loss");
    for (line, least) in [
        ("lira fixed", 0.9),
        ("lira each", 0.7),
        ("lira-offline fixed high", 0.85),
        ("lira-offline each high", 0.3),
        ("lira-offline fixed both", 0.7),
        // Of an example that is easy without being trained on, the ratio of probabilities cannot tell much.
        ("rmia 1 0.3", 0.25),
    ] {
        let share = found(line);
        println!("{line}: {share} of at most {optimum}, loss {loss}");
        assert!(
            share > least * optimum && share < optimum + 0.05 && share > 5.0 * loss,
            "{line}: {share}, {loss}"
        );
    }
}

/// The gap between the accuracies, by hand: of 4 members 3 are answered rightly, of 5 others 2.
#[test]
fn labels_alone_tell_members_by_the_gap() {
    let right = [true, true, true, false, true, true, false, false, false];
    let shadows = Shadows { scores: &[], members: &[] };
    let evidence = Evidence { target: &[0.25; 9], right: &right, shadows, population: None };
    let scores = attack("label-only").run(evidence).expect("scores");
    let roc = Roc::new(&scores[..4], &scores[4..]).expect("members and others");
    assert_eq!(roc.auc(), 0.5 + (0.75 - 0.4) / 2.0);
    assert_eq!(roc.points().len(), 3);
    assert_eq!(roc.at_false_positive_rate(0.39).true_positives.successes, 0);
    assert_eq!(roc.at_false_positive_rate(0.4).true_positives.successes, 3);
}

/// Ratios within one example's own set of others: γ and the population move a threshold, and no example past another.
#[test]
fn the_population_of_rmia_changes_no_order_but_by_ties() {
    let world = World::new(8, 300, 1.0, (1.0, 2.0));
    let alone = attack("rmia 1 0.3").run(world.evidence()).expect("scores");
    let shadows: Vec<f64> = world.scores.chunks(300).flat_map(|row| row[..40].to_vec()).collect();
    let population = Some(Population { target: &world.target[..40], shadows: &shadows });
    for line in ["rmia 1 0.3", "rmia 2 0.3", "rmia 0.8 0.3"] {
        let scores = attack(line).run(Evidence { population, ..world.evidence() }).expect("scores");
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        for (a, b) in alone.iter().zip(&scores) {
            assert!(alone.iter().zip(&scores).all(|(c, d)| (a > c) <= (b >= d)), "{line}");
        }
    }
}

#[test]
fn the_order_of_models_changes_nothing() {
    let world = World::new(6, 50, 1.0, (0.0, 2.0));
    let turned = |slice: &[f64]| [&slice[100..], &slice[..100]].concat();
    let members = [&world.members[100..], &world.members[..100]].concat();
    let scores = turned(&world.scores);
    for (name, _, config) in AttackConfig::all() {
        let there = config.run(world.evidence()).expect("scores");
        let shadows = Shadows { scores: &scores, members: &members };
        let back = config.run(Evidence { shadows, ..world.evidence() }).expect("scores");
        for (a, b) in there.iter().zip(&back) {
            assert!((a - b).abs() < 1e-12, "{name}: {a} {b}");
        }
    }
}

#[test]
fn every_attack_is_found_by_its_name() {
    for (name, doc, config) in AttackConfig::all() {
        let read: AttackConfig = serde_json::from_value(serde_json::json!({ "name": name })).expect(name);
        assert_eq!((read.name(), &read), (name, &config));
        assert!(doc.len() > 20, "{doc}");
    }
}

#[test]
fn bad_evidence_is_an_error_that_says_what_would_do() {
    let (target, scores) = ([0.0, 1.0], [0.5, -0.5, 1.5, 2.0, 0.25, 0.75]);
    let run = |line: &str, scores: &[f64], members: &[bool]| {
        let shadows = Shadows { scores, members };
        attack(line).run(Evidence { target: &target, right: &[true, false], shadows, population: None })
    };
    let text = |result: Result<Vec<f64>, PrivacyError>| result.expect_err("an error").to_string();

    // The second example is in all of them.
    let all = [true, true, false, true, false, true];
    assert!(run("loss", &scores, &all).is_ok());
    let message = text(run("lira fixed", &scores, &all));
    assert!(
        message
            .contains("3 were trained on example 1 and 0 were not, and lira-online needs at least 1 and 1"),
        "{message}"
    );
    assert!(message.ends_with("one of these: label-only, loss"), "{message}");
    // In none of them: enough without.
    let none = [true, false, false, false, false, false];
    assert!(run("lira-offline each high", &scores, &none).is_ok());
    let message = text(run("lira fixed", &scores, &none));
    assert!(message.contains("lira-offline, rmia"), "{message}");
    // One has no variance.
    let one = [true, false, false, true, false, true];
    let error = run("lira each", &scores, &one);
    let Err(PrivacyError::Shadows { inside: 1, needs: Needs { inside: 2, outside: 2 }, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(run("lira fixed", &scores, &one).is_ok());

    let same = [0.5, -0.5, 1.5, 2.0, 1.5, 0.75];
    assert_eq!(
        run("lira-offline each high", &same, &none),
        Err(PrivacyError::TheSame { example: 0, member: false })
    );
    assert_eq!(run("lira-offline fixed high", &[0.1; 6], &none), Err(PrivacyError::AllTheSame));
    let mut bad = scores;
    bad[3] = f64::INFINITY;
    let message = text(run("loss", &bad, &none));
    assert!(message.starts_with("a shadow model has a confidence of inf in example 1"), "{message}");
    assert!(text(run("rmia 0 0.3", &scores, &none)).starts_with("gamma is 0"));
    assert!(text(run("rmia 1 1.5", &scores, &none)).starts_with("a is 1.5"));
    let shadows = Shadows { scores: &scores, members: &none };
    let population = Some(Population { target: &[], shadows: &[] });
    let evidence = Evidence { target: &target, right: &[true; 2], shadows, population };
    let error = attack("rmia 1 1").run(evidence);
    assert_eq!(error, Err(PrivacyError::NoPopulation));
}

#[test]
fn nothing_at_all_has_no_scores() {
    let shadows = Shadows { scores: &[], members: &[] };
    let evidence = Evidence { target: &[], right: &[], shadows, population: None };
    for (name, _, config) in AttackConfig::all() {
        assert_eq!(config.run(evidence), Ok(vec![]), "{name}");
    }
}
