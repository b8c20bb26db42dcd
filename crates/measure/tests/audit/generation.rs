//! Against torch-fidelity, prdc, scikit-image and scipy (`golden/generation.py`).

use crucible_measure::generation::{
    ClassCoverage, Copying, Gaussian, KernelDistance, Prdc, Subsets, kernel_distance, nearest, psnr, ssim,
};
use crucible_measure::{Proportion, Rows};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_all_near, assert_near, labels, number, numbers};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/generation.json")).unwrap()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Normal draws, a sum of twelve uniform ones each.
fn normals(count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..count).map(|_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0).collect()
}

#[test]
fn the_frechet_distance_is_torch_fidelitys() {
    for case in golden()["frechet"].as_array().unwrap() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let [a, b] = [&first, &second].map(|x| Gaussian::fit(Rows::new(x, size(&case["width"]))).unwrap());
        let found = a.frechet_distance(&b).unwrap();
        assert!((found / number(&case["exact"]) - 1.0).abs() < 1e-11, "{}: {found}", case["name"]);
        // Its eigenvalues of a product that is not symmetric lose more where directions lack.
        let theirs = number(&case["torch_fidelity"]);
        assert!((found / theirs - 1.0).abs() < 1e-6, "{}: {found} for {theirs}", case["name"]);
        assert_near(b.frechet_distance(&a).unwrap(), found);
        for own in [&a, &b] {
            let none = own.frechet_distance(own).unwrap();
            assert!(none < 1e-12, "{}: {none} of itself", case["name"]);
        }
    }
}

#[test]
fn the_frechet_distance_is_zero_to_the_same_examples_in_another_order_and_known_of_scaled_ones() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (count, width) in [(300, 20), (30, 50)] {
        let values = normals(count * width, &mut rng);
        let fit = |values: &[f64]| Gaussian::fit(Rows::new(values, width)).unwrap();
        let whole = fit(&values);
        let mut turned: Vec<f64> = values.chunks_exact(width).rev().flatten().copied().collect();
        let distance = whole.frechet_distance(&fit(&turned)).unwrap();
        assert!(distance < 1e-11, "{distance}");
        // A covariance four times as large, and a mean moved by 3 in one feature: tr Σ + 9.
        turned.chunks_exact_mut(width).for_each(|row| row.iter_mut().for_each(|x| *x *= 2.0));
        let mean = |at: usize| values.iter().skip(at).step_by(width).sum::<f64>() / count as f64;
        let means: Vec<f64> = (0..width).map(mean).collect();
        for row in turned.chunks_exact_mut(width) {
            row.iter_mut().zip(&means).for_each(|(x, mean)| *x -= mean);
            row[0] += 3.0;
        }
        let squares: f64 = values
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(&means))
            .map(|(x, m)| (x - m).powi(2))
            .sum();
        assert_near(whole.frechet_distance(&fit(&turned)).unwrap(), 9.0 + squares / (count - 1) as f64);
    }
}

#[test]
fn the_kernel_distance_is_torch_fidelitys() {
    let golden = &golden()["kernel"];
    let (first, second) = (numbers(&golden["first"]), numbers(&golden["second"]));
    let width = size(&golden["width"]);
    let second = Rows::new(&second, width);
    let equal = Rows::new(&first[..second.len() * width], width);
    assert_near(kernel_distance(equal, second).unwrap(), number(&golden["whole"]));

    // A subset of all examples is all of them, in any order.
    let all = Subsets { count: 3, size: second.len() };
    let found = KernelDistance::measure(equal, second, all, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    assert_near(found.mean, number(&golden["whole"]));
    assert!(found.deviation < 1e-12, "{}", found.deviation);

    // Over many subsets, the mean is that over all pairs.
    let many = Subsets { count: 4000, size: 20 };
    let found = KernelDistance::measure(equal, second, many, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
    let whole = number(&golden["whole"]);
    assert!((found.mean - whole).abs() < 4.0 * found.deviation / 4000f64.sqrt(), "{found:?} for {whole}");
}

#[test]
fn the_kernel_distance_is_without_bias() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let of = |rng: &mut ChaCha8Rng| {
        let (first, second) = (normals(60, rng), normals(80, rng));
        kernel_distance(Rows::new(&first, 4), Rows::new(&second, 4)).unwrap()
    };
    let all: Vec<f64> = (0..2000).map(|_| of(&mut rng)).collect();
    let mean = all.iter().sum::<f64>() / 2000.0;
    let deviation = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2000.0).sqrt();
    assert!(mean.abs() < 4.0 * deviation / 2000f64.sqrt(), "{mean} ± {deviation}");
    assert!(all.iter().any(|value| *value < 0.0));
}

