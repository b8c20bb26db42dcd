//! The logits of a run's network for inputs in a file, so that others can be held against them.
//!
//! `logits RUN IN.safetensors OUT.safetensors`: `inputs` in, `logits` out, both `[examples, values]`.
//! `benches/pytorch_logits.py` runs it.

use std::collections::BTreeMap;
use std::error::Error;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Architecture, InputShape, NoTap, Tapped,
    weights::{self, HostTensor},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    architecture: Architecture,
    outputs: usize,
    format: Format,
}

#[derive(Deserialize)]
struct Format {
    input: InputShape,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, input, output] = arguments.as_slice() else { return Err("usage: logits RUN IN OUT".into()) };
    let config: Config = serde_json::from_slice(&std::fs::read(format!("{run}/config.json"))?)?;
    let device = Device::flex();
    // The fresh weights are all replaced by the run's.
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let network = config.architecture.init(config.format.input, config.outputs, &mut rng, &device)?;
    let (state, _) =
        weights::from_safetensors(&std::fs::read(format!("{run}/model.safetensors"))?, "format")?;
    let network = weights::assign(network, &state)?;

    let (mut tensors, _) = weights::from_safetensors(&std::fs::read(input)?, "format")?;
    let HostTensor { shape, values } = tensors.remove("inputs").ok_or("no tensor `inputs`")?;
    let inputs = Tensor::<2>::from_data(TensorData::new(values, shape), &device);
    let logits = network.forward(inputs, &mut NoTap);
    let shape = logits.dims().to_vec();
    let values = logits.into_data().try_to_vec::<f32>().map_err(|e| format!("{e:?}"))?;
    let state = BTreeMap::from([("logits".to_owned(), HostTensor { shape, values })]);
    std::fs::write(output, weights::to_safetensors(&state, None))?;
    Ok(())
}
