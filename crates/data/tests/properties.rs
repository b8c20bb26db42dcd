//! Laws that hold for all inputs.

use std::path::Path;

use crucible_data::{
    Column, DataConfig, DataError, Examples, Format, InputFormat, Inputs, Source, Targets, Task, idx,
    inputs_from_bytes, inspect, load, sampler, seed, source, split,
};
use proptest::prelude::*;

fn image_format() -> Format {
    let input =
        InputFormat::Image { channels: 3, height: 3, width: 2, mean: vec![0.5; 3], std: vec![0.2; 3] };
    Format { input, task: Task::Classification { classes: vec!["a".into(), "b".into()] } }
}

fn table_format() -> Format {
    let columns = vec![
        Column::Numeric { name: "a".into(), mean: 1.0, std: 2.0, fill: 1.0 },
        Column::Categorical { name: "b".into(), levels: vec!["x".into(), "y".into()] },
    ];
    let input = InputFormat::Table { columns, missing: vec!["?".into()], delimiter: ',' };
    Format { input, task: Task::Classification { classes: vec!["a".into(), "b".into()] } }
}

/// Whatever is read has as many finite values as its names and shape say.
fn assert_whole(bytes: &[u8], format: &Format) -> Result<(), TestCaseError> {
    if let Ok(inputs) = inputs_from_bytes(Path::new("any.csv"), bytes, format) {
        let per_input: usize = inputs.shape.iter().product();
        prop_assert_eq!(inputs.values.len(), inputs.len() * per_input);
        prop_assert!(inputs.values.iter().all(|value| value.is_finite()));
    }
    Ok(())
}