#[test]
fn precision_recall_density_and_coverage_are_prdcs() {
    for case in golden()["prdc"].as_array().unwrap() {
        let (real, generated) = (numbers(&case["real"]), numbers(&case["generated"]));
        let width = size(&case["width"]);
        let found =
            Prdc::measure(Rows::new(&real, width), Rows::new(&generated, width), size(&case["k"])).unwrap();
        let found = [found.precision, found.recall, found.density, found.coverage];
        let theirs = ["precision", "recall", "density", "coverage"].map(|name| number(&case[name]));
        assert_all_near(&found, &theirs);
    }
    // Examples far away are neither plausible nor meet anything; one class alone is precise and no more.
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let real: Vec<f64> = normals(400, &mut rng)
        .iter()
        .enumerate()
        .map(|(at, x)| x + if at < 200 { 0.0 } else { 50.0 })
        .collect();
    let far = vec![-100.0, -100.0, -101.0, -100.0, -100.0, -101.0];
    let found = Prdc::measure(Rows::new(&real, 2), Rows::new(&far, 2), 2).unwrap();
    assert_eq!([found.precision, found.recall, found.density, found.coverage], [0.0; 4]);
    let half = Prdc::measure(Rows::new(&real, 2), Rows::new(&real[..200], 2), 3).unwrap();
    assert_eq!((half.precision, half.coverage), (1.0, 0.5));
    assert!(half.recall == 0.5, "{half:?}");
}

#[test]
fn the_nearest_examples_are_scipys() {
    let golden = &golden()["nearest"];
    let (samples, examples) = (numbers(&golden["samples"]), numbers(&golden["examples"]));
    let width = size(&golden["width"]);
    let found = nearest(Rows::new(&samples, width), Rows::new(&examples, width)).unwrap();
    assert_eq!(found.iter().map(|found| found.index).collect::<Vec<_>>(), labels(&golden["indices"]));
    assert_all_near(
        &found.iter().map(|found| found.distance).collect::<Vec<_>>(),
        &numbers(&golden["distances"]),
    );
    let twice = nearest(Rows::new(&[1.0, 1.0], 2), Rows::new(&[4.0, 5.0, 1.0, 1.0, 1.0, 1.0], 2)).unwrap();
    assert_eq!((twice[0].index, twice[0].distance), (1, 0.0));
}

#[test]
fn copies_are_told_from_new_examples() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let [training, held_out, fresh] = [1500, 500, 500].map(|count| normals(3 * count, &mut rng));
    let rows = |values| Rows::new(values, 3);
    let new = Copying::measure(rows(&fresh), rows(&training), rows(&held_out), 0.99).unwrap();
    assert!(new.nearer.interval.unwrap().contains(0.5), "{new:?}");
    assert!((new.ratio.unwrap() - 1.0).abs() < 0.15, "{new:?}");

    let copies: Vec<f64> = training[..900].iter().map(|x| x + 1e-3).collect();
    let found = Copying::measure(rows(&copies), rows(&training), rows(&held_out), 0.95).unwrap();
    assert!(found.nearer.value > 0.99 && found.ratio.unwrap() < 0.02, "{found:?}");

    let far: Vec<f64> = fresh.iter().map(|x| x + 20.0).collect();
    let found = Copying::measure(rows(&far), rows(&training), rows(&held_out), 0.95).unwrap();
    assert!(found.nearer.value < 0.01 && found.ratio.unwrap() > 10.0, "{found:?}");

    let seen = Copying::measure(rows(&fresh), rows(&training), rows(&training), 0.95).unwrap();
    assert_eq!((seen.nearer.value, seen.ratio), (0.0, None));
}

