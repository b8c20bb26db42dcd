use super::*;

fn phase(noise: f64, rate: f64, steps: u64) -> Phase {
    Phase::new(noise, rate, steps).expect("a valid phase")
}

/// Published values: the first two lines of Opacus's `accountants_test.py`, the others of TensorFlow Privacy's
/// `compute_dp_sgd_privacy_test.py`.
#[test]
fn renyi_agrees_with_published_values() {
    for (noise, rate, steps, delta, published) in [
        (1.5, 0.04, 2250, 1e-5, 7.329_111_171_43),
        (1.5, 0.04, 2249, 1e-5, 7.327_50),
        (1.3, 0.0025, 6000, 1e-5, 0.724_223_402_6),
        (1.0, 0.001, 30_000, 1e-7, 1.415_498_849_5),
        (0.7, 0.01, 120, 1e-5, 3.239_267_6),
        (4.0, 0.01, 10_000, 1e-5, 1.035_49),
        (4.0, 0.01, 40_000, 1e-5, 2.209_74),
    ] {
        let found = rdp(&[phase(noise, rate, steps)], delta).expect("a valid δ");
        assert!((found - published).abs() < 5e-4, "{noise} {rate} {steps}: {found} for {published}");
    }
}

#[test]
fn the_loss_distribution_brackets_published_values() {
    for (noise, rate, steps, delta, tight) in [
        (1.5, 0.04, 2250, 1e-5, 6.768_79),
        (1.5, 0.04, 2249, 1e-5, 6.767_045),
        (1.3, 0.0025, 6000, 1e-5, 0.640_11),
        (1.0, 0.001, 30_000, 1e-7, 1.098_20),
        (0.7, 0.01, 120, 1e-5, 2.461_238_1),
        (4.0, 0.01, 10_000, 1e-5, 0.947_00),
        (4.0, 0.01, 40_000, 1e-5, 2.033_36),
    ] {
        let Bounds { lower, upper } = pld(&[phase(noise, rate, steps)], delta).expect("a valid δ");
        println!("{noise} {rate} {steps}: {lower} {tight} {upper}");
        // The published values are pessimistic ones of a grid themselves.
        assert!(
            lower <= tight * (1.0 + 1e-4) && tight * (1.0 - 1e-3) <= upper,
            "{noise} {rate} {steps}: {lower} {upper}"
        );
        assert!(
            lower > 0.99 * tight && upper < 1.01 * tight,
            "{noise} {rate} {steps}: {lower} {upper} for {tight}"
        );
    }
}

/// Without sampling it is known exactly: δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ) for μ = √steps / noise.
#[test]
fn the_whole_data_set_at_once_is_known_exactly() {
    for (noise, steps, epsilon) in [(1.0, 1, 1.0), (3.0, 4, 0.5), (0.5, 2, 12.0), (20.0, 1000, 3.0)] {
        let mu = f64::from(steps).sqrt() / noise;
        let delta =
            normal::cdf(0.5 * mu - epsilon / mu) - epsilon.exp() * normal::cdf(-0.5 * mu - epsilon / mu);
        let Bounds { lower, upper } = pld(&[phase(noise, 1.0, steps as u64)], delta).expect("a valid δ");
        assert!(lower <= epsilon && epsilon <= upper, "{lower} {epsilon} {upper}");
        assert!(upper - lower < 0.02 * epsilon, "{lower} {epsilon} {upper}");
    }
}

/// Google's `pld_privacy_accountant_test.py`: δ at ε = 1 of three Gaussian mechanisms, and of three sampled ones.
#[test]
fn delta_at_one_agrees_with_googles() {
    for (noise, rate, delta) in [(3f64.sqrt(), 1.0, 0.126_936), (0.5, 0.2, 0.155_94)] {
        let Bounds { lower, upper } = pld(&[phase(noise, rate, 3)], delta).expect("a valid δ");
        assert!(lower <= 1.001 && 0.999 <= upper && upper - lower < 0.02, "{lower} {upper}");
    }
}

/// Opacus 1.6 and Google's dp-accounting 0.6, run once by `tests/golden/accountants.py`. Its optimistic bound is far looser
/// than the pessimistic one.
#[test]
fn other_programs_agree() {
    #[derive(serde::Deserialize)]
    struct Row {
        noise: f64,
        rate: f64,
        steps: u64,
        delta: f64,
        rdp: f64,
        pld_lower: f64,
        pld_upper: f64,
        gdp: f64,
    }
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("../../tests/golden/accountants.json")).expect("rows");
    assert_eq!(rows.len(), 12);
    for row in rows {
        let phases = [phase(row.noise, row.rate, row.steps)];
        let Bounds { lower, upper } = pld(&phases, row.delta).expect("a valid δ");
        let [rdp, gdp] = [rdp, gdp].map(|by| by(&phases, row.delta).expect("a valid δ"));
        let all = format!("{} {} {}: {lower} {upper} {rdp} {gdp}", row.noise, row.rate, row.steps);
        assert!(lower <= row.pld_upper && row.pld_lower <= upper, "{all}");
        assert!(lower > 0.99 * row.pld_upper && upper < 1.01 * row.pld_upper, "{all}");
        // More orders than Opacus has may bring it lower, never higher.
        assert!(rdp <= row.rdp + 1e-6 && rdp > row.rdp - 5e-4 * row.rdp.max(1.0), "{all}");
        assert!((gdp - row.gdp).abs() < 1e-4 * row.gdp, "{all}");
    }
}

