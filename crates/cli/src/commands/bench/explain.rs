use std::time::Instant;

use crucible_data::seed;
use crucible_explain::{Examples, MethodConfig, Model, methods::IntegratedGradients};
use crucible_measure::median;
use crucible_models::InputShape;
use serde_json::json;

use super::attack::{Args, SEED, Scene};
use crate::{error::CliError, output::Output, threads};

/// Integrated gradients of all pictures from black, over 50 points.
pub(super) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let Scene { model, inputs, labels } = Scene::new(args.batch as usize)?;
    let targets: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
    let on = Examples { inputs: &inputs, targets: &targets, shape, background: &[] };
    let method = MethodConfig::IntegratedGradients(IntegratedGradients {
        steps: 50,
        refine: 0,
        ..IntegratedGradients::default()
    });
    let mut times = Vec::new();
    for _ in 0..=args.runs {
        let start = Instant::now();
        method.attribute(&Model::differentiable(&model), &on, &mut seed::stream(SEED, "explain", 0))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let ms = median(&times[1..]).expect("at least one run");
    output.object(&json!({ "task": "integrated-gradients", "batch": args.batch, "ms": ms }));
    output.line(format!("Integrated gradients over 50 points, batch {}: {ms:.1} ms", args.batch));
    Ok(())
}
