use crucible_models::{LayerSummary, Summary};
use crucible_report::{Block, Column, Fact, Section, Table, Value};

use super::Ending;
use crate::recipe::Recipe;

/// Layers, parameters, time and memory.
pub(super) fn section(layers: &Summary, recipe: &Recipe, ending: &Ending) -> Section {
    let batch = recipe.train.batch_size as u64;
    let states = recipe.train.optimizer.optimizer().states();
    let mebibytes = |bytes: u64| Value::quantity(bytes as f64 / f64::from(1 << 20), 1, "MiB");
    let mut facts = vec![
        Fact::new("Training time", Value::quantity(ending.seconds, 1, "s")),
        Fact::new("Steps", Value::count(ending.steps)),
        Fact::new("Parameters", Value::count(layers.parameters)),
        Fact::new("Multiply-adds for one example", Value::count(layers.multiply_adds)),
        Fact::new(
            format!("Tensors to train on a batch of {batch}"),
            mebibytes(layers.training_bytes(batch, states)),
        ),
        Fact::new("Tensors to answer one example", mebibytes(layers.inference_bytes(1))),
    ];
    if let Some(bytes) = ending.peak_memory {
        facts.push(Fact::new("Peak memory of the process, data included", mebibytes(bytes)));
    }
    Section::new("cost", "What it cost").block(Block::Facts { facts }).block(rows(&layers.layers))
}

/// A row for each layer.
pub(super) fn rows(layers: &[LayerSummary]) -> Table {
    let shape = |shape: &[usize]| shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
    let rows = layers.iter().map(|layer| {
        vec![
            Value::text(layer.name.clone()),
            Value::text(layer.kind.clone()),
            Value::text(shape(&layer.output)),
            Value::count(layer.parameters),
            Value::count(layer.multiply_adds),
        ]
    });
    Table {
        columns: vec![
            Column::left("Layer"),
            Column::left("Kind"),
            Column::left("Output"),
            Column::right("Parameters"),
            Column::right("Multiply-adds"),
        ],
        rows: rows.collect(),
        caption: "Layers in the order of the forward pass; output shape and multiply-adds for one example."
            .to_owned(),
    }
}
