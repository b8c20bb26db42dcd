//! A folder of small data sets, and the program run in it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crucible_data::{Picture, idx};
use serde_json::Value;
use tempfile::TempDir;

/// Five epochs on `points.csv`, in a few milliseconds; every kind of state that a checkpoint must hold.
pub(crate) const JOB: &str = r#"
[data]
source = "csv"
path = "points.csv"
target = "side"
validation = 0.2

[model]
name = "mlp"
hidden = [6]
dropout = 0.2
batch_norm = true

[train]
epochs = 5
batch_size = 8
ema = 0.9

[train.optimizer]
name = "adam"
lr = 0.01
"#;

/// The same data, to be learned as numbers.
pub(crate) const LINE_JOB: &str = r#"
[data]
source = "csv"
path = "line.csv"
target = "y"

[model]
name = "mlp"
hidden = []

[train]
epochs = 60
batch_size = 8
loss = "mse"

[train.optimizer]
name = "sgd"
lr = 0.05
"#;

/// What the program said and how it ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Whatever happened, it was no panic, and what was said is text.
    pub(crate) fn new(output: Output) -> Self {
        let said = Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        for noise in ["panicked", "stack backtrace", "RUST_BACKTRACE", ".rs:"] {
            assert!(!said.err.contains(noise) && !said.out.contains(noise), "{said:?}");
        }
        said
    }

    /// Each line of standard output as an object; nothing else may be there.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let objects: Vec<Value> = self.out.lines().map(parse).collect();
        assert!(objects.iter().all(Value::is_object), "{}", self.out);
        objects
    }

    /// The only object.
    pub(crate) fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.out);
        objects.remove(0)
    }
}

/// A folder that goes when the test is over.
pub(crate) struct Place {
    root: PathBuf,
    _guard: TempDir,
}

impl Place {
    pub(crate) fn empty() -> Self {
        let guard = tempfile::tempdir().unwrap();
        Self { root: guard.path().canonicalize().unwrap(), _guard: guard }
    }

    /// With `points.csv`, `line.csv`, and a job for each.
    pub(crate) fn with_tables() -> Self {
        let place = Self::empty();
        place.write("points.csv", points());
        place.write("line.csv", line());
        place.write("job.toml", JOB);
        place.write("line.toml", LINE_JOB);
        place
    }

    /// With tables, and a finished run of `job.toml` in `run`.
    pub(crate) fn with_run() -> Self {
        let place = Self::with_tables();
        place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Replaces a text that must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{from} in {text}");
        self.write(name, text.replace(from, to));
    }

    pub(crate) fn copy(&self, from: &str, to: &str) {
        for (name, content) in self.tree(from) {
            match content {
                Some(bytes) => self.write(&format!("{to}/{name}"), bytes),
                None => std::fs::create_dir_all(self.path(&format!("{to}/{name}"))).unwrap(),
            }
        }
    }

    /// Everything under a folder: files with their bytes, folders without.
    pub(crate) fn tree(&self, folder: &str) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        list(&self.path(folder), "", &mut found);
        found
    }

    /// The program, to be run here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
        command.args(args).current_dir(&self.root).env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::new(self.command(args).output().unwrap())
    }

    /// What a call says that must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{args:?}: {said:?}");
        said
    }

    /// A call that must fail with these words, for people and for machines, and leave everything as it was.
    ///
    /// `{here}` in the words stands for this folder.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str], code: i32, words: &str) {
        let words = words.replace("{here}", &self.root.display().to_string());
        let before = self.tree("");
        let said = self.run(args);
        assert_eq!(said.err, format!("error: {words}\n"), "{args:?}");
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{args:?}");
        let said = self.run(&[args, &["--json"]].concat());
        assert_eq!((said.code, said.err.as_str()), (Some(code), ""), "{args:?}");
        let object = said.object();
        assert_eq!(object["event"], "error", "{args:?}");
        assert_eq!(object["message"], words.as_str(), "{args:?}");
        let changed: Vec<String> = difference(&before, &self.tree(""));
        assert!(changed.is_empty(), "{args:?} changed {changed:?}");
    }
}

fn list(root: &Path, under: &str, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in std::fs::read_dir(root.join(under)).unwrap() {
        let entry = entry.unwrap();
        let name = Path::new(under).join(entry.file_name()).display().to_string();
        if entry.file_type().unwrap().is_dir() {
            list(root, &name, found);
            found.insert(name, None);
        } else {
            // A link to a device has no bytes to keep.
            let bytes = entry.file_type().unwrap().is_file().then(|| std::fs::read(entry.path()).unwrap());
            found.insert(name, bytes);
        }
    }
}

fn difference(
    before: &BTreeMap<String, Option<Vec<u8>>>,
    after: &BTreeMap<String, Option<Vec<u8>>>,
) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Numbers that look random and are always the same, 0 to 1.
pub(crate) fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 31)
    }
}

/// 120 points, on the left or on the right, with a colour that does not matter.
fn points() -> String {
    let mut noise = noise(1);
    let mut text = "x,colour,side\n".to_owned();
    for row in 0..120 {
        let x = noise() * 2.0 - 1.0;
        let side = if x < 0.0 { "left" } else { "right" };
        writeln!(text, "{x:.4},{},{side}", ["red", "green", "blue"][row % 3]).unwrap();
    }
    text
}

/// `y = 2x + 1` for 100 values of `x`, 0 to 9.9.
fn line() -> String {
    (0..100).fold("x,y\n".to_owned(), |text, row| {
        let x = f64::from(row) / 10.0;
        format!("{text}{x},{}\n", 2.0 * x + 1.0)
    })
}

/// A grey picture whose left or right half is bright.
fn halves(class: usize, noise: &mut impl FnMut() -> f64) -> Vec<u8> {
    let bright = |column: usize| (column < 4) == (class == 0);
    (0..64).map(|pixel| (noise() * 80.0) as u8 + if bright(pixel % 8) { 170 } else { 0 }).collect()
}

/// An IDX folder of two classes: 80 pictures to learn from, 20 to test on.
pub(crate) fn idx_folder(place: &Place, folder: &str) {
    let mut noise = noise(2);
    for (split, count) in [("train", 80u32), ("t10k", 20)] {
        let pixels: Vec<u8> = (0..count).flat_map(|i| halves(i as usize % 2, &mut noise)).collect();
        let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        place.write(&format!("{folder}/{split}-images-idx3-ubyte"), idx::write(&[count, 8, 8], &pixels));
        place.write(&format!("{folder}/{split}-labels-idx1-ubyte"), idx::write(&[count], &labels));
    }
}

/// A PNG of 8 x 8 grey pixels.
pub(crate) fn png(class: usize, seed: u64) -> Vec<u8> {
    Picture { channels: 1, height: 8, width: 8, values: halves(class, &mut noise(seed)) }.to_png()
}

/// A folder of pictures in two classes; one picture is both in training and in test.
pub(crate) fn picture_folder(place: &Place, folder: &str) {
    for (split, count, first) in [("train", 10, 0), ("test", 4, 9)] {
        for (class, name) in ["left", "right"].into_iter().enumerate() {
            for i in first..first + count {
                let seed = 1000 * class as u64 + i;
                place.write(&format!("{folder}/{split}/{name}/{i}.png"), png(class, seed));
            }
        }
    }
}
