//! Sources from disk, from their settings to examples, predictions, and inspections.

use std::io::Write;
use std::path::Path;

use crucible_data::{
    Column, DataConfig, Dataset, Format, InputFormat, Inputs, Normalize, Overlap, Picture, Source, Targets,
    Task, contact_sheet, idx, inputs_from_file, inspect, load, source,
};

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
    std::fs::write(path, bytes).expect("files can be written");
}

fn csv(table: &str, change: impl FnOnce(&mut source::Csv, &mut DataConfig)) -> Dataset {
    let base = tempfile::tempdir().expect("a folder");
    write(base.path(), "t.csv", table);
    let mut csv = source::Csv::new("t.csv", "y");
    let mut config = DataConfig::new(Source::Mnist(source::Mnist {}));
    change(&mut csv, &mut config);
    config.source = Source::Csv(csv);
    load(&config, base.path(), 5).expect("the table is good")
}

fn floats(inputs: &Inputs) -> &[f32] {
    match inputs {
        Inputs::Floats(values) => values,
        Inputs::Bytes { .. } => panic!("a table has floats"),
    }
}

const SPLIT_TABLE: &str =
    "n,c,y,split\n1,red,no,train\n3,blue,yes,train\n?,red,no,train\n100,green,yes,test\n?,?,no,test\n";

