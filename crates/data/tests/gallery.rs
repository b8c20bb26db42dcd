//! Bad files, each with the exact message that it earns.

use std::io::Write;
use std::path::Path;

use crucible_data::{DataConfig, Format, InputFormat, Source, Task, idx, inputs_from_bytes, load, source};
use flate2::Compression;
use flate2::write::GzEncoder;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn idx_message(bytes: &[u8], rank: usize) -> String {
    idx::read(Path::new("x"), bytes, rank).expect_err("the file is bad").to_string()
}

#[test]
fn bad_idx_files() {
    let good = idx::write(&[2, 2, 2], &[7; 8]);
    let changed = |offset: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[offset] = value;
        bytes
    };
    let mut long = good.clone();
    long.push(0);
    let huge = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
    let many = [&[0, 0, 8, 3][..], &[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2]].concat();
    let mut corrupt = gzip(&good);
    let trailer = corrupt.len() - 6;
    corrupt[trailer] ^= 1;
    let cases: [(&[u8], usize, &str); 11] = [
        (b"", 3, "x, byte 0: the file ends here, 4 bytes early"),
        (b"<htm", 3, "x, byte 0: not an IDX file: the first four bytes are [3c, 68, 74, 6d]"),
        (
            &changed(2, 0x0d),
            3,
            "x, byte 2: IDX element type is 0x0d, but only unsigned bytes (0x08) are read",
        ),
        (&good, 1, "x, byte 3: IDX data has 3 dimensions, expected 1"),
        (&good[..9], 3, "x, byte 9: the file ends here, 7 bytes early"),
        (&good[..20], 3, "x, byte 20: the file ends here, 4 bytes early"),
        (&long, 3, "x, byte 24: bytes after the end of the data"),
        (&changed(11, 0), 3, "x, byte 4: the header declares [2, 0, 2]: a dimension is zero"),
        (
            &huge,
            3,
            "x, byte 4: the header declares [4294967295, 4294967295, 4294967295], more than the limit of 4294967296 values",
        ),
        (
            &many,
            3,
            "x, byte 4: the header declares [65536, 65536, 2], more than the limit of 4294967296 values",
        ),
        (&corrupt, 3, "x, byte 24: damaged gzip data: corrupt gzip stream does not have a matching checksum"),
    ];
    for (bytes, rank, message) in cases {
        assert_eq!(idx_message(bytes, rank), message);
    }
    assert_eq!(idx_message(&gzip(&good)[..12], 3), "x, byte 1: damaged gzip data: incomplete deflate stream");
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        std::fs::write(path, bytes).expect("files can be written");
    }
}

/// The message that loading earns, with the folder's own path taken out.
fn load_message(source: Source, base: &Path) -> String {
    let config = DataConfig { test: 0.0, ..DataConfig::new(source) };
    let message = load(&config, base, 0).expect_err("the files are bad").to_string();
    message.replace(&format!("{}{}", base.display(), std::path::MAIN_SEPARATOR), "")
}

fn idx_folder(classes: Option<usize>) -> Source {
    let names = |count| (0..count).map(|class| format!("class {class}")).collect();
    Source::Idx(source::Idx { path: "d".into(), classes: classes.map(names), checksums: [].into() })
}

#[test]
fn bad_idx_folders() {
    let base = tempfile::tempdir().expect("a folder");
    let base = base.path();
    let pictures = idx::write(&[2, 1, 1], &[1, 2]);
    assert_eq!(
        load_message(idx_folder(None), base),
        "d: no file train-images-idx3-ubyte (nor with a dot before \"idx\", nor with .gz)"
    );
    write(
        base,
        &[("d/train-images.idx3-ubyte", &pictures), ("d/train-labels-idx1-ubyte", &idx::write(&[1], &[0]))],
    );
    assert_eq!(
        load_message(idx_folder(None), base),
        format!(
            "d/train-labels-idx1-ubyte, byte 4: 1 labels for 2 pictures in {}",
            base.join("d/train-images.idx3-ubyte").display()
        )
        .replace(&format!("{}/", base.display()), "")
    );
    write(base, &[("d/train-labels-idx1-ubyte", &idx::write(&[2], &[0, 9]))]);
    assert_eq!(
        load_message(idx_folder(Some(3)), base),
        "d/train-labels-idx1-ubyte, byte 9: label 9, but there are only 3 classes"
    );
    write(base, &[("d/t10k-images-idx3-ubyte", &idx::write(&[1, 2, 1], &[1, 2]))]);
    assert_eq!(
        load_message(idx_folder(None), base),
        "d: no file t10k-labels-idx1-ubyte (nor with a dot before \"idx\", nor with .gz)"
    );
    write(base, &[("d/t10k-labels-idx1-ubyte", &idx::write(&[1], &[0]))]);
    assert_eq!(
        load_message(idx_folder(None), base),
        "d/t10k-images-idx3-ubyte, byte 8: pictures are [2, 1] pixels, but the training pictures are [1, 1]"
    );
    let checksums = [("train-labels-idx1-ubyte".to_owned(), "0".repeat(64))].into();
    let pinned = Source::Idx(source::Idx { path: "d".into(), classes: None, checksums });
    // The digest is that of `sha256sum` over 00 00 08 01 00 00 00 02 00 09.
    assert_eq!(
        load_message(pinned, base),
        format!(
            "d/train-labels-idx1-ubyte: sha256 is fb65781190b94c84c6d3ef17b249527133bd1eb6b79b60af6e6218db713f30ea, but the recipe says {}",
            "0".repeat(64)
        )
    );
}

