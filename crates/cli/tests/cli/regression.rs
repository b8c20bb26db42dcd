//! Jobs whose target is a number.

use crate::support::Place;

fn trained() -> Place {
    let place = Place::with_tables();
    let said = place.ok(&["train", "line.toml", "--out", "run"]);
    assert!(said.out.contains("Epoch 60/60, Loss: 0.0000, Test loss: 0.0000\n"), "{}", said.out);
    assert!(said.out.contains("On 20 test examples the network predicts y within 0.0"), "{}", said.out);
    place
}

#[test]
fn a_line_is_learned_and_answered_in_its_own_units() {
    let place = trained();
    place.write("new.csv", "x\n0\n2.5\n9\n");
    let objects = place.ok(&["predict", "run", "new.csv", "--json"]).objects();
    let csv = place.ok(&["predict", "run", "new.csv", "--format", "csv"]).out;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["input", "y"]);
    let table = place.ok(&["predict", "run", "new.csv"]).out;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["input", "y"]);
    for (index, wanted) in [1.0, 6.0, 19.0].into_iter().enumerate() {
        let answer = objects[index]["values"]["y"].as_f64().unwrap();
        assert!((answer - wanted).abs() < 0.05, "{answer} for {wanted}");
        for row in [&rows[index + 1], &lines[index + 1]] {
            assert_eq!(row[0], objects[index]["input"]);
            assert!((row[1].parse::<f64>().unwrap() - answer).abs() < 1e-4, "{row:?}");
        }
    }
}

#[test]
fn errors_are_measured_in_the_units_of_the_data() {
    let place = trained();
    let object = place.ok(&["eval", "run", "--json"]).object();
    assert_eq!(object["count"], 20);
    assert_eq!(object["targets"][0][0], "y");
    assert!(object["targets"][0][1]["rmse"]["value"].as_f64().unwrap() < 0.05, "{object}");
    assert!(object.get("accuracy").is_none());
    let text = place.ok(&["eval", "run"]).out;
    assert!(text.starts_with("y on 20 test examples: root mean squared error 0.0"), "{text}");
    assert!(place.text("run/report.html").contains("Root mean squared error"));
}