#[test]
fn classes_are_counted() {
    let probabilities = [0.95, 0.05, 0.0, 0.6, 0.4, 0.0, 0.1, 0.9, 0.0, 0.91, 0.0, 0.09];
    let rows = Rows::new(&probabilities, 3);
    let found = ClassCoverage::measure(rows, 0.9, Some(&[0, 1, 1, 0])).unwrap();
    assert_eq!((found.counts.as_slice(), found.missing()), ([3, 1, 0].as_slice(), vec![2]));
    assert_eq!(found.confident, Proportion { successes: 2, trials: 4 });
    assert_eq!(found.as_asked, Some(Proportion { successes: 3, trials: 4 }));
    assert_eq!(found.share(1).estimate(), Some(0.25));
    let entropy = -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
    assert_near(found.balance().unwrap(), entropy / 3f64.ln());

    let even = ClassCoverage::measure(Rows::new(&[1.0, 0.0, 0.0, 1.0], 2), 0.9, None).unwrap();
    assert_eq!((even.balance(), even.as_asked, even.missing()), (Some(1.0), None, vec![]));
    let none = ClassCoverage::measure(Rows::new(&[], 2), 0.9, None).unwrap();
    assert_eq!((none.balance(), none.confident.estimate()), (None, None));
    assert_eq!(ClassCoverage::measure(Rows::new(&[f64::NAN, 0.5], 2), 0.9, None), None);
}

#[test]
fn ratios_of_signal_and_similarities_are_scikit_images() {
    for case in golden()["pictures"].as_array().unwrap() {
        let (truth, picture) = (numbers(&case["truth"]), numbers(&case["picture"]));
        let shape: [usize; 3] = labels(&case["shape"]).try_into().unwrap();
        let range = number(&case["range"]);
        assert_near(psnr(&picture, &truth, range).unwrap(), number(&case["psnr"]));
        assert_near(ssim(&picture, &truth, shape, range).unwrap(), number(&case["ssim"]));
        assert_near(ssim(&truth, &truth, shape, range).unwrap(), 1.0);
        assert_eq!(psnr(&truth, &truth, range), Some(f64::INFINITY));
    }
    assert_eq!(ssim(&[0.0; 200], &[0.0; 200], [1, 10, 20], 1.0), None);
    assert_eq!(ssim(&[], &[], [0, 20, 20], 1.0), None);
    assert_eq!(psnr(&[], &[], 1.0), None);
}

#[test]
fn too_little_to_measure_is_nothing() {
    let one = Rows::new(&[1.0, 2.0], 2);
    let pair = Rows::new(&[1.0, 2.0, 3.0, 5.0], 2);
    let spoilt = Rows::new(&[f64::NAN, 2.0, 3.0, 5.0], 2);
    assert_eq!(Gaussian::fit(one), None);
    assert_eq!(Gaussian::fit(spoilt), None);
    assert_eq!(kernel_distance(one, pair), None);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for subsets in
        [Subsets { count: 0, size: 2 }, Subsets { count: 5, size: 1 }, Subsets { count: 5, size: 3 }]
    {
        assert_eq!(KernelDistance::measure(pair, pair, subsets, &mut rng), None);
    }
    assert_eq!(Prdc::measure(pair, pair, 2), None);
    assert_eq!(Prdc::measure(pair, spoilt, 1), None);
    assert_eq!(kernel_distance(pair, spoilt), None);
    assert_eq!(nearest(pair, Rows::new(&[], 2)), None);
    assert_eq!(nearest(spoilt, pair), None);
    assert_eq!(Copying::measure(Rows::new(&[], 2), pair, pair, 0.95), None);
    // Features that never change lie apart by their means alone.
    let same = |value| Gaussian::fit(Rows::new(&[value; 6], 2)).unwrap();
    assert_eq!(same(1.0).frechet_distance(&same(4.0)), Some(18.0));
}
