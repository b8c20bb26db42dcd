//! Forms of schema beyond those of the sample recipe.

use crucible_recipe::check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

fn told<T: DeserializeOwned + Serialize + JsonSchema>(text: &str) -> String {
    match check::<T>(text, "r", &[]) {
        Ok(checked) => checked.filled,
        Err(problems) => problems.to_string(),
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Outer {
    Plain { size: u8 },
    Nested(Inner),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Inner {
    #[serde(flatten)]
    method: Method,
    depth: i8,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "lowercase")]
enum Method {
    Fast { speed: f32 },
    Slow,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Both {
    #[serde(flatten)]
    outer: Outer,
    #[serde(flatten)]
    other: Other,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "other", rename_all = "lowercase")]
enum Other {
    One,
    Two { two: String },
}

#[test]
fn tags_nest_and_stand_side_by_side() {
    let good =
        "kind = \"nested\"\nmethod = \"fast\"\nspeed = 0.1\ndepth = -3\nother = \"two\"\ntwo = \"2\"\n";
    assert_eq!(told::<Both>(good), good);
    assert_eq!(
        told::<Both>("kind = \"nested\"\nmethod = \"slow\"\nspeed = 1\nother = \"one\"\ndepth = 200"),
        "r:3:1: unknown key `speed` at the top level
    3 | speed = 1
      | ^^^^^ only with method = \"fast\", not \"slow\"; allowed: depth

r:5:9: `depth` must be an integer from -128 to 127, found 200
    5 | depth = 200
      |         ^^^"
    );
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum External {
    Unit,
    Steps(Vec<u32>),
    Named { a: bool },
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c", rename_all = "lowercase")]
enum Adjacent {
    Unit,
    Pair(u8, bool),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Share(#[schemars(range(min = 0.0, max = 1.0))] f64);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Mixed {
    external: Option<External>,
    adjacent: Option<Adjacent>,
    share: Option<Share>,
    any: Option<serde_json::Value>,
    list: Option<Vec<Method>>,
    three: Option<[bool; 3]>,
    flag: Option<bool>,
    text: Option<String>,
    letter: Option<char>,
    positive: Option<std::num::NonZeroU8>,
}

#[test]
fn other_enums_newtypes_and_any_value() {
    for good in [
        "external = \"unit\"\n",
        "[external]\nsteps = [1, 2]\n",
        "[external.named]\na = true\n",
        "[adjacent]\nt = \"unit\"\n",
        "[adjacent]\nt = \"pair\"\nc = [1, true]\n",
        "share = 0.5\n",
        "any = [1, 2.5, \"x\", { a = [] }]\n",
        "[[list]]\nmethod = \"slow\"\n\n[[list]]\nmethod = \"fast\"\nspeed = 1.5\n",
        "three = [true, false, true]\nletter = \"é\"\npositive = 1\n",
    ] {
        assert_eq!(told::<Mixed>(good), good);
    }
    assert_eq!(
        told::<Mixed>("list = [\"slow\"]\nany = 1979-05-27"),
        "any = \"1979-05-27\"\n\n[[list]]\nmethod = \"slow\"\n"
    );
    assert_eq!(
        told::<Mixed>(
            "external = \"unti\"\nshare = 2\nlist = [\"fsat\"]\nany = [nan]\nletter = \"ab\"\npositive = 0"
        ),
        "r:1:12: unknown value \"unti\" for `external`
    1 | external = \"unti\"
      |            ^^^^^^ did you mean \"unit\"? allowed: \"unit\"

r:2:9: `share` must be a number from 0 to 1, found 2
    2 | share = 2
      |         ^

r:3:9: unknown value \"fsat\" for `list[0]`
    3 | list = [\"fsat\"]
      |         ^^^^^^ did you mean \"fast\"? allowed: \"fast\", \"slow\"

r:4:8: `any[0]` must be a finite number, found NaN
    4 | any = [nan]
      |        ^^^

r:5:10: `letter` must be a string of 1 character, found the string \"ab\"
    5 | letter = \"ab\"
      |          ^^^^

r:6:12: `positive` must be an integer from 1 to 255, found 0
    6 | positive = 0
      |            ^"
    );
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Tree {
    #[serde(default)]
    children: Vec<Tree>,
}

#[test]
fn a_type_inside_itself_is_left_to_serde() {
    assert_eq!(
        told::<Tree>("children = [{ children = [{}] }]"),
        "[[children]]\n\n[[children.children]]\nchildren = []\n"
    );
    assert_eq!(
        told::<Tree>("children = [{ children = [{ children = 3 }] }]"),
        "r:1:40: `children[0].children[0].children`: invalid type: integer `3`, expected a sequence
    1 | children = [{ children = [{ children = 3 }] }]
      |                                        ^"
    );
    assert!(crucible_recipe::describe::<Tree>().iter().any(|key| key.path == "children"));
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
struct Even(u8);

impl TryFrom<u8> for Even {
    type Error = String;
    fn try_from(value: u8) -> Result<Self, String> {
        if value.is_multiple_of(2) { Ok(Self(value)) } else { Err(format!("{value} is odd")) }
    }
}

impl From<Even> for u8 {
    fn from(even: Even) -> Self {
        even.0
    }
}

impl Clone for Even {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Pairs {
    inner: Evens,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Evens {
    evens: Vec<Even>,
}

#[test]
fn serde_has_the_last_word_and_is_told_with_its_line() {
    assert_eq!(
        told::<Pairs>("[inner]\nevens = [2, 3]"),
        "r:2:13: `inner.evens[1]`: 3 is odd\n    2 | evens = [2, 3]\n      |             ^"
    );
}

#[test]
fn a_recipe_is_a_table() {
    assert_eq!(told::<u32>(""), "r: the recipe must be an integer of at least 0, found a table");
}
