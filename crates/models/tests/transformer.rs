//! The Transformer encoder against PyTorch's, names and all.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Architecture, InputShape, Network, NoTap, Tapped,
    weights::{self, HostTensor, Path, State},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

fn tensor(value: &Value) -> HostTensor {
    let list = |name: &str| value[name].as_array().unwrap().iter();
    HostTensor {
        shape: list("shape").map(|size| usize::try_from(size.as_u64().unwrap()).unwrap()).collect(),
        values: list("values").map(|value| value.as_f64().unwrap() as f32).collect(),
    }
}

fn state(value: &Value) -> State {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), tensor(value))).collect()
}

/// The gradient of each parameter by its name.
struct Named {
    gradients: GradientsParams,
    path: Path,
    found: State,
}

impl ModuleVisitor for Named {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).unwrap();
        let shape = gradient.dims().to_vec();
        let values = gradient.into_data().try_to_vec().unwrap();
        self.found.insert(self.path.name(), HostTensor { shape, values });
    }
}

fn close(what: &str, actual: &HostTensor, expected: &HostTensor) {
    assert_eq!(actual.shape, expected.shape, "{what}");
    let size = expected.values.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
    for (actual, expected) in actual.values.iter().zip(&expected.values) {
        assert!(
            (actual - expected).abs() <= 1e-5 * size,
            "{what}: {actual}, not {expected} (largest {size})"
        );
    }
}

#[test]
fn outputs_and_gradients_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("golden/transformer.json")).unwrap();
    for case in golden.as_array().unwrap() {
        let config = json!({
            "name": "transformer", "width": 8, "heads": 2, "feedforward": 12, "layers": 2,
            "norm_first": case["norm_first"],
        });
        let architecture: Architecture = serde_json::from_value(config).unwrap();
        let shape = InputShape::Sequence { length: 5, width: 8 };
        let network: Network =
            architecture.init(shape, 4, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex()).unwrap();
        let network = weights::assign(network, &state(&case["weights"])).unwrap().train();

        let input = tensor(&case["input"]);
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data(TensorData::new(input.values, [3, 40]), &device).require_grad();
        let output = network.forward(x.clone(), &mut NoTap);
        let expected = tensor(&case["output"]);
        let values = output.to_data().try_to_vec().unwrap();
        close("output", &HostTensor { shape: vec![3, 4], values }, &expected);

        let mut gradients = output.square().sum().backward();
        let by_input = x.grad_remove(&mut gradients).unwrap().into_data().try_to_vec().unwrap();
        close(
            "input",
            &HostTensor { shape: vec![3, 5, 8], values: by_input },
            &tensor(&case["input_gradient"]),
        );
        let gradients = GradientsParams::from_grads(gradients, &network);
        let mut named = Named { gradients, path: Path::default(), found: State::new() };
        network.visit(&mut named);
        let expected = state(&case["gradients"]);
        assert_eq!(named.found.len(), expected.len());
        for (name, expected) in &expected {
            close(name, &named.found[name], expected);
        }
    }
}
