//! Times a clipped sum of gradients beside the plain gradient of the same batch: `mlp` or `cnn`, the batch's size, and
//! how many times.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use crucible_data::seed;
use crucible_models::{Architecture, InputShape, Tapped, Training};
use crucible_privacy::clipping::{Clipping, clipped_sum};
use crucible_train::losses::{CrossEntropy, Loss};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, batch, times] = arguments.as_slice() else {
        return Err("usage: clipped_sum mlp|cnn BATCH TIMES".into());
    };
    let (batch, times): (usize, usize) = (batch.parse()?, times.parse()?);
    let architecture: Architecture = serde_json::from_value(json!({ "name": name }))?;
    let device = Device::flex();
    let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
    let network = architecture.init(shape, 10, &mut seed::stream(1, "weights", 0), &device)?;
    let network = burn::module::Module::train(network);
    let device = device.autodiff();
    let inputs = Tensor::<2>::random([batch, 784], Distribution::Normal(0.0, 1.0), &device);
    let targets = Tensor::<2>::random([batch, 10], Distribution::Uniform(0.0, 0.2), &device);
    let mut tap = Training { rng: seed::stream(1, "dropout", 0) };
    let loss = CrossEntropy::default();
    let (mut plain, mut clipped) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does slows both.
    for _ in 0..times {
        let start = Instant::now();
        let value = loss.forward(network.forward(inputs.clone(), &mut tap), targets.clone());
        std::hint::black_box(GradientsParams::from_grads(value.backward(), &network));
        plain.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let flat = Clipping::Flat { norm: 1.0 };
        std::hint::black_box(clipped_sum(&network, inputs.clone(), targets.clone(), &loss, flat, &mut tap)?);
        clipped.push(start.elapsed().as_secs_f64());
    }
    for (what, times) in [("plain", &mut plain), ("clipped", &mut clipped)] {
        times.sort_by(f64::total_cmp);
        println!("{what}: median {:.3} ms, fastest {:.3} ms", times[times.len() / 2] * 1e3, times[0] * 1e3);
    }
    println!(
        "ratio: median {:.2}, fastest {:.2}",
        clipped[times / 2] / plain[times / 2],
        clipped[0] / plain[0]
    );
    Ok(())
}
