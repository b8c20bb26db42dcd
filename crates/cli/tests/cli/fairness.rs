//! Training under which groups are treated alike.

use std::fmt::Write;

use crate::support::{Place, noise};

/// People of two groups: the same skill, but the one's reads two thirds as high, and the label is the skill's.
fn with_people() -> Place {
    let place = Place::empty();
    let mut noise = noise(7);
    let mut text = "reading,group,hired\n".to_owned();
    for row in 0..800 {
        let (skill, first) = (noise() - 0.5, row % 2 == 0);
        let reading = if first { skill + 0.3 } else { skill } + 0.2 * (noise() - 0.5);
        let hired = if skill > 0.0 { "yes" } else { "no" };
        writeln!(text, "{reading:.4},{},{hired}", if first { "a" } else { "b" }).unwrap();
    }
    place.write("people.csv", text);
    // The group is an input, so that the network could make up for it, and a penalty can ask it to.
    place.write(
        "job.toml",
        "[data]\nsource = \"csv\"\npath = \"people.csv\"\ntarget = \"hired\"\ntest = 0.5\n[model]\nname = \"mlp\"\n\
         hidden = []\n[train]\nepochs = 5\nbatch_size = 100\nloss = \"binary-cross-entropy\"\n[train.optimizer]\nname = \
         \"adam\"\nlr = 0.03\n[audit]\ndemographic_parity_difference = { group = \"group\", max = 0.5 }\n",
    );
    place
}

fn difference(place: &Place, out: &str, more: &[&str]) -> f64 {
    place.ok(&[&["train", "job.toml", "--quiet", "--out", out], more].concat());
    let objects = place.run(&["audit", out, "--json"]).objects();
    objects[0]["value"].as_f64().unwrap()
}

#[test]
fn a_penalty_brings_groups_together() {
    let place = with_people();
    let plain = difference(&place, "plain", &[]);
    let parity = ["--set", "fairness={name=\"demographic-parity\",group=\"group\",weight=30.0}"];
    let fair = difference(&place, "fair", &parity);
    assert!(plain > 0.15 && fair < 0.6 * plain, "{plain} {fair}");
    for name in ["reweighing", "equal-opportunity", "equalized-odds"] {
        let given = format!("fairness={{name=\"{name}\",group=\"group\"}}");
        difference(&place, name, &["--set", &given]);
    }
    assert!(place.text("fair/audit.html").contains("What demographic parity costs"));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let place = with_people();
    let train = |given: &'static str| ["train", "job.toml", "--out", "run", "--set", given];
    place.refuses(
        &train("fairness={name=\"reweighing\",group=\"sex\"}"),
        2,
        "--set fairness={name=\"reweighing\",group=\"sex\"}: there is no column of texts `sex` among the inputs; there are: group",
    );
    place.refuses(
        &train("fairness={name=\"equalized-odds\",group=\"group\",favourable=\"maybe\"}"),
        2,
        "--set fairness={name=\"equalized-odds\",group=\"group\",favourable=\"maybe\"}: there is no class `maybe`; there are: \
         no, yes",
    );
    let both = ["--set", "train.privacy={epsilon=3.0,delta=0.001,clip=1.0}"];
    let said = place.run(&[&train("fairness={name=\"reweighing\",group=\"group\"}")[..], &both].concat());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err
            .contains("`fairness` compares the groups of a batch, and `train.privacy` looks at each example"),
        "{said:?}"
    );
}
