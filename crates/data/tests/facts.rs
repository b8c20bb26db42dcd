//! Published facts about the built-in data sets, measured on what this crate loads.

use std::path::Path;

use crucible_data::{Column, DataConfig, Dataset, InputFormat, Inputs, Source, Task, inspect, load, source};
use sha2::{Digest, Sha256};

fn load_default(source: Source) -> Dataset {
    load(&DataConfig::new(source), Path::new("."), 0).expect("built-in data load")
}

/// Oracle: LeCun's page (counts, first labels) and the constants 0.1307 and 0.3081 that PyTorch's MNIST example
/// normalises with; class counts as a few lines of Python count them in the label file.
#[test]
fn mnist_is_mnist() {
    let mnist = load_default(Source::Mnist(source::Mnist {}));
    let test = mnist.test.as_ref().expect("MNIST has a test split");
    assert_eq!((mnist.train.len(), test.len()), (60_000, 10_000));
    assert!(mnist.validation.is_none());
    assert_eq!(mnist.train.shape(), [1, 28, 28]);
    assert_eq!(mnist.train.gather_classes(&[0, 1, 2, 3, 4]), [5, 0, 4, 1, 9]);
    assert_eq!(test.gather_classes(&[0, 1, 2, 3, 4]), [7, 2, 1, 0, 4]);
    let InputFormat::Image { mean, std, .. } = &mnist.format.input else { panic!("MNIST is pictures") };
    assert!((mean[0] - 0.1307).abs() < 5e-5, "mean {mean:?}");
    assert!((std[0] - 0.3081).abs() < 5e-5, "deviation {std:?}");

    let inspection = inspect(&mnist);
    let counts: Vec<usize> = inspection.splits[0].classes.iter().map(|class| class.examples).collect();
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(inspection.splits[0].classes[9].class, "9");
    // Exact repetitions, counted independently as the size of a Python set of rows: none at all.
    assert_eq!(inspection.splits[0].duplicates.examples, 0);
    assert_eq!(inspection.leakage[0].examples, 0);
}

#[test]
fn standardised_mnist_has_mean_zero_and_deviation_one() {
    let config = DataConfig { limit: Some(4000), ..DataConfig::new(Source::Mnist(source::Mnist {})) };
    let mnist = load(&config, Path::new("."), 3).expect("built-in data load");
    assert_eq!((mnist.train.len(), mnist.test.as_ref().map(|test| test.len())), (4000, Some(4000)));
    let mut values = Vec::new();
    let all: Vec<u32> = (0..4000).collect();
    mnist.train.gather(&all, &mut values);
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let square = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64;
    assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-5, "mean {mean}, mean square {square}");
}

/// Oracle: 32,561 and 16,281 rows as `adult.names` of the UCI repository says; the other counts are `awk`'s.
#[test]
fn adult_is_adult() {
    let adult = load_default(Source::Adult(source::Adult::default()));
    let test = adult.test.as_ref().expect("Adult has a test split");
    assert_eq!((adult.train.len(), test.len()), (32_561, 16_281));
    assert_eq!(adult.format.task, Task::Classification { classes: vec!["<=50K".into(), ">50K".into()] });
    let rich = |examples: &crucible_data::Examples| {
        examples.classes().expect("classes").iter().filter(|&&class| class == 1).count()
    };
    assert_eq!((rich(&adult.train), rich(test)), (7_841, 3_846));
    let InputFormat::Table { columns, .. } = &adult.format.input else { panic!("Adult is a table") };
    let names: Vec<&str> = columns.iter().map(Column::name).collect();
    assert_eq!(names.len(), 14);
    assert!(!names.contains(&"income") && !names.contains(&"split"));
    let sex = adult.format.input.groups(&adult.train, "sex").expect("sex is categorical");
    assert_eq!(sex.names, ["Female", "Male", "(none)"]);
    assert_eq!(sex.of.iter().filter(|&&group| group == 0).count(), 10_771);
    assert_eq!(sex.of.iter().filter(|&&group| group == 1).count(), 21_790);
}

