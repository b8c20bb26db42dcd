//! Texts with a class each, from files to examples.

use std::path::{Path, PathBuf};

use crucible_data::{
    DataConfig, Dataset, InputFormat, Inputs, Source, Tokenizer, inputs_from_file, inputs_from_texts,
    inspect, length, load, source,
};

/// A tokenizer of 90 words, whose texts begin with 2 and end with 3.
fn tokenizer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/hugging_face/bert")
}

const TABLE: &str = "text,label,split\nThe crucible is hot.,10,train\nhot,9,train\n\"cold, cold\",9,test\nthe metal,10,val\n\
                     the the the the the the the the the the,9,train\n,10,test\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("files can be written");
        }
        Self(folder)
    }

    fn load(
        &self,
        file: &str,
        change: impl FnOnce(&mut source::Texts, &mut DataConfig),
    ) -> Result<Dataset, String> {
        let mut texts = source::Texts::new(file, tokenizer());
        let mut config = DataConfig { test: 0.0, ..DataConfig::new(Source::Mnist(source::Mnist {})) };
        change(&mut texts, &mut config);
        config.source = Source::Texts(texts);
        let here = format!("{}/", self.0.path().display());
        load(&config, self.0.path(), 5).map_err(|error| error.to_string().replace(&here, ""))
    }
}

fn rows(dataset: &crucible_data::Examples) -> Vec<Vec<f32>> {
    let Inputs::Floats(values) = dataset.inputs() else { panic!("texts are floats") };
    values.chunks_exact(dataset.input_len()).map(|row| row[..length(row)].to_vec()).collect()
}

fn excerpts(examples: &crucible_data::Examples) -> Vec<(&str, bool)> {
    examples.excerpts().expect("texts").iter().map(|text| (text.text.as_str(), text.is_cut)).collect()
}

#[test]
fn texts_become_tokens_and_labels_classes_in_order() {
    let place = Place::new(&[("a.csv", TABLE)]);
    let data = place
        .load("a.csv", |texts, _| {
            texts.split_column = Some("split".into());
            texts.max_tokens = 8;
        })
        .expect("the file is good");
    assert_eq!(data.name, "a");
    let crucible_data::Task::Classification { classes } = &data.format.task else { panic!("classes") };
    assert_eq!(classes, &["9", "10"], "numbers in their order");
    assert_eq!(data.train.shape(), [8]);
    // The numbers that Hugging Face's library gives.
    let cut = [&[2.0][..], &[56.0; 6], &[3.0]].concat();
    assert_eq!(rows(&data.train), [vec![2.0, 56.0, 75.0, 58.0, 73.0, 8.0, 3.0], vec![2.0, 73.0, 3.0], cut]);
    assert_eq!(data.train.classes(), Some(&[1, 0, 0][..]));
    assert_eq!(data.train.lengths(), Some(vec![7, 3, 8]));
    let long = "the the the the the the the the the the";
    assert_eq!(excerpts(&data.train), [("The crucible is hot.", false), ("hot", false), (long, true)]);
    let test = data.test.as_ref().expect("a test split");
    assert_eq!(test.classes(), Some(&[0, 1][..]));
    assert_eq!(rows(test)[1], [2.0, 3.0], "an empty text has its ends");
    assert_eq!(data.validation.as_ref().map(crucible_data::Examples::len), Some(1));
    let tokenizer = Tokenizer::open(&tokenizer(), 8).expect("a tokenizer");
    let input = InputFormat::Text {
        column: "text".into(),
        max_tokens: 8,
        vocabulary: 90,
        tokenizer: tokenizer.digest().into(),
    };
    assert_eq!(data.format.input, input);

    let both = data.train.followed_by(test).select(&[4, 2]);
    assert_eq!(excerpts(&both), [("", false), (long, true)]);
    assert_eq!(both.lengths(), Some(vec![2, 8]));

    let found = inspect(&data);
    assert_eq!((found.splits[0].cut, found.splits[2].cut), (Some(1), Some(1)));
    assert_eq!(found.splits[0].fields[0].name, "tokens of text");
    assert_eq!(found.splits[0].texts[1].excerpts, ["The crucible is hot."]);
}

