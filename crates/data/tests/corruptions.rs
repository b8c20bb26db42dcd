//! Corruptions of pictures: laws that hold for every one of them.

use crucible_data::corruptions::{Corruption, NotCorrupted, Severity, corrupted};
use crucible_data::{DataConfig, Examples, Inputs, Picture, Source, Targets, load, source};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The first test pictures of MNIST.
fn digits(count: usize) -> Examples {
    let config = DataConfig::new(Source::Mnist(source::Mnist {}));
    let test = load(&config, std::path::Path::new("."), 1)
        .expect("MNIST is built in")
        .test
        .expect("it has a test split");
    test.select(&(0..count).collect::<Vec<_>>())
}

fn bytes(examples: &Examples) -> &[u8] {
    match examples.inputs() {
        Inputs::Bytes { values, .. } => values,
        Inputs::Floats(_) => panic!("not pictures"),
    }
}

fn squared_difference(a: &Examples, b: &Examples) -> f64 {
    let pairs = bytes(a).iter().zip(bytes(b));
    let squares: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    squares / bytes(a).len() as f64
}

fn any_picture() -> impl Strategy<Value = Picture> {
    (1usize..4, 1usize..40, 1usize..40).prop_flat_map(|(channels, height, width)| {
        let values = proptest::collection::vec(any::<u8>(), channels * height * width);
        values.prop_map(move |values| Picture { channels, height, width, values })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn pictures_of_any_size_keep_their_shape_and_depend_on_the_draw_alone(picture in any_picture(), seed: u64) {
        for corruption in Corruption::ALL {
            for severity in Severity::ALL {
                let made = || corruption.apply(&picture, severity, &mut ChaCha8Rng::seed_from_u64(seed));
                let found = made();
                let shape = |picture: &Picture| (picture.channels, picture.height, picture.width, picture.values.len());
                prop_assert_eq!(shape(&found), shape(&picture));
                prop_assert_eq!(found, made(), "{}", corruption.name());
            }
        }
    }
}

#[test]
fn pictures_lose_more_the_higher_the_severity() {
    let clean = digits(300);
    for corruption in Corruption::ALL {
        let by_severity = Severity::ALL.map(|severity| {
            squared_difference(&clean, &corrupted(&clean, corruption, severity, 7).expect("pictures"))
        });
        assert!(by_severity[0] > 20.0, "{}: {by_severity:?}", corruption.name());
        // As MNIST-C has them: fog is as thick in 4 as in 3, and from 4 on there is more mud, but in smaller splashes.
        let parts = match corruption {
            Corruption::Fog | Corruption::Spatter => by_severity.split_at(3),
            _ => by_severity.split_at(5),
        };
        for part in [parts.0, parts.1] {
            assert!(part.is_sorted_by(|a, b| a < b), "{}: {by_severity:?}", corruption.name());
        }
    }
}

#[test]
fn a_part_of_the_examples_gets_the_pictures_of_the_whole() {
    let whole = digits(60);
    let indices = [59, 3, 3, 20];
    for corruption in Corruption::ALL {
        let of = |examples: &Examples, seed| {
            corrupted(examples, corruption, corruption.shipped(), seed).expect("pictures")
        };
        let all = of(&whole, 1);
        assert_eq!(of(&whole.select(&indices), 1), all.select(&indices), "{}", corruption.name());
        assert_eq!(all.classes(), whole.classes());
        let without_draws = ["scale", "brightness", "stripe", "canny-edges"].contains(&corruption.name());
        assert_eq!(bytes(&of(&whole, 2)) == bytes(&all), without_draws, "{}", corruption.name());
    }
}

#[test]
fn even_and_symmetric_pictures_stay_where_they_must() {
    let flat = Picture { channels: 3, height: 20, width: 30, values: vec![90; 1800] };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for corruption in [Corruption::GlassBlur, Corruption::MotionBlur] {
        assert_eq!(corruption.apply(&flat, Severity::ALL[4], &mut rng), flat, "{}", corruption.name());
    }
    let dark = Picture { channels: 1, height: 28, width: 28, values: vec![0; 784] };
    let kept = ["ShotNoise", "Shear", "Scale", "Rotate", "Translate", "Fog", "CannyEdges"];
    for corruption in Corruption::ALL {
        if kept.contains(&format!("{corruption:?}").as_str()) {
            assert_eq!(corruption.apply(&dark, Severity::ALL[4], &mut rng), dark, "{}", corruption.name());
        }
    }
    let none = Picture { channels: 1, height: 0, width: 5, values: Vec::new() };
    assert_eq!(Corruption::Fog.apply(&none, Severity::ALL[0], &mut rng), none);
}

#[test]
fn photons_and_impulses_come_in_their_numbers() {
    let grey = Picture { channels: 1, height: 250, width: 400, values: vec![102; 100_000] };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for (severity, photons) in Severity::ALL.into_iter().zip([60.0, 25.0, 12.0]) {
        let found = Corruption::ShotNoise.apply(&grey, severity, &mut rng);
        let values = || found.values.iter().map(|value| f64::from(*value) / 255.0);
        let mean = values().sum::<f64>() / 1e5;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 0.4).abs() < 0.005, "{mean}");
        assert!((variance * photons / 0.4 - 1.0).abs() < 0.03, "{variance} at {photons}");
    }
    for (severity, share) in Severity::ALL.into_iter().zip([0.03, 0.06, 0.09, 0.17, 0.27]) {
        let found = Corruption::ImpulseNoise.apply(&grey, severity, &mut rng);
        for extreme in [0, 255] {
            let count = found.values.iter().filter(|value| **value == extreme).count() as f64;
            assert!((count / 1e5 - share / 2.0).abs() < 0.003, "{count} of {extreme}");
        }
    }
}

#[test]
fn what_cannot_be_corrupted_is_told() {
    let table = Examples::new(vec![2], Inputs::Floats(vec![0.0; 4]), Targets::Classes(vec![0, 1]));
    let error = corrupted(&table, Corruption::Fog, Severity::ALL[0], 1).expect_err("no pictures");
    assert_eq!(error.to_string(), "fog changes pictures; these inputs are no pictures");
    assert_eq!(Severity::new(0), Err(NotCorrupted::Severity(0)));
    assert_eq!(
        Severity::new(6).expect_err("too high").to_string(),
        "there is no severity 6: it goes from 1 to 5"
    );
    assert_eq!(Severity::new(4).map(Severity::level), Ok(4));
    let error = "snow".parse::<Corruption>().expect_err("not of MNIST-C").to_string();
    assert!(
        error.starts_with("there is no corruption \"snow\"; there are shot-noise, impulse-noise, "),
        "{error}"
    );
    for corruption in Corruption::ALL {
        assert_eq!(corruption.name().parse(), Ok(corruption));
        assert!(corruption.about().ends_with('.'));
    }
}