#[test]
fn bad_csv_files() {
    let base = tempfile::tempdir().expect("a folder");
    let cases: [(&[u8], &str); 20] = [
        (b"", "t.csv:1:1: no header"),
        (b"a,y\n", "t.csv:2:1: no rows"),
        (b"a,y,a\n1,2,3\n", "t.csv:1:3: column \"a\" appears twice"),
        (b"a,b\n1,2\n", "t.csv:1:1: no column \"y\"; the columns are \"a\", \"b\""),
        (b"a,y\n1,2\n3\n", "t.csv:3:2: 1 fields, but the header has 2"),
        (b"a,y\r\n1,2\r\n\r\n3,4,5\r\n", "t.csv:4:3: 3 fields, but the header has 2"),
        (b"a,y\n1,no\n\xff,yes\n", "t.csv:3:1: not UTF-8"),
        (b"a,\xe9y\n1,no\n", "t.csv:1:2: not UTF-8"),
        (b"a,y\n1,no\n2,?\n3,yes\n", "t.csv:3:2: no value for the target \"y\""),
        (b"a,y\n?,no\n,yes\n", "t.csv:1:1: column \"a\" has no value in any row; list it under `ignore`"),
        (
            b"a,y\n1,no\n2,no\n",
            "t.csv:1:2: the target \"y\" has 1 distinct values; a classification needs 2 to 10000",
        ),
        (b"y\nno\nyes\n", "t.csv:1:1: no column is left as input"),
        (b"\"a\nb\",y\n1,no\n\"2\n\n\",?\n", "t.csv:4:2: no value for the target \"y\""),
        (
            b"a,y,split\n1,no,train\n2,yes,Test\n",
            "t.csv:3:3: \"Test\" is not a split: train, validation, or test",
        ),
        (b"a,y,split\n1,no,test\n2,yes,test\n", "t: too few examples: none is left for the training split"),
        (b"\x1f\x8bgarbage", "t.csv, byte 0: damaged gzip data: unexpected end of file"),
        (b"a,y\n\n\n1,no,2\n", "t.csv:4:3: 3 fields, but the header has 2"),
        (b"a,y\r\n1,no\r\n\r\n2,?\r\n", "t.csv:4:2: no value for the target \"y\""),
        (b"\n\na,y,a\n1,2,3\n", "t.csv:3:3: column \"a\" appears twice"),
        (b"\xef\xbb\xbfa,y\n1,no\n2,no,3\n", "t.csv:3:3: 3 fields, but the header has 2"),
    ];
    for (bytes, message) in cases {
        write(base.path(), &[("t.csv", bytes)]);
        let split_column = bytes.windows(5).any(|word| word == b"split").then(|| "split".to_owned());
        let csv = source::Csv { split_column, ..source::Csv::new("t.csv", "y") };
        assert_eq!(load_message(Source::Csv(csv), base.path()), message);
    }
    let mut many = String::from("id,y\n");
    (0..2000).for_each(|row| many += &format!("name{row},{}\n", row % 2));
    write(base.path(), &[("t.csv", many.as_bytes())]);
    assert_eq!(
        load_message(Source::Csv(source::Csv::new("t.csv", "y")), base.path()),
        "t.csv:1:1: column \"id\" has more than 1000 distinct texts; list it under `ignore`"
    );
    write(base.path(), &[("few.csv", b"a,y\n1,no\n2,yes\n")]);
    let few = DataConfig::new(Source::Csv(source::Csv::new("few.csv", "y")));
    assert_eq!(
        load(&few, base.path(), 0).expect_err("a fifth of two is none").to_string(),
        "few: too few examples: none is left for the test split"
    );
    let regression =
        source::Csv { task: Some(source::TableTask::Regression), ..source::Csv::new("t.csv", "id") };
    assert_eq!(
        load_message(Source::Csv(regression), base.path()),
        "t.csv:2:1: \"name0\" is not a finite number, as column \"id\" needs"
    );
}