#[test]
fn json_lines_may_have_any_plain_label_and_splits_are_stratified() {
    let lines: String =
        (0..40).map(|i| format!("{{\"text\": \"metal {i}\", \"label\": {}}}\n", i % 4 == 0)).collect();
    let place = Place::new(&[("a.jsonl", &lines), ("b.jsonl", &lines.replace("true", "\" yes \""))]);
    let load = |file: &str| {
        place
            .load(file, |_, config| (config.validation, config.test) = (0.25, 0.2))
            .expect("the file is good")
    };
    let data = load("a.jsonl");
    let share = |examples: &crucible_data::Examples| {
        let classes = examples.classes().expect("classes");
        (classes.len(), classes.iter().filter(|class| **class == 1).count())
    };
    let [validation, test] =
        [&data.validation, &data.test].map(|split| share(split.as_ref().expect("a split")));
    assert_eq!([share(&data.train), validation, test], [(24, 6), (8, 2), (8, 2)]);
    let crucible_data::Task::Classification { classes } = load("b.jsonl").format.task else {
        panic!("classes")
    };
    assert_eq!(classes, ["false", "yes"]);
}

#[test]
fn classes_can_be_chosen_and_examples_limited() {
    let rows: String = (0..60).map(|i| format!("metal {i},{}\n", ["a", "b", "c"][i % 3])).collect();
    let place = Place::new(&[("a.csv", &format!("text,label\n{rows}"))]);
    let only = |names: [&str; 2]| Some(names.map(str::to_owned).to_vec());
    let data = place.load("a.csv", |_, config| config.only = only(["c", "a"])).expect("good");
    assert_eq!(data.train.len(), 40);
    assert_eq!(data.train.classes().map(|classes| classes[..4].to_vec()), Some(vec![1, 0, 1, 0]));
    assert!(excerpts(&data.train).iter().zip(data.train.classes().expect("classes")).all(|(text, class)| {
        let number: usize = text.0["metal ".len()..].parse().expect("a number");
        number % 3 == [2, 0][*class as usize]
    }));
    let data = place
        .load("a.csv", |_, config| (config.per_class, config.test, config.limit) = (Some(4), 0.2, Some(10)))
        .expect("good");
    assert_eq!((data.train.len(), data.test.map(|test| test.len())), (10, Some(10)));
    let error = place.load("a.csv", |_, config| config.only = only(["c", "d"])).expect_err("no such class");
    assert_eq!(error, "data.only: there is no class `d`; there are: a, b, c");
}

#[test]
fn files_that_are_none_say_why() {
    let place = Place::new(&[
        ("a.csv", TABLE),
        ("empty.csv", ""),
        ("bare.csv", "text,label\n"),
        ("one.csv", "text,label\nx,a\ny,a\n"),
        ("gap.csv", "text,label\nx,a\ny,\n"),
        ("gap.jsonl", "{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\", \"label\": null}\n"),
        ("list.jsonl", "{\"text\": \"x\", \"label\": [1]}\n"),
        ("a.txt", "x"),
    ]);
    let refused = |file: &str, change: &dyn Fn(&mut source::Texts)| {
        place.load(file, |texts, _| change(texts)).expect_err("it is bad")
    };
    let none = &|_: &mut source::Texts| ();
    for (file, words) in [
        ("none.csv", "none.csv: No such file or directory (os error 2)"),
        ("empty.csv", "empty.csv:1:1: no header"),
        ("bare.csv", "bare.csv:2:1: no rows"),
        (
            "one.csv",
            "one.csv:2:1: the target \"label\" has 1 distinct values; a classification needs 2 to 10000",
        ),
        ("gap.csv", "gap.csv:3:2: no value for the target \"label\""),
        ("gap.jsonl", "gap.jsonl:2:1: no value for the target \"label\""),
        (
            "list.jsonl",
            "list.jsonl:1:1: [1] is no class, as the target \"label\" needs: a text, a number, true or false",
        ),
        ("a.txt", "a.txt, byte 0: texts are read from files named .csv, .tsv or .jsonl"),
    ] {
        assert_eq!(refused(file, none), words);
    }
    let words = "a.csv:1:1: no column \"body\"; the columns are \"text\", \"label\", \"split\"";
    assert_eq!(refused("a.csv", &|texts| texts.column = "body".into()), words);
    assert_eq!(refused("a.csv", &|texts| texts.target = "body".into()), words);
    assert_eq!(refused("a.csv", &|texts| texts.split_column = Some("body".into())), words);
    let words = "a.csv:2:1: \"10\" is not a split: train, validation, or test";
    let split = |texts: &mut source::Texts| {
        (texts.split_column, texts.target) = (Some("label".into()), "split".into());
    };
    assert_eq!(refused("a.csv", &split), words);
    assert_eq!(
        refused("a.csv", &|texts| texts.column = "label".into()),
        "data.column: \"label\" is the target"
    );
    let words = "data.tokenizer: texts become inputs by a tokenizer: name a tokenizer.json or a folder with one, or a \
                 `transfer.from` that has one";
    assert_eq!(refused("a.csv", &|texts| texts.tokenizer = None), words);
    let words = "nowhere: No such file or directory (os error 2)";
    assert_eq!(refused("a.csv", &|texts| texts.tokenizer = Some("nowhere".into())), words);
    let message = refused("a.csv", &|texts| texts.tokenizer = Some("a.csv".into()));
    assert!(message.starts_with("a.csv: expected ident at line 1"), "{message}");
    let message = refused("a.csv", &|texts| texts.max_tokens = 2);
    assert!(message.ends_with("2 tokens have no room for a text; its ends are 2"), "{message}");
}