#[test]
fn statistics_come_from_training_rows_only() {
    let dataset = csv(SPLIT_TABLE, |csv, _| csv.split_column = Some("split".into()));
    let InputFormat::Table { columns, .. } = &dataset.format.input else { panic!("a table") };
    assert_eq!(
        columns,
        &[
            Column::Numeric { name: "n".into(), mean: 2.0, std: 1.0, fill: 2.0 },
            Column::Categorical { name: "c".into(), levels: vec!["blue".into(), "red".into()] },
        ]
    );
    assert_eq!(floats(dataset.train.inputs()), [-1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(dataset.train.missing(), [(2, 0)]);
    let test = dataset.test.as_ref().expect("a test split");
    assert_eq!(floats(test.inputs()), [98.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(test.missing(), [(1, 0), (1, 1)]);
    assert_eq!(test.select(&[1, 0, 1]).missing(), [(0, 0), (0, 1), (2, 0), (2, 1)]);
    assert_eq!(test.classes(), Some(&[1, 0][..]));

    let both = dataset.train.followed_by(test);
    assert_eq!(floats(both.inputs()), [floats(dataset.train.inputs()), floats(test.inputs())].concat());
    assert_eq!(both.missing(), [(2, 0), (4, 0), (4, 1)]);
    assert_eq!(&both.classes().expect("classes")[3..], [1, 0]);
}

#[test]
fn a_target_with_many_numbers_is_a_regression() {
    let mut table = String::from("x,y\n");
    (0..40).for_each(|row| table += &format!("{row},{}\n", row * 10));
    let dataset = csv(&table, |_, config| (config.test, config.validation) = (0.25, 0.1));
    assert_eq!((dataset.train.len(), dataset.validation.as_ref().map(|split| split.len())), (27, Some(3)));
    assert_eq!(dataset.test.as_ref().map(|split| split.len()), Some(10));
    let Task::Regression { targets, mean, std } = &dataset.format.task else { panic!("a regression") };
    assert_eq!(targets, &["y"]);
    let all: Vec<u32> = (0..27).collect();
    let standardised = dataset.train.gather_values(&all);
    let total: f32 = standardised.iter().sum();
    let squares: f32 = standardised.iter().map(|value| value * value).sum();
    assert!(total.abs() < 1e-4 && (squares / 27.0 - 1.0).abs() < 1e-5, "{total} and {squares}");
    for value in standardised {
        let y = value * std[0] + mean[0];
        assert!((y / 10.0 - (y / 10.0).round()).abs() < 1e-4, "{y} is one of the file's values");
    }
    let few = csv(&table, |csv, _| csv.task = Some(source::TableTask::Classification));
    assert_eq!(few.format.task.outputs(), 40);
    let Task::Classification { classes } = few.format.task else { panic!("a classification") };
    assert_eq!(classes[..3], ["0", "10", "20"], "numbers in numeric order");
}

#[test]
fn columns_can_be_ignored_and_forced() {
    let dataset = csv("zip;id;y\n10;1;a\n20;2;b\n10;3;a\n20;4;b\n", |csv, config| {
        (csv.delimiter, config.test) = (';', 0.0);
        (csv.ignore, csv.categorical) = (vec!["id".into()], vec!["zip".into()]);
    });
    assert_eq!(floats(dataset.train.inputs()), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    assert!(dataset.test.is_none() && dataset.validation.is_none());
}

#[test]
fn the_seed_decides_the_split_and_nothing_else_does() {
    let base = tempfile::tempdir().expect("a folder");
    let rows: String = (0..60).map(|row| format!("{row},{}\n", row % 3)).collect();
    write(base.path(), "t.csv", format!("x,y\n{rows}"));
    let config = DataConfig {
        validation: 0.25,
        limit: Some(20),
        ..DataConfig::new(Source::Csv(source::Csv::new("t.csv", "y")))
    };
    let inputs = |seed| load(&config, base.path(), seed).expect("loads").train.inputs().clone();
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
    let dataset = load(&config, base.path(), 1).expect("loads");
    assert_eq!((dataset.train.len(), dataset.test.map(|split| split.len())), (20, Some(12)));
    assert_eq!(dataset.validation.map(|split| split.len()), Some(12));
}

/// Class folders named so that their order differs from the order of creation.
fn picture_folder(base: &Path) {
    for (class, level) in [("zebra", 200u8), ("ant", 50)] {
        for name in ["b.png", "a.PNG", "c.png"] {
            let shade = level + (name.as_bytes()[0].to_ascii_lowercase() - b'a');
            let picture = Picture { channels: 1, height: 4, width: 6, values: vec![shade; 24] };
            write(base, &format!("p/train/{class}/{name}"), picture.to_png());
        }
        write(base, &format!("p/train/{class}/.hidden.png"), "junk");
        write(base, &format!("p/train/{class}/readme.md"), "junk");
        let picture = Picture { channels: 1, height: 8, width: 12, values: vec![level; 96] };
        write(base, &format!("p/test/{class}/big.png"), picture.to_png());
    }
}

#[test]
fn picture_folders_are_read_in_name_order_and_resized() {
    let base = tempfile::tempdir().expect("a folder");
    picture_folder(base.path());
    let images = source::Images { path: "p".into(), width: None, height: None, channels: None };
    let dataset = load(&DataConfig::new(Source::Images(images)), base.path(), 0).expect("loads");
    assert_eq!(dataset.format.task, Task::Classification { classes: vec!["ant".into(), "zebra".into()] });
    assert_eq!(dataset.train.shape(), [1, 4, 6]);
    let shades: Vec<u8> =
        (0..6).map(|index| dataset.train.picture(index).expect("a picture").values[0]).collect();
    assert_eq!(shades, [50, 51, 52, 200, 201, 202]);
    assert_eq!(dataset.train.targets(), &Targets::Classes(vec![0, 0, 0, 1, 1, 1]));
    let test = dataset.test.as_ref().expect("a test split");
    assert_eq!(test.picture(1).expect("a picture").values, [200; 24]);
    assert!(test.picture(2).is_none());
    let sheet = contact_sheet(&dataset, 9, 4).expect("pictures");
    let sheet = image::load_from_memory(&sheet).expect("a PNG").to_luma8();
    assert_eq!((sheet.width(), sheet.height()), (4 * 8 + 2, 2 * 6 + 2));
    assert_eq!(
        (sheet.get_pixel(2, 2)[0], sheet.get_pixel(18, 8)[0], sheet.get_pixel(26, 8)[0]),
        (50, 202, 128)
    );
}

#[test]
fn colour_pictures_keep_their_channels_apart() {
    let base = tempfile::tempdir().expect("a folder");
    let values: Vec<u8> = (0..12).map(|value| value * 20).collect();
    let picture = Picture { channels: 3, height: 2, width: 2, values: values.clone() };
    write(base.path(), "p/a/1.png", picture.to_png());
    write(base.path(), "p/b/1.png", picture.to_png());
    let images = source::Images { path: "p".into(), width: None, height: None, channels: None };
    let config =
        DataConfig { test: 0.0, normalize: Normalize::Unit, ..DataConfig::new(Source::Images(images)) };
    let dataset = load(&config, base.path(), 0).expect("loads");
    assert_eq!(dataset.train.picture(0), Some(picture.clone()));
    write(base.path(), "again.png", picture.to_png());
    let inputs = inputs_from_file(&base.path().join("again.png"), &dataset.format).expect("a picture");
    let plain: Vec<f32> = values.iter().map(|&value| f32::from(value) * (1.0 / 255.0)).collect();
    assert_eq!((inputs.names, inputs.values), (vec!["again.png".to_owned()], plain));
    let fixed = |mean, std| DataConfig { normalize: Normalize::Fixed, mean, std, ..config.clone() };
    let dataset_of_fixed = load(&fixed(Some(0.5), Some(0.25)), base.path(), 0).expect("loads");
    let InputFormat::Image { mean, std, .. } = dataset_of_fixed.format.input else { panic!("pictures") };
    assert_eq!((mean, std), (vec![0.5; 3], vec![0.25; 3]));
    let problems = |config: DataConfig| config.check().into_iter().map(|p| p.problem).collect::<Vec<_>>();
    assert_eq!(problems(fixed(None, Some(0.0))), ["`normalize = \"fixed\"` needs `mean`", "0 is no std"]);
    let measured = DataConfig { mean: Some(0.1), ..config.clone() };
    assert_eq!(problems(measured), ["`mean` is for `normalize = \"fixed\"`"]);
    let overlap = &inspect(&dataset).splits[0].duplicates;
    let expected = Overlap {
        first: "train".into(),
        second: "train".into(),
        examples: 1,
        conflicting: 1,
        pairs: vec![(0, 1)],
    };
    assert_eq!(overlap, &expected);
}

#[test]
fn leakage_between_splits_is_found() {
    let base = tempfile::tempdir().expect("a folder");
    let pictures =
        |seed: u8, count: u8| -> Vec<u8> { (0..count * 4).map(|value| value.wrapping_mul(seed)).collect() };
    let train = pictures(3, 20);
    let mut test = pictures(7, 10);
    test[8..12].copy_from_slice(&train[40..44]);
    test[36..40].copy_from_slice(&train[0..4]);
    test[0..4].copy_from_slice(&train[40..44]);
    let labels: Vec<u8> = (0..20).map(|index| index % 2).collect();
    write(base.path(), "train-images-idx3-ubyte", idx::write(&[20, 2, 2], &train));
    write(base.path(), "train-labels-idx1-ubyte", idx::write(&[20], &labels));
    write(base.path(), "t10k-images-idx3-ubyte", idx::write(&[10, 2, 2], &test));
    write(base.path(), "t10k-labels-idx1-ubyte", idx::write(&[10], &labels[..10]));
    let folder = source::Idx { path: "".into(), classes: None, checksums: [].into() };
    let dataset = load(&DataConfig::new(Source::Idx(folder)), base.path(), 0).expect("loads");
    let inspection = inspect(&dataset);
    let leak = &inspection.leakage[0];
    assert_eq!((leak.first.as_str(), leak.second.as_str(), leak.examples), ("train", "test", 3));
    assert_eq!(leak.pairs, [(10, 0), (10, 2), (0, 9)]);
    assert_eq!(leak.conflicting, 1, "only test example 9 has another label than its original");
    assert_eq!(inspection.splits[1].duplicates.pairs, [(0, 2)]);
    assert_eq!(inspection.splits[0].duplicates.examples, 0);
}

#[test]
fn prediction_encodes_as_training_did() {
    let dataset = csv(SPLIT_TABLE, |csv, _| csv.split_column = Some("split".into()));
    let base = tempfile::tempdir().expect("a folder");
    // Another column order, an unknown column, no target.
    write(base.path(), "rows.csv", "c,extra,n\nred,?,1\nblue,9,3\nred,,?\n");
    let inputs = inputs_from_file(&base.path().join("rows.csv"), &dataset.format).expect("a table");
    assert_eq!(inputs.values, floats(dataset.train.inputs()));
    assert_eq!(inputs.names, ["rows.csv:2", "rows.csv:3", "rows.csv:4"]);
    assert_eq!(inputs.get(1), Some(&[1.0, 1.0, 0.0][..]));
    assert_eq!(inputs.get(3), None);
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(b"n,c\n3,blue\n").expect("memory takes it");
    write(base.path(), "rows.csv.gz", zipped.finish().expect("memory takes it"));
    let inputs = inputs_from_file(&base.path().join("rows.csv.gz"), &dataset.format).expect("a table");
    assert_eq!((inputs.names, inputs.values), (vec!["rows.csv.gz:2".to_owned()], vec![1.0, 1.0, 0.0]));
}

#[test]
fn prediction_takes_idx_files_and_pictures() {
    let base = tempfile::tempdir().expect("a folder");
    let input = InputFormat::Image { channels: 1, height: 2, width: 2, mean: vec![0.5], std: vec![0.25] };
    let format = Format { input, task: Task::Classification { classes: vec!["a".into(), "b".into()] } };
    write(base.path(), "t10k-images-idx3-ubyte", idx::write(&[2, 2, 2], &[0, 255, 0, 255, 51, 51, 51, 51]));
    let inputs = inputs_from_file(&base.path().join("t10k-images-idx3-ubyte"), &format).expect("pictures");
    assert_eq!(inputs.names, ["t10k-images#0", "t10k-images#1"]);
    let expected = [-2.0, 2.0, -2.0, 2.0, -1.2, -1.2, -1.2, -1.2];
    assert!(
        inputs.values.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6),
        "{:?}",
        inputs.values
    );
    write(base.path(), "wide.idx3-ubyte", idx::write(&[1, 2, 4], &[51; 8]));
    let resized = inputs_from_file(&base.path().join("wide.idx3-ubyte"), &format).expect("pictures");
    assert_eq!(
        (resized.names.as_slice(), &resized.values[..]),
        (&["wide#0".to_owned()][..], &inputs.values[4..])
    );
    let red = Picture { channels: 3, height: 2, width: 2, values: [vec![255; 4], vec![0; 8]].concat() };
    write(base.path(), "red.png", red.to_png());
    let grey = inputs_from_file(&base.path().join("red.png"), &format).expect("a picture");
    // BT.709 luma of pure red is 0.2126.
    assert!((grey.values[0] - (0.2126 - 0.5) / 0.25).abs() < 0.01, "{:?}", grey.values);
}

#[test]
fn settings_read_as_documented() {
    let config: DataConfig =
        serde_json::from_str(r#"{"source": "csv", "path": "a.csv", "target": "y", "validation": 0.1}"#)
            .expect("good");
    let expected =
        DataConfig { validation: 0.1, ..DataConfig::new(Source::Csv(source::Csv::new("a.csv", "y"))) };
    assert_eq!(config, expected);
    let again = serde_json::to_string(&config).expect("settings can be written");
    assert_eq!(serde_json::from_str::<DataConfig>(&again).expect("and read back"), config);
    let unknown =
        |text| serde_json::from_str::<DataConfig>(text).expect_err("an unknown setting").to_string();
    assert!(unknown(r#"{"source": "mnist", "valdation": 0.1}"#).contains("valdation"));
    assert!(unknown(r#"{"source": "imagenet"}"#).contains("imagenet"));
}

#[test]
fn the_schema_knows_every_source() {
    let schema =
        serde_json::to_value(schemars::schema_for!(DataConfig)).expect("a schema is JSON").to_string();
    for entry in source::entries() {
        assert!(schema.contains(&format!("\"const\":\"{}\"", entry.name)), "{} in {schema}", entry.name);
        assert!(schema.contains(entry.summary), "{} is described", entry.name);
    }
    assert_eq!(source::entries().len(), 6);
}