#[test]
fn gdp_agrees_with_opacus() {
    let found = gdp(&[phase(1.5, 0.04, 2249)], 1e-5).expect("a valid δ");
    assert!((found - 6.599_82).abs() < 1e-4, "{found}");
}

/// Opacus's `accountants_test.py`: ε = 8 at a rate of 0.04 over 90 epochs.
#[test]
fn the_noise_for_a_budget_agrees_with_opacus() {
    for (accountant, published) in
        [(Accountant::Rdp, 1.416), (Accountant::Pld, 1.347_656_25), (Accountant::Gdp, 1.323_242_187_5)]
    {
        let found = accountant.noise(&[], (0.04, 2250), 8.0, 1e-5).expect("it can be reached");
        assert!((found - published).abs() < 1e-2, "{accountant:?}: {found} for {published}");
        let spent = accountant.epsilon(&[phase(found, 0.04, 2250)], 1e-5).expect("a valid δ");
        assert!(spent <= 8.0, "{accountant:?} promises more than it keeps: {spent}");
    }
}

#[test]
fn everything_is_finite_and_monotone_over_extreme_settings() {
    let grid = || {
        [0.3, 1.0, 100.0].into_iter().flat_map(|noise| {
            [1e-6, 0.02, 1.0]
                .into_iter()
                .flat_map(move |rate| [1, 1000, 1_000_000].map(|steps| (noise, rate, steps)))
        })
    };
    let mut seen = Vec::new();
    for (noise, rate, steps) in grid() {
        for delta in [1e-9, 1e-5] {
            if delta == 1e-9 && (noise, steps) != (1.0, 1000) {
                continue;
            }
            let phases = [phase(noise, rate, steps)];
            let bounds = pld(&phases, delta).expect("a valid δ");
            let found =
                [rdp(&phases, delta).expect("valid"), gdp(&phases, delta).expect("valid"), bounds.upper];
            let all = format!("{noise} {rate} {steps} {delta}: {found:?} {bounds:?}");
            assert!(found.iter().all(|value| value.is_finite() && *value >= 0.0), "{all}");
            assert!(bounds.lower <= bounds.upper && bounds.upper <= found[0], "{all}");
            seen.push(((noise, rate, steps, delta), found));
        }
    }
    for (a, of_a) in &seen {
        for (b, of_b) in &seen {
            // Less noise, more examples, more steps and a smaller δ cost more: never less.
            if a.0 >= b.0 && a.1 <= b.1 && a.2 <= b.2 && a.3 >= b.3 {
                for (less, more) in of_a.iter().zip(of_b) {
                    assert!(*less <= more * (1.0 + 1e-2) + 1e-9, "{a:?} {of_a:?} {b:?} {of_b:?}");
                }
            }
        }
    }
}

#[test]
fn phases_add_up() {
    let (one, two) = (phase(1.2, 0.02, 300), phase(1.2, 0.02, 700));
    for accountant in [Accountant::Rdp, Accountant::Gdp, Accountant::Pld] {
        let apart = accountant.epsilon(&[one, two], 1e-5).expect("a valid δ");
        let together = accountant.epsilon(&[phase(1.2, 0.02, 1000)], 1e-5).expect("a valid δ");
        assert!((apart - together).abs() < 2e-3 * together, "{accountant:?}: {apart} {together}");
        let steps =
            accountant.steps_within(&[one], phase(1.2, 0.02, 5000), together, 1e-5).expect("a valid δ");
        assert!((690..=702).contains(&steps), "{accountant:?}: {steps}");
    }
}

#[test]
fn bad_numbers_are_errors_that_say_what_would_do() {
    assert_eq!(Phase::new(0.0, 0.1, 1), Err(PrivacyError::Noise(0.0)));
    assert!(matches!(Phase::new(f64::NAN, 0.1, 1), Err(PrivacyError::Noise(_))));
    assert_eq!(Phase::new(1.0, 1.5, 1), Err(PrivacyError::Rate(1.5)));
    let phases = [phase(1.0, 0.1, 1)];
    for accountant in [Accountant::Rdp, Accountant::Gdp, Accountant::Pld] {
        assert_eq!(accountant.epsilon(&phases, 0.0), Err(PrivacyError::Delta(0.0)));
        assert_eq!(accountant.noise(&[], (0.1, 10), -1.0, 1e-5), Err(PrivacyError::Epsilon(-1.0)));
    }
    let spent = [phase(0.5, 0.5, 1000)];
    let error = Accountant::Rdp.noise(&spent, (0.1, 10), 1.0, 1e-5);
    assert!(matches!(error, Err(PrivacyError::Unreachable { .. })), "{error:?}");
}
