//! Bad input of every kind: its exact words, its exit code, and nothing changed on the disk.

use std::process::Command;

use crucible_data::idx;

use crate::support::{Place, Said, idx_folder, picture_folder, png};

/// `[data] source = "idx"` on `digits`.
const IDX_JOB: &str =
    "[data]\nsource = \"idx\"\npath = \"digits\"\n[model]\nname = \"mlp\"\n[train]\nepochs = 1\n";

/// What the weights of five hidden units are told by a network of six.
const OTHER_SHAPES: &str = "the weights do not fit the network; of another shape: bn1.bias is [5] in the file, [6] in the network, \
         bn1.running_mean is [5] in the file, [6] in the network, bn1.running_var is [5] in the file, [6] in the \
         network, bn1.weight is [5] in the file, [6] in the network, fc1.bias is [5] in the file, [6] in the \
         network, fc1.weight is [5, 4] in the file, [6, 4] in the network, fc2.weight is [2, 5] in the file, [2, 6] \
         in the network";

#[track_caller]
fn refuses_recipe(text: impl AsRef<[u8]>, code: i32, words: &str) {
    let place = Place::with_tables();
    place.write("bad.toml", text);
    place.refuses(&["train", "bad.toml", "--out", "run"], code, words);
}

/// `job.toml` with one of its texts replaced.
fn job(from: &str, to: &str) -> String {
    assert!(crate::support::JOB.contains(from), "{from}");
    crate::support::JOB.replace(from, to)
}

#[test]
fn recipes_that_are_not_there() {
    let place = Place::with_tables();
    let known = "shipped recipes: mnist-mlp, mnist-cnn, mnist-lenet300, mnist-lenet5, mnist-transformer, adult-mlp, mnist-robust, mnist-certified, mnist-private, digits-pretrain, digits-transfer, fashion-transfer, movie-sentiment, mnist-gan; a file is given by its path";
    place.refuses(
        &["train", "minst-mlp"],
        2,
        &format!("there is no recipe named `minst-mlp` (did you mean `mnist-mlp`?); {known}"),
    );
    place.refuses(&["recipe", "check", "xyz"], 2, &format!("there is no recipe named `xyz`; {known}"));
    let missing = "cannot read none.toml: No such file or directory (os error 2)";
    for args in
        [&["train", "none.toml"][..], &["recipe", "show", "none.toml"], &["model", "summary", "none.toml"]]
    {
        place.refuses(args, 1, missing);
    }
    std::fs::create_dir(place.path("folder.toml")).unwrap();
    place.refuses(&["train", "folder.toml"], 1, "cannot read folder.toml: Is a directory (os error 21)");
}

#[test]
fn recipes_that_are_none() {
    refuses_recipe(
        "",
        2,
        "bad.toml: missing table [data]\n      = a table or one of \"mnist\", \"idx\", \"images\", \"csv\", \"texts\", \"adult\": \
         Where the examples come from.\n\nbad.toml: missing table [model]\n      = a table or one of \"mlp\", \
         \"lenet5\", \"cnn\", \"convnet\", \"transformer\", \"bert\": The network.",
    );
    refuses_recipe(
        [0x89, b'P', b'N', b'G', 0xff, 0, 1],
        2,
        "bad.toml is not UTF-8 text: byte 0 begins no character",
    );
    refuses_recipe(
        "[data\nsource",
        2,
        "bad.toml:1:6: not valid TOML: unclosed table, expected `]`\n    1 | [data\n      |      ^\n\n\
         bad.toml:2:7: not valid TOML: key with no value, expected `=`\n    2 | source\n      |       ^",
    );
}