#[test]
fn bad_picture_folders() {
    let base = tempfile::tempdir().expect("a folder");
    let base = base.path();
    let png = crucible_data::Picture { channels: 1, height: 2, width: 2, values: vec![0, 1, 2, 3] }.to_png();
    let images =
        || Source::Images(source::Images { path: "p".into(), width: None, height: None, channels: None });
    assert!(load_message(images(), base).starts_with("p: "), "a missing folder is named");
    write(base, &[("p/cat/1.png", &png)]);
    assert_eq!(
        load_message(images(), base),
        "p: 1 subfolders, but a classification needs one for each of 2 or more classes"
    );
    write(base, &[("p/dog/notes.txt", b"x")]);
    assert_eq!(load_message(images(), base), "p/dog: no .png, .jpg, or .jpeg file");
    write(base, &[("p/dog/2.png", b"not a picture")]);
    assert_eq!(
        load_message(images(), base),
        "p/dog/2.png, byte 0: unreadable picture: neither a PNG nor a JPEG"
    );
    write(base, &[("p/dog/2.png", &png[..40])]);
    let message = load_message(images(), base);
    assert!(message.starts_with("p/dog/2.png, byte 40: unreadable picture: "), "{message}");
    // A header that declares 4,294,967,295 x 2 pixels, its checksum corrected.
    let mut huge = png.clone();
    huge[16..20].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let crc = flate2_crc(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    write(base, &[("p/dog/2.png", &huge)]);
    let message = load_message(images(), base);
    assert!(message.contains("Image size exceeds limit") || message.contains("limit"), "{message}");
    write(base, &[("p/dog/2.png", &png), ("q/train/cat/1.png", &png), ("q/train/dog/1.png", &png)]);
    write(base, &[("q/test/cat/1.png", &png), ("q/test/fox/1.png", &png)]);
    let images = source::Images { path: "q".into(), width: None, height: None, channels: None };
    assert_eq!(
        load_message(Source::Images(images), base),
        "q/test: class \"fox\" is not among the training classes"
    );
}

fn flate2_crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn bad_files_for_prediction() {
    let task = Task::Classification { classes: vec!["a".into(), "b".into()] };
    let image = InputFormat::Image { channels: 1, height: 2, width: 2, mean: vec![0.0], std: vec![1.0] };
    let damaged = InputFormat::Image { channels: 3, height: 2, width: 2, mean: vec![0.0], std: vec![1.0] };
    let numeric =
        |name: &str| crucible_data::Column::Numeric { name: name.into(), mean: 0.0, std: 1.0, fill: 0.0 };
    let table =
        InputFormat::Table { columns: vec![numeric("a"), numeric("b")], missing: vec![], delimiter: ',' };
    let message = |name: &str, bytes: &[u8], input: &InputFormat| {
        let format = Format { input: input.clone(), task: task.clone() };
        inputs_from_bytes(Path::new(name), bytes, &format).expect_err("the file is bad").to_string()
    };
    let idx_file = idx::write(&[1, 2, 2], &[0; 4]);
    assert_eq!(message("x.csv", b"a\n1\n", &image), "x.csv, byte 0: a table, but the network takes pictures");
    assert_eq!(
        message("x.bin", b"hello", &image),
        "x.bin, byte 0: neither a PNG, JPEG, or IDX picture file, nor named .csv, .tsv, or .txt"
    );
    assert_eq!(
        message("x", &idx_file, &table),
        "x, byte 0: a file of pictures, but the network takes table rows"
    );
    assert_eq!(message("x.csv", b"b\n1\n", &table), "x.csv:1:1: no column \"a\"; the columns are \"b\"");
    assert_eq!(
        message("x.csv", b"b,a\n1,2\n3,four\n", &table),
        "x.csv:3:2: \"four\" is not a finite number, as column \"a\" needs"
    );
    assert_eq!(
        message("x", &idx_file, &damaged),
        "the saved input format is damaged: 3 channels, 1 means, 1 deviations"
    );
}

#[test]
fn bad_settings_are_reported_together() {
    let csv = source::Csv {
        delimiter: 'ä',
        ignore: vec!["y".into()],
        split_column: Some("y".into()),
        ..source::Csv::new("t.csv", "y")
    };
    let config =
        DataConfig { validation: 1.5, test: f64::NAN, limit: Some(0), ..DataConfig::new(Source::Csv(csv)) };
    assert_eq!(
        load(&config, Path::new("."), 0).expect_err("the settings are bad").to_string(),
        "data.delimiter: 'ä' cannot separate fields; give one ASCII character\n\
         data.ignore: \"y\" is the target\n\
         data.split_column: \"y\" is the target\n\
         data.validation: 1.5 is not between 0 and 0.9\n\
         data.test: NaN is not between 0 and 0.9\n\
         data.limit: no example would be left"
    );
}