/// A valid file with some bytes replaced, then cut off somewhere.
fn mutated(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = valid.len();
    (proptest::collection::vec((0..len, any::<u8>()), 0..6), 0..=len).prop_map(move |(changes, cut)| {
        let mut bytes = valid.clone();
        changes.into_iter().for_each(|(at, value)| bytes[at] = value);
        bytes.truncate(if cut % 3 == 0 { cut } else { len });
        bytes
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast())
        .read_to_end(&mut out)
        .expect("memory takes it");
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn idx_round_trip(sizes in proptest::collection::vec(1u32..6, 1..4), first in 0u32..6, zipped: bool) {
        let dimensions: Vec<u32> = std::iter::once(first).chain(sizes).collect();
        let count: u32 = dimensions.iter().product();
        let values: Vec<u8> = (0..count).map(|index| (index * 37) as u8).collect();
        let written = idx::write(&dimensions, &values);
        let bytes = if zipped { gzip(&written) } else { written };
        let read = idx::read(Path::new("x"), &bytes, dimensions.len()).expect("what was written can be read");
        prop_assert_eq!(read.values, values);
        prop_assert_eq!(read.dimensions, dimensions.iter().map(|&size| size as usize).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_idx_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), rank in 0usize..5) {
        let mut with_magic = vec![0, 0, 8, rank as u8];
        with_magic.extend_from_slice(&bytes);
        for bytes in [bytes, with_magic] {
            if let Ok(read) = idx::read(Path::new("x"), &bytes, rank) {
                prop_assert_eq!(read.values.len(), read.dimensions.iter().product::<usize>());
            }
        }
    }

    #[test]
    fn no_bytes_make_prediction_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        assert_whole(&bytes, &image_format())?;
        assert_whole(&bytes, &table_format())?;
    }

    #[test]
    fn no_text_makes_a_table_panic(text in "[ab,\"\n\rxy?0-9.e\u{e9}]{0,60}", header: bool) {
        let text = if header { format!("a,b\n{text}") } else { text };
        assert_whole(text.as_bytes(), &table_format())?;
    }

    #[test]
    fn no_table_makes_loading_panic(text in "[ab,\"\n\r?0-9.e-]{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..4)) {
        let base = tempfile::tempdir().expect("a folder");
        let table = [b"a,y\n1,b\n2,a\n3,b\n", text.as_bytes(), &bytes].concat();
        std::fs::write(base.path().join("t.csv"), table).expect("files can be written");
        let csv = source::Csv::new("t.csv", "y");
        let config = DataConfig { validation: 0.2, ..DataConfig::new(Source::Csv(csv)) };
        if let Ok(dataset) = load(&config, base.path(), 1) {
            prop_assert!(dataset.splits().all(|(_, examples)| !examples.is_empty()));
            let mut values = Vec::new();
            dataset.train.gather(&[0], &mut values);
            prop_assert!(values.iter().all(|value| value.is_finite()));
            let summary = inspect(&dataset);
            prop_assert_eq!(summary.splits[0].examples, dataset.train.len());
        }
    }

    #[test]
    fn no_damage_to_idx_panics(bytes in mutated(idx::write(&[3, 4, 5], &[9; 60]))) {
        assert_whole(&bytes, &image_format())?;
        let damaged = gzip(&bytes);
        assert_whole(&damaged, &image_format())?;
    }

    #[test]
    fn no_damage_to_gzip_panics(bytes in mutated(gzip(&idx::write(&[3, 4, 5], &[9; 60])))) {
        assert_whole(&bytes, &image_format())?;
    }

    #[test]
    fn no_damage_to_png_panics(bytes in mutated(
        crucible_data::Picture { channels: 3, height: 5, width: 4, values: (0..60).collect() }.to_png()
    )) {
        assert_whole(&bytes, &image_format())?;
    }

    #[test]
    fn no_damage_to_csv_panics(bytes in mutated(b"b,a\nx,1\ny,?\n\"z\",3e2\n".to_vec())) {
        assert_whole(&bytes, &table_format())?;
    }

    #[test]
    fn gather_is_the_plain_formula(
        pixels in proptest::collection::vec(any::<u8>(), 5 * 12..=5 * 12),
        picks in proptest::collection::vec(0u32..5, 0..9),
        scale in proptest::collection::vec(-2.0f32..2.0, 3..=3),
        offset in proptest::collection::vec(-2.0f32..2.0, 3..=3),
    ) {
        let inputs = Inputs::Bytes { values: pixels.clone(), scale: scale.clone(), offset: offset.clone() };
        let examples = Examples::new(vec![3, 2, 2], inputs, Targets::Classes(vec![4, 3, 2, 1, 0]));
        let mut gathered = vec![99.0; 7];
        examples.gather(&picks, &mut gathered);
        let mut plain = Vec::new();
        for &pick in &picks {
            for channel in 0..3 {
                for pixel in 0..4 {
                    let value = pixels[pick as usize * 12 + channel * 4 + pixel];
                    plain.push(f32::from(value) * scale[channel] + offset[channel]);
                }
            }
        }
        prop_assert_eq!(&gathered, &plain);
        let selected = examples.select(&picks.iter().map(|&pick| pick as usize).collect::<Vec<_>>());
        let all: Vec<u32> = (0..picks.len() as u32).collect();
        selected.gather(&all, &mut gathered);
        prop_assert_eq!(&gathered, &plain);
        prop_assert_eq!(selected.gather_classes(&all), picks.iter().map(|pick| 4 - pick).collect::<Vec<_>>());

        let mut poisoned = examples;
        poisoned.poison(vec![1, 3], &pixels[..24], 0);
        let indices: Vec<usize> = picks.iter().map(|&pick| pick as usize).collect();
        let (first, second) = indices.split_at(indices.len() / 2);
        let joined = poisoned.select(first).followed_by(&poisoned.select(second));
        prop_assert_eq!(joined, poisoned.select(&indices));
    }

    #[test]
    fn stratified_keeps_proportions(
        labels in proptest::collection::vec(0u32..5, 0..300), fraction in 0.0f64..0.9, seed: u64,
    ) {
        let (kept, taken) = split::stratified(&labels, fraction, &mut seed::stream(seed, "test", 0));
        let mut all = [kept.as_slice(), taken.as_slice()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        prop_assert!(kept.is_sorted() && taken.is_sorted());
        prop_assert_eq!(taken.len(), (labels.len() as f64 * fraction).round() as usize);
        for class in 0..5 {
            let count = |indices: &[usize]| indices.iter().filter(|&&index| labels[index] == class).count() as f64;
            let quota = (count(&kept) + count(&taken)) * fraction;
            prop_assert!((count(&taken) - quota).abs() < 1.0 + 1e-9, "class {}: {} of {}", class, count(&taken), quota);
        }
        let (rest, share) = split::plain(labels.len(), fraction, &mut seed::stream(seed, "test", 0));
        prop_assert_eq!((rest.len(), share.len()), (kept.len(), taken.len()));
        let again = split::stratified(&labels, fraction, &mut seed::stream(seed, "test", 0));
        prop_assert_eq!(again, (kept, taken));
    }

    #[test]
    fn an_epoch_visits_every_example_once(seed: u64, epoch in 0u64..1000, len in 0usize..200) {
        let order = sampler::epoch_order(seed, epoch, len);
        prop_assert_eq!(&order, &sampler::epoch_order(seed, epoch, len));
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..len as u32).collect::<Vec<_>>());
    }

    #[test]
    fn formats_survive_json(mean in -1e9f64..1e9, std in 1e-9f64..1e9) {
        let mut format = table_format();
        if let InputFormat::Table { columns, .. } = &mut format.input {
            columns[0] = Column::Numeric { name: "a".into(), mean, std, fill: mean };
        }
        for format in [format, image_format()] {
            let json = serde_json::to_string(&format).expect("formats can be written");
            prop_assert_eq!(serde_json::from_str::<Format>(&json).expect("and read back"), format);
        }
    }
}