#[test]
fn every_mistake_of_a_recipe_is_told_at_once() {
    let text = "sead = 1\n[data]\nsource = \"mnist\"\nlimt = 3\n[model]\nname = \"mlp\"\nhiden = [3]\n[train]\n\
                optimizer = \"adma\"\nepochs = 0\n";
    refuses_recipe(
        text,
        2,
        "bad.toml:1:1: unknown key `sead` at the top level\n    1 | sead = 1\n      | ^^^^ did you mean `seed`? \
         allowed: seed, data, model, train, defence, fairness, distill, transfer, poison, audit\n\n\
         bad.toml:4:1: unknown key `limt` in [data]\n    4 | limt = 3\n      | ^^^^ did you mean `limit`? \
         allowed: validation, test, normalize, mean, std, only, per_class, limit\n\n\
         bad.toml:7:1: unknown key `hiden` in [model]\n    7 | hiden = [3]\n      | ^^^^^ did you mean `hidden`? \
         allowed: hidden, activation, dropout, batch_norm\n\n\
         bad.toml:9:13: unknown value \"adma\" for `train.optimizer`\n    9 | optimizer = \"adma\"\n      \
         |             ^^^^^^ did you mean \"adam\"? allowed: \"gradient-descent\", \"sgd\", \"adam\", \"adamw\", \
         \"rmsprop\", \"adagrad\", \"lion\", \"muon\"\n\n\
         bad.toml:10:10: `train.epochs` must be an integer from 1 to 1000000, found 0\n   10 | epochs = 0\n      \
         |          ^",
    );
    let place = Place::with_tables();
    place.write("bad.toml", text);
    let object = place.run(&["recipe", "check", "bad.toml", "--json"]).object();
    let places: Vec<(u64, u64, &str)> = object["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let number = |key: &str| problem[key].as_u64().unwrap();
            (number("line"), number("column"), problem["path"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        places,
        [
            (1, 1, "sead"),
            (4, 1, "data.limt"),
            (7, 1, "model.hiden"),
            (9, 13, "train.optimizer"),
            (10, 10, "train.epochs"),
        ]
    );
}

#[test]
fn overrides_that_are_wrong() {
    let place = Place::with_tables();
    for (set, words) in [
        (
            "train.optimizer.name=adma",
            "unknown value \"adma\" for `train.optimizer.name`\n      = did you mean \"adam\"? allowed: \
             \"gradient-descent\", \"sgd\", \"adam\", \"adamw\", \"rmsprop\", \"adagrad\", \"lion\", \"muon\"",
        ),
        (
            "train.epochs=many",
            "`train.epochs` must be an integer from 1 to 1000000, found the string \"many\"",
        ),
        (
            "train.epoch=3",
            "unknown key `epoch` in [train]\n      = did you mean `epochs`? allowed: epochs, batch_size, group_by_length, \
             warmup_steps, clip_norm, ema, loss, optimizer, schedule, regularization, early_stopping, until, \
             privacy, checkpoint",
        ),
        ("train.epochs", "an override is written key=value"),
        ("=3", "the key before `=` must be a dotted key such as train.epochs"),
    ] {
        place.refuses(&["train", "job.toml", "--set", set], 2, &format!("--set {set}: {words}"));
    }
}

#[test]
fn recipes_that_do_not_fit_their_data() {
    refuses_recipe(
        job("name = \"mlp\"\nhidden = [6]\ndropout = 0.2\nbatch_norm = true", "name = \"cnn\""),
        2,
        "`cnn` reads pictures, but the data are table rows of 4 values; `mlp` reads both",
    );
    refuses_recipe(
        job(
            "name = \"mlp\"\nhidden = [6]\ndropout = 0.2\nbatch_norm = true",
            "name = \"transformer\"\nheads = 3",
        ),
        2,
        "`transformer` cannot divide a width of 128 among 3 heads; it must be a multiple",
    );
    refuses_recipe(
        job("ema = 0.9", "loss = \"binary-cross-entropy\"").replace("\"side\"", "\"colour\""),
        2,
        "`binary-cross-entropy` is for two classes, but there are 3; use `cross-entropy`",
    );
    refuses_recipe(
        crate::support::LINE_JOB.replace("\"mse\"", "\"cross-entropy\""),
        2,
        "`cross-entropy` is for classes, but the target is a number; use `mse`",
    );
    refuses_recipe(
        format!("{}[train.until]\naccuracy = 0.9\n", crate::support::LINE_JOB),
        2,
        "`train.until.accuracy` is for classes, but the target is a number; use `train.until.loss`",
    );
    refuses_recipe(
        format!("{}[train.until]\nloss = 0.1\n", job("validation = 0.2", "test = 0.0")),
        2,
        "`train.until` needs a validation or a test split to measure on, but the data have neither",
    );
    let place = Place::with_tables();
    place.ok(&["train", "job.toml", "--set", "train.loss=mse", "--quiet"]);
}

#[test]
fn networks_of_absurd_sizes() {
    for (hidden, words) in [
        ("[99999999999]", "`mlp` would have 599999999994 parameters; the limit is 1073741824"),
        (
            "[9223372036854775807, 9223372036854775807]",
            "`mlp` would have 85070591730234615902737140005361156091 parameters; the limit is 1073741824",
        ),
        (
            "[0]",
            "bad.toml:10:11: `model.hidden[0]` must be an integer of at least 1, found 0\n   10 | hidden = \
             [0]\n      |           ^",
        ),
        (
            "[-1]",
            "bad.toml:10:11: `model.hidden[0]` must be an integer of at least 1, found -1\n   10 | hidden = \
             [-1]\n      |           ^^",
        ),
    ] {
        refuses_recipe(job("[6]", hidden).replace("batch_norm = true", ""), 2, words);
    }
    let place = Place::empty();
    idx_folder(&place, "digits");
    place.write("job.toml", IDX_JOB.replace("\"mlp\"", "\"cnn\""));
    place.ok(&["model", "summary", "job.toml"]);
    for side in [1u32, 4] {
        let count = 4 * side * side;
        place.write("digits/train-images-idx3-ubyte", idx::write(&[4, side, side], &vec![7; count as usize]));
        place.write("digits/train-labels-idx1-ubyte", idx::write(&[4], &[0, 1, 0, 1]));
        for split in ["images-idx3", "labels-idx1"] {
            let _ = std::fs::remove_file(place.path(&format!("digits/t10k-{split}-ubyte")));
        }
        place.refuses(
            &["train", "job.toml", "--set", "data.test=0.5", "--out", "run"],
            2,
            &format!("`cnn` needs pictures of at least 6x6, but these are {side}x{side}"),
        );
    }
}

#[test]
fn idx_folders() {
    let fresh = || {
        let place = Place::empty();
        idx_folder(&place, "digits");
        place.write("job.toml", IDX_JOB);
        place
    };
    let refuses = |place: &Place, words: &str| {
        place.refuses(&["train", "job.toml", "--out", "run"], 1, words);
        place.refuses(&["data", "inspect", "job.toml"], 1, words);
    };
    let (pictures, labels) = ("digits/train-images-idx3-ubyte", "digits/t10k-labels-idx1-ubyte");

    let place = fresh();
    std::fs::remove_file(place.path(labels)).unwrap();
    refuses(
        &place,
        "{here}/digits: no file t10k-labels-idx1-ubyte (nor with a dot before \"idx\", nor with .gz)",
    );

    let place = fresh();
    let real = include_bytes!("../../../../data/mnist/t10k-labels-idx1-ubyte.gz");
    std::fs::remove_file(place.path(labels)).unwrap();
    place.write(&format!("{labels}.gz"), &real[..1000]);
    refuses(
        &place,
        "{here}/digits/t10k-labels-idx1-ubyte.gz, byte 1791: damaged gzip data: incomplete deflate stream",
    );

    for (name, bytes, words) in [
        (
            pictures,
            b"\x89PNG\r\n\x1a\n".to_vec(),
            "{here}/digits/train-images-idx3-ubyte, byte 0: not an IDX file: the first four bytes are [89, 50, 4e, 47]",
        ),
        (
            pictures,
            vec![],
            "{here}/digits/train-images-idx3-ubyte, byte 0: the file ends here, 4 bytes early",
        ),
        (
            pictures,
            idx::write(&[80], &[0; 80]),
            "{here}/digits/train-images-idx3-ubyte, byte 3: IDX data has 1 dimensions, expected 3",
        ),
        (
            pictures,
            idx::write(&[79, 8, 8], &[0; 79 * 64]),
            "{here}/digits/train-labels-idx1-ubyte, byte 4: 80 labels for 79 pictures in {here}/digits/train-images-idx3-ubyte",
        ),
        (
            pictures,
            [0, 0, 8, 3].iter().copied().chain([255; 12]).collect(),
            "{here}/digits/train-images-idx3-ubyte, byte 4: the header declares [4294967295, 4294967295, 4294967295], more than the limit of 4294967296 values",
        ),
        (
            labels,
            idx::write(&[20], &[0; 20])[..20].to_vec(),
            "{here}/digits/t10k-labels-idx1-ubyte, byte 20: the file ends here, 8 bytes early",
        ),
        (
            labels,
            [idx::write(&[20], &[0; 20]), vec![1]].concat(),
            "{here}/digits/t10k-labels-idx1-ubyte, byte 28: bytes after the end of the data",
        ),
    ] {
        let place = fresh();
        place.write(name, bytes);
        refuses(&place, words);
    }

    let place = fresh();
    place.edit("job.toml", "path = \"digits\"", "path = \"digits\"\nclasses = [\"left\", \"right\"]");
    place.write(labels, idx::write(&[20], &[[0; 19].as_slice(), &[2]].concat()));
    refuses(&place, "{here}/digits/t10k-labels-idx1-ubyte, byte 27: label 2, but there are only 2 classes");

    let place = fresh();
    let sum = "0".repeat(64);
    place.write("job.toml", format!("{IDX_JOB}[data.checksums]\ntrain-labels-idx1-ubyte = \"{sum}\"\n"));
    refuses(
        &place,
        &format!(
            "{{here}}/digits/train-labels-idx1-ubyte: sha256 is \
             4b09e9fea3d7ee5d2390e7e8f88087e463fb3ff1733baba11953b8100e59d685, but the recipe says {sum}"
        ),
    );

    let place = fresh();
    place.edit("job.toml", "digits", "nowhere");
    refuses(
        &place,
        "{here}/nowhere: no file train-images-idx3-ubyte (nor with a dot before \"idx\", nor with .gz)",
    );
}

#[test]
fn folders_of_pictures() {
    let place = Place::empty();
    picture_folder(&place, "pictures");
    let inspect = |source: &str, words: &str| {
        place.refuses(&["data", "inspect", source, "--no-sheet"], 1, words);
    };
    place.write("pictures/train/left/3.png", &png(0, 3)[..60]);
    inspect("pictures", "pictures/train/left/3.png, byte 60: unreadable picture: unexpected end of file");
    place.write("pictures/train/left/3.png", "");
    inspect("pictures", "pictures/train/left/3.png, byte 0: unreadable picture: neither a PNG nor a JPEG");
    place.write("pictures/train/left/3.png", png(0, 3));
    place.write("pictures/test/up/1.png", png(0, 3));
    inspect("pictures", "pictures/test: class \"up\" is not among the training classes");
    std::fs::create_dir(place.path("bare")).unwrap();
    inspect("bare", "bare: 0 subfolders, but a classification needs one for each of 2 or more classes");
    place.write("odd/a/1.txt", "no picture");
    place.write("odd/b/1.png", png(0, 3));
    inspect("odd", "odd/a: no .png, .jpg, or .jpeg file");
    place.refuses(&["data", "inspect", "nowhere"], 2, "there is no `nowhere` to inspect; a source is one of mnist, idx, images, csv, texts, adult, a recipe, a folder of IDX files or pictures, or a CSV file");
    place.refuses(
        &["data", "inspect", "points.csv", "--set", "target=side"],
        2,
        "there is no `points.csv` to inspect; a source is one of mnist, idx, images, csv, texts, adult, a recipe, a folder of IDX files or pictures, or a CSV file",
    );
}

#[test]
fn tables() {
    for (text, words) in [
        ("x,colour,side\n1,red,left\n2,blue\n", "{here}/points.csv:3:3: 2 fields, but the header has 3"),
        ("x,colour\n1,red\n", "{here}/points.csv:1:1: no column \"side\"; the columns are \"x\", \"colour\""),
        ("", "{here}/points.csv:1:1: no header"),
        ("x,colour,side\n", "{here}/points.csv:2:1: no rows"),
        ("x,x,side\n1,2,left\n", "{here}/points.csv:1:2: column \"x\" appears twice"),
        ("x,colour,side\n1,red,left\n1,red,\n", "{here}/points.csv:3:3: no value for the target \"side\""),
        (
            "x,colour,side\n1,red,left\n1,red,left\n",
            "{here}/points.csv:1:3: the target \"side\" has 1 distinct values; a classification needs 2 to 10000",
        ),
        ("x,side\n1,left\n2,right\n", "points: too few examples: none is left for the validation split"),
        ("side\nleft\nright\n", "{here}/points.csv:1:1: no column is left as input"),
    ] {
        let place = Place::with_tables();
        place.write("points.csv", text);
        place.refuses(&["train", "job.toml", "--out", "run"], 1, words);
    }
    let place = Place::with_tables();
    place.write("points.csv", b"x,colour,side\n1,\xff,left\n");
    place.refuses(&["train", "job.toml", "--out", "run"], 1, "{here}/points.csv:2:2: not UTF-8");
    std::fs::remove_file(place.path("points.csv")).unwrap();
    let missing = "{here}/points.csv: No such file or directory (os error 2)";
    place.refuses(&["train", "job.toml", "--out", "run"], 1, missing);
    std::fs::create_dir(place.path("points.csv")).unwrap();
    let folder = "{here}/points.csv: Is a directory (os error 21)";
    place.refuses(&["train", "job.toml", "--out", "run"], 1, folder);
    let place = Place::with_tables();
    place.refuses(
        &["data", "inspect", "points.csv", "--set", "target=sid"],
        1,
        "points.csv:1:1: no column \"sid\"; the columns are \"x\", \"colour\", \"side\"",
    );
    place.refuses(&["data", "inspect", "points.csv"], 2, "points.csv:1:2: missing key `target` in [data]\n    1 | [data]\n      |  ^^^^ a string: The column to predict.");
}

#[test]
fn questions_to_a_network_of_tables() {
    let place = Place::with_run();
    place.write("empty.csv", "");
    place.write("picture.png", png(0, 1));
    place.write("lacking.csv", "x\n1\n");
    place.write("words.csv", "x,colour\n1,red\nmuch,red\n");
    place.write("garbage.csv", [0xc3, 0x28, 0x0a, 0xff, 0x00]);
    std::fs::create_dir(place.path("folder.csv")).unwrap();
    for (file, words) in [
        ("empty.csv", "empty.csv:1:1: no header"),
        ("picture.png", "picture.png, byte 0: a picture, but the network takes table rows"),
        ("lacking.csv", "lacking.csv:1:1: no column \"colour\"; the columns are \"x\""),
        ("words.csv", "words.csv:3:1: \"much\" is not a finite number, as column \"x\" needs"),
        ("garbage.csv", "garbage.csv:1:1: not UTF-8"),
        ("folder.csv", "folder.csv: Is a directory (os error 21)"),
        ("nowhere.csv", "nowhere.csv: No such file or directory (os error 2)"),
    ] {
        place.refuses(&["predict", "run", file], 1, words);
    }
    // What was answered before the mistake stays answered.
    let said = place.run(&["predict", "run", "points.csv", "empty.csv", "--json"]);
    assert_eq!((said.code, said.objects().len()), (Some(1), 121));
}

#[test]
fn questions_to_a_network_of_pictures() {
    let place = Place::empty();
    idx_folder(&place, "digits");
    place.write("job.toml", IDX_JOB);
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let whole = png(0, 1);
    place.write("empty.png", "");
    place.write("cut.png", &whole[..whole.len() / 2]);
    place.write("head.png", &whole[..8]);
    place.write("garbage.png", "these are words");
    place.write("table.csv", "x\n1\n");
    let mut huge = whole.clone();
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    place.write("huge.png", huge);
    let pictures = place.read("digits/t10k-images-idx3-ubyte");
    place.write("cut-idx3-ubyte", &pictures[..100]);
    for (file, words) in [
        (
            "empty.png",
            "empty.png, byte 0: neither a PNG, JPEG, or IDX picture file, nor named .csv, .tsv, or .txt",
        ),
        ("cut.png", "cut.png, byte 70: unreadable picture: unexpected end of file"),
        ("head.png", "head.png, byte 8: unreadable picture: unexpected end of file"),
        (
            "garbage.png",
            "garbage.png, byte 0: neither a PNG, JPEG, or IDX picture file, nor named .csv, .tsv, or .txt",
        ),
        ("table.csv", "table.csv, byte 0: a table, but the network takes pictures"),
        (
            "huge.png",
            "huge.png, byte 16: unreadable picture: Format error decoding Png: CRC error: expected 0xe164e157 have \
             0x31a254ba while decoding ChunkType { type: IHDR, critical: true, private: false, reserved: false, \
             safecopy: false } chunk.",
        ),
        ("cut-idx3-ubyte", "cut-idx3-ubyte, byte 100: the file ends here, 1196 bytes early"),
        ("digits", "digits: Is a directory (os error 21)"),
    ] {
        place.refuses(&["predict", "run", file], 1, words);
    }
}

#[test]
fn folders_that_are_no_run() {
    let place = Place::with_tables();
    std::fs::create_dir_all(place.path("empty")).unwrap();
    for verb in [&["eval"][..], &["report"], &["train", "--resume"]] {
        for (run, words) in [
            ("nowhere", "nowhere is no run: No such file or directory (os error 2)"),
            ("empty", "empty is no run: it holds no recipe.toml"),
            ("points.csv", "points.csv is no run: Not a directory (os error 20)"),
        ] {
            place.refuses(&[verb, &[run]].concat(), 2, words);
        }
    }
    place.refuses(&["predict", "empty", "points.csv"], 2, "empty is no run: it holds no recipe.toml");
    place.refuses(&["model", "summary", "empty"], 2, "empty is no run: it holds no recipe.toml");
    // A run that was stopped between its first two files, and one that was stopped before its weights.
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    for name in ["model.safetensors", "config.json"] {
        std::fs::remove_file(place.path(&format!("run/{name}"))).unwrap();
        let words =
            "run is no run: it has no model.safetensors yet; finish it with `crucible train --resume run`";
        for verb in ["eval", "report"] {
            place.refuses(&[verb, "run"], 2, words);
        }
    }
}

#[test]
fn runs_with_a_damaged_config() {
    let place = Place::with_run();
    let all = [&["eval", "run"][..], &["report", "run"], &["predict", "run", "points.csv"]];
    let damaged = |words: &str| {
        for args in all {
            place.refuses(args, 1, &format!("run/config.json is damaged: {words}"));
        }
    };
    let whole = place.text("run/config.json");
    place.write("run/config.json", "");
    damaged("EOF while parsing a value at line 1 column 0");
    place.write("run/config.json", &whole[..40]);
    damaged("EOF while parsing an object at line 4 column 2");
    place.write("run/config.json", [0xff; 9]);
    damaged("expected value at line 1 column 1");
    place.write("run/config.json", "[]");
    damaged("invalid length 0, expected struct RunConfig with 5 elements at line 1 column 2");
    place.write("run/config.json", whole.replace("\"version\": 1", "\"version\": 2"));
    damaged("its version is 2, and this program reads 1");
    place.write("run/config.json", whole.replace("\"right\"", "\"right\", \"up\""));
    damaged("its 2 outputs do not fit its task and loss");
    place.write("run/config.json", whole.replace("\"outputs\": 2", "\"outputs\": 0"));
    damaged("its 0 outputs do not fit its task and loss");
    std::fs::remove_file(place.path("run/config.json")).unwrap();
    for args in all {
        place.refuses(args, 1, "cannot read run/config.json: No such file or directory (os error 2)");
    }
    std::fs::create_dir(place.path("run/config.json")).unwrap();
    for args in all {
        place.refuses(args, 1, "cannot read run/config.json: Is a directory (os error 21)");
    }

    let place = Place::with_tables();
    place.ok(&["train", "line.toml", "--out", "run", "--quiet"]);
    let whole = place.text("run/config.json");
    let from = whole.rfind("\"std\": [").unwrap();
    let to = from + whole[from..].find(']').unwrap();
    place.write("run/config.json", format!("{}\"std\": [{}", &whole[..from], &whole[to..]));
    let words = "run/config.json is damaged: its 1 outputs do not fit its task and loss";
    place.refuses(&["predict", "run", "line.csv"], 1, words);
}

#[test]
fn runs_with_damaged_weights() {
    let place = Place::with_run();
    place.ok(&["train", "job.toml", "--set", "model.hidden=[5]", "--out", "other", "--quiet"]);
    let all = [&["eval", "run"][..], &["report", "run"], &["predict", "run", "points.csv"]];
    let damaged = |words: &str| {
        for args in all {
            place.refuses(args, 1, &format!("run/model.safetensors: {words}"));
        }
    };
    let whole = place.read("run/model.safetensors");
    place.write("run/model.safetensors", "");
    damaged("not a whole safetensors file: header too small");
    place.write("run/model.safetensors", &whole[..whole.len() - 1]);
    damaged("not a whole safetensors file: incomplete metadata, file not fully covered");
    place.write("run/model.safetensors", [0xff; 100]);
    damaged("not a whole safetensors file: header too large");
    place.write("run/model.safetensors", place.read("other/model.safetensors"));
    damaged(OTHER_SHAPES);
    place.write("run/model.safetensors", place.read("run/checkpoints/last.safetensors"));
    let names = ["bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight"];
    let names = [&names[..], &["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]].concat();
    let under =
        |folder: &str| names.iter().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>().join(", ");
    let trained = names.iter().filter(|name| !name.contains("running"));
    let moments: Vec<String> = trained
        .flat_map(|name| [1, 2].map(|moment| format!("optimizer/{name}.momentum.moment_{moment}")))
        .collect();
    damaged(&format!(
        "the weights do not fit the network; missing: {}; surplus: {}, {}, {}",
        names.join(", "),
        under("average"),
        under("model"),
        moments.join(", "),
    ));
}

#[test]
fn runs_with_a_damaged_recipe_or_other_data() {
    let place = Place::with_run();
    let all = [&["eval", "run"][..], &["report", "run"], &["train", "--resume", "run"]];
    let recipe = place.text("run/recipe.toml");
    place.write("run/recipe.toml", "what?");
    for args in all {
        place.refuses(args, 2, "run/recipe.toml:1:5: not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_`\n    1 | \
             what?\n      |     ^\n\nrun/recipe.toml:1:6: not valid TOML: key with no value, expected `=`\n    1 | \
             what?\n      |      ^");
    }
    place.write("run/recipe.toml", recipe);
    let points = place.text("points.csv");
    for (data, words) in [
        (points.replace("blue", "green"), "one input is 3, and was 4"),
        (points.replacen("left", "up", 9), "the target has 3 classes, and had 2"),
        (
            points.replacen(",red,", ",green,", 9).replacen("0.", "0.9", 20),
            "columns, classes, means or deviations of the training split differ",
        ),
    ] {
        place.write("points.csv", data);
        for args in all {
            let words = format!(
                "the points data are not those that run/config.json was written for: {words}; train a new run on them"
            );
            place.refuses(args, 1, &words);
        }
    }
    std::fs::remove_file(place.path("points.csv")).unwrap();
    for args in all {
        place.refuses(args, 1, "{here}/points.csv: No such file or directory (os error 2)");
    }
    // A network needs its data no more to answer.
    place.write("new.csv", points);
    place.ok(&["predict", "run", "new.csv"]);
}

#[test]
fn checkpoints_that_cannot_be_resumed() {
    let place = Place::with_run();
    place.ok(&["train", "job.toml", "--set", "model.hidden=[5]", "--out", "other", "--quiet"]);
    let resume = &["train", "--resume", "run"];
    let last = "run/checkpoints/last.safetensors";
    let whole = place.read(last);
    for (bytes, words) in [
        (
            vec![],
            "run/checkpoints/last.safetensors is damaged: not a whole safetensors file: header too small",
        ),
        (
            vec![7; 300],
            "run/checkpoints/last.safetensors is damaged: not a whole safetensors file: header too large",
        ),
        (
            whole[..whole.len() - 4].to_vec(),
            "run/checkpoints/last.safetensors is damaged: not a whole safetensors file: incomplete metadata, file not fully covered",
        ),
        (
            place.read("run/model.safetensors"),
            "run/checkpoints/last.safetensors is damaged: it holds no state of training",
        ),
        (
            place.read("other/checkpoints/last.safetensors"),
            &format!("run/checkpoints/last.safetensors: {OTHER_SHAPES}"),
        ),
    ] {
        place.write(last, bytes);
        place.refuses(resume, 1, words);
    }
}

#[test]
fn folders_to_write_to() {
    let place = Place::with_run();
    place.write("thesis/chapter-1.txt", "years of work");
    for (out, words) in [
        ("run", "cannot create run: Directory not empty (os error 39)"),
        ("thesis", "cannot create thesis: Directory not empty (os error 39)"),
        ("points.csv", "cannot create points.csv: Not a directory (os error 20)"),
        ("points.csv/run", "cannot create points.csv: File exists (os error 17)"),
        ("points.csv/deep/run", "cannot create points.csv/deep: Not a directory (os error 20)"),
        (".", "cannot create .: Device or resource busy (os error 16)"),
        ("..", "cannot create ..: Device or resource busy (os error 16)"),
        ("/", "cannot create /: Device or resource busy (os error 16)"),
    ] {
        place.refuses(&["train", "job.toml", "--out", out], 1, words);
    }
    std::fs::create_dir(place.path("waiting")).unwrap();
    place.ok(&["train", "job.toml", "--out", "waiting", "--quiet"]);
    place.refuses(
        &["data", "inspect", "mnist", "--set", "limit=50", "--sheet", "nowhere/sheet.png"],
        1,
        "cannot write nowhere/sheet.png: No such file or directory (os error 2)",
    );
}

/// The program with files limited to `blocks` of 512 bytes: a larger write fails as on a full disk.
fn limited(place: &Place, blocks: u32, args: &[&str]) -> Said {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_crucible")]).args(args).current_dir(place.path(""));
    Said::new(command.output().unwrap())
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_earlier_ones_whole() {
    let place = Place::with_run();
    let said = limited(&place, 8, &["report", "run"]);
    let words = "error: cannot write run/report.html: File too large (os error 27)\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), "", words));

    let before = place.tree("run");
    let said = limited(&place, 0, &["report", "run"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(place.tree("run"), before, "the report of before is still there, and nothing else is");

    let said = limited(&place, 0, &["train", "job.toml", "--out", "new"]);
    let words = "File too large (os error 27)\n";
    assert!(said.code == Some(1) && said.err.ends_with(words), "{said:?}");
    assert!(!place.path("new").exists(), "a folder without a recipe is not left behind");
    assert!(place.tree("").keys().all(|name| !name.ends_with(".new")), "{:?}", place.tree("").keys());
}

#[test]
fn a_disk_that_fills_up_during_training_costs_nothing_that_was_saved() {
    // Both logs grow until the limit; a checkpoint is far smaller.
    let place = Place::with_tables();
    let long = ["train", "job.toml", "--set", "train.epochs=120"];
    place.ok(&[&long[..], &["--out", "whole", "--quiet"]].concat());
    let said = limited(&place, 32, &[&long[..], &["--out", "run", "--quiet"]].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    // Which file meets the limit first depends on the length of the paths in it.
    let (first, last) = ("error: cannot write run/", ": File too large (os error 27)\n");
    assert!(said.err.starts_with(first) && said.err.ends_with(last), "{}", said.err);
    assert!(!place.path("run/model.safetensors").exists());
    place.ok(&["train", "--resume", "run", "--quiet"]);
    assert!(place.read("run/model.safetensors") == place.read("whole/model.safetensors"));
    assert_eq!(
        place.text("run/metrics.jsonl").lines().count(),
        place.text("whole/metrics.jsonl").lines().count()
    );
}

/// A real full disk, where this user may mount one.
#[test]
fn a_disk_without_room() {
    let place = Place::with_tables();
    std::fs::create_dir(place.path("disk")).unwrap();
    let in_disk = |size: &str, script: &str| {
        let mount = format!("mount -t tmpfs -o size={size} none disk && echo mounted && {script}");
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &mount,
            env!("CARGO_BIN_EXE_crucible"),
        ]);
        command.current_dir(place.path("")).output()
    };
    let possible = in_disk("64k", "true").is_ok_and(|output| output.status.success());
    if !possible {
        eprintln!("no disk can be mounted here: nothing tested");
        return;
    }
    let script =
        "\"$0\" train job.toml --out disk/run --set model.hidden=[600]; echo $?; ls -A disk/run/checkpoints";
    let said = Said::new(in_disk("64k", script).unwrap());
    let words =
        "error: cannot write disk/run/checkpoints/last.safetensors: No space left on device (os error 28)\n";
    assert_eq!(said.err, words);
    assert!(
        said.out.ends_with("\n1\nbest.safetensors\n"),
        "exit code 1, no half-written checkpoint: {}",
        said.out
    );
}