#[test]
fn new_texts_are_read_as_the_network_reads_them() {
    let place = Place::new(&[
        ("a.csv", TABLE),
        ("new.tsv", "text\nhot\n\"two\nlines\"\nthe metal\n"),
        ("new.csv", "id,body\n1,x\n"),
    ]);
    let data = place.load("a.csv", |texts, _| texts.max_tokens = 8).expect("good");
    let tokenizer = Tokenizer::open(&tokenizer(), 8).expect("a tokenizer");
    let at = |name: &str| place.0.path().join(name);
    let read = |name: &str| inputs_from_texts(&at(name), &data.format, &tokenizer);
    let inputs = read("new.tsv").expect("good");
    assert_eq!(inputs.names, ["new.tsv:2", "new.tsv:3", "new.tsv:5"]);
    assert_eq!(inputs.get(0), Some(&[2.0, 73.0, 3.0, -1.0, -1.0, -1.0, -1.0, -1.0][..]));
    let message = |error: crucible_data::DataError| error.to_string();
    let error = read("new.csv").map_err(message).expect_err("no such column");
    assert!(error.ends_with("new.csv:1:1: no column \"text\"; the columns are \"id\", \"body\""), "{error}");
    let error = inputs_from_file(&at("new.tsv"), &data.format).map_err(message).expect_err("no tokenizer");
    assert!(
        error.ends_with("the network reads texts, which become inputs by their tokenizer alone"),
        "{error}"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/hugging_face/roberta");
    let other = Tokenizer::open(&folder, 8).expect("a tokenizer");
    let error =
        inputs_from_texts(&at("new.tsv"), &data.format, &other).map_err(message).expect_err("another");
    assert!(error.ends_with("the network was trained on the tokens of another tokenizer"), "{error}");
}

#[test]
fn formats_come_back_from_their_files_and_only_texts_of_one_tokenizer_are_alike() {
    let place = Place::new(&[("a.csv", TABLE)]);
    let load = |tokens| place.load("a.csv", |texts, _| texts.max_tokens = tokens).expect("good");
    let (data, shorter) = (load(8), load(5));
    let text = serde_json::to_string(&data.format).expect("plain data");
    let format: crucible_data::Format = serde_json::from_str(&text).expect("it was written so");
    assert_eq!(format, data.format);
    let as_before = shorter.clone().scaled_as(&data.format.input).expect("the same tokenizer");
    assert_eq!(as_before.format, shorter.format, "cut as its own recipe says");
    let mut other = data.format.input.clone();
    if let InputFormat::Text { tokenizer, .. } = &mut other {
        tokenizer.replace_range(..1, "x");
    }
    assert!(shorter.scaled_as(&other).is_none());
}