#[test]
fn a_small_gzip_cannot_claim_much_memory() {
    // 64 MiB of zeros in 64 KiB: the header of an IDX file of 8 values is followed by a bomb.
    let mut bomb = idx::write(&[1, 2, 4], &[0; 8]);
    bomb.resize(64 << 20, 0);
    let error = idx::read(Path::new("bomb"), &gzip(&bomb), 3).expect_err("bytes follow");
    assert!(matches!(error, DataError::Bytes { offset: 24, .. }), "{error}");
}

#[test]
fn poisson_batches_have_the_right_size_on_average() {
    let (len, rate, steps) = (1000, 0.05, 2000u64);
    let draw = |step, len, rate| sampler::poisson_batch(&mut seed::stream(7, "poisson", step), len, rate);
    let sizes: Vec<f64> = (0..steps).map(|step| draw(step, len, rate).len() as f64).collect();
    let mean = sizes.iter().sum::<f64>() / steps as f64;
    let variance = sizes.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / (steps - 1) as f64;
    // Binomial(1000, 0.05): mean 50, variance 47.5; the bounds are 5 standard errors.
    assert!((mean - 50.0).abs() < 5.0 * (47.5f64 / 2000.0).sqrt(), "mean {mean}");
    assert!((variance - 47.5).abs() < 5.0 * 47.5 * (2.0f64 / 1999.0).sqrt(), "variance {variance}");
    assert_eq!(draw(3, 10, 1.0), (0..10).collect::<Vec<u32>>());
    assert!(draw(3, 10, 0.0).is_empty());
    assert!(draw(3, 0, 0.5).is_empty());
    assert_ne!(draw(3, len, rate), draw(4, len, rate));
    assert_eq!(draw(3, len, rate), draw(3, len, rate));
    let rising = (0..100).all(|step| draw(step, 50, 0.9).is_sorted_by(|a, b| a < b));
    assert!(rising);
}

#[test]
fn every_example_is_equally_likely_in_a_poisson_batch() {
    let (mut hits, mut rng) = ([0u32; 20], seed::stream(1, "poisson", 0));
    let mut both = 0u32;
    for _ in 0..4000 {
        let batch = sampler::poisson_batch(&mut rng, 20, 0.3);
        batch.iter().for_each(|&index| hits[index as usize] += 1);
        both += u32::from(batch.contains(&4) && batch.contains(&5));
    }
    // Binomial(4000, 0.09): mean 360, standard deviation 18.
    assert!(both.abs_diff(360) < 90, "{both}");
    // Binomial(4000, 0.3): mean 1200, standard deviation 29; the bound is 5 of them.
    assert!(hits.iter().all(|&count| count.abs_diff(1200) < 145), "{hits:?}");
}