#[test]
fn adult_columns_are_summarised_in_their_own_units() {
    let inspection = inspect(&load_default(Source::Adult(source::Adult::default())));
    let train = &inspection.splits[0];
    let field = |name: &str| train.fields.iter().find(|field| field.name == name).expect("the column exists");
    // Oracle: `awk` over the training rows: ages from 17 to 90 with mean 38.58 and deviation 13.64; 1,836 rows lack a
    // workclass.
    let crucible_data::FieldValues::Numeric { min, max, mean, std } = field("age").values else {
        panic!("age is numeric")
    };
    assert!((min - 17.0).abs() < 1e-4 && (max - 90.0).abs() < 1e-4, "{min} to {max}");
    assert!((mean - 38.58).abs() < 0.005 && (std - 13.64).abs() < 0.005, "{mean} and {std}");
    assert_eq!(field("workclass").missing, 1_836);
    // Oracle: `awk 'seen[$0]++'` over the training rows finds 25 repetitions without the income, 24 with it.
    assert_eq!((train.duplicates.examples, train.duplicates.conflicting), (25, 1));
}

#[test]
fn adult_inputs_can_leave_columns_out() {
    let config = source::Adult { ignore: vec!["sex".into(), "race".into()] };
    let adult = load_default(Source::Adult(config));
    let InputFormat::Table { columns, .. } = &adult.format.input else { panic!("Adult is a table") };
    assert_eq!(columns.len(), 12);
    assert!(matches!(adult.train.inputs(), Inputs::Floats(_)));
}

#[test]
fn shipped_files_are_those_that_their_notes_name() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let mut checked = 0;
    for folder in ["mnist", "adult"] {
        let notes = std::fs::read_to_string(data.join(folder).join("SOURCE.txt")).expect("the notes exist");
        assert!(notes.contains("Licence:"), "{folder} names its licence");
        for line in notes.lines() {
            let Some((sum, name)) = line.split_once("  ") else { continue };
            let Ok(bytes) = std::fs::read(data.join(folder).join(name)) else { continue };
            let actual: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(actual, sum, "{folder}/{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 5);
}

/// Oracle: the counts of digits above.
#[test]
fn classes_are_chosen_in_their_order_and_few_of_each() {
    let classes = ["7", "2"].map(str::to_owned).to_vec();
    let config =
        DataConfig { only: Some(classes.clone()), ..DataConfig::new(Source::Mnist(source::Mnist {})) };
    let two = load(&config, Path::new("."), 3).expect("built-in data load");
    assert_eq!(two.format.task, Task::Classification { classes });
    let count = |examples: &crucible_data::Examples, class: u32| {
        examples.classes().expect("classes").iter().filter(|&&found| found == class).count()
    };
    assert_eq!((count(&two.train, 0), count(&two.train, 1), two.train.len()), (6265, 5958, 12_223));
    let all = load_default(Source::Mnist(source::Mnist {}));
    let first = |data: &crucible_data::Dataset, class| {
        let index = data.train.classes().expect("classes").iter().position(|&found| found == class);
        data.train.picture(index.expect("there is one"))
    };
    assert_eq!((first(&two, 0), first(&two, 1)), (first(&all, 7), first(&all, 2)));

    let few = load(&DataConfig { per_class: Some(5), ..config }, Path::new("."), 3).expect("they load");
    assert_eq!((count(&few.train, 0), count(&few.train, 1), few.train.len()), (5, 5, 10));
    assert_eq!(few.test.as_ref().map(|test| test.len()), two.test.as_ref().map(|test| test.len()));
    // Other pictures scale otherwise, and can be scaled as those of another network.
    assert_ne!(few.format.input, all.format.input);
    let as_all = few.scaled_as(&all.format.input).expect("both are pictures of one size");
    let values = |data: &crucible_data::Dataset| {
        let mut values = Vec::new();
        data.test.as_ref().expect("a test split").gather(&[0], &mut values);
        values
    };
    let position = all
        .test
        .as_ref()
        .and_then(|test| test.classes().expect("classes").iter().position(|class| [2, 7].contains(class)));
    let mut expected = Vec::new();
    all.test.as_ref().expect("a test split").gather(&[position.expect("one") as u32], &mut expected);
    assert_eq!(values(&as_all), expected);
}
