use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Architecture, InputShape, Network, NoTap, Tapped,
    architectures::{ConvnetConfig, Convolution, MlpConfig},
    weights::{self, State, names::mapped},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::support::{expected, written};

fn network(architecture: &Architecture, input: InputShape, outputs: usize) -> Network {
    architecture.init(input, outputs, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex()).unwrap()
}

const PICTURE: InputShape = InputShape::Image { channels: 3, height: 8, width: 8 };

/// The convolutions of the golden VGG: one, a pooling, two, a pooling.
fn vgg(pools: [usize; 3]) -> Architecture {
    let convolution = |(channels, pool)| Convolution { channels, kernel: 3, stride: 1, padding: 1, pool };
    let conv = [4, 6, 6].into_iter().zip(pools).map(convolution).collect();
    Architecture::Convnet(ConvnetConfig { conv, hidden: vec![5], ..ConvnetConfig::default() })
}

fn state(name: &str) -> State {
    weights::open(&written(name)).unwrap().state
}

#[test]
fn a_vgg_of_torchvision_computes_the_same_here() {
    let architecture = vgg([2, 1, 2]);
    let mut expected = expected();
    for name in ["vgg", "vgg_bn"] {
        let run = expected.remove(&format!("{name}_run")).unwrap();
        let mapped = mapped(state(name), &architecture).unwrap();
        let network = mapped.assign(network(&architecture, PICTURE, 3)).unwrap_or_else(|e| panic!("{e}"));
        let input = TensorData::new(run["input"].values.clone(), run["input"].shape.clone());
        let output = network.forward(Tensor::from_data(input, &Device::flex()), &mut NoTap);
        let output = output.into_data().try_to_vec::<f32>().unwrap();
        let largest = run["output"].values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert_eq!(output.len(), 6);
        for (found, expected) in output.iter().zip(&run["output"].values) {
            assert!((found - expected).abs() < 2e-6 * largest, "{name}: {found}, {expected}");
        }
    }
}

#[test]
fn a_sequential_of_linear_layers_is_an_mlp() {
    let config = MlpConfig { hidden: vec![4], batch_norm: true, ..MlpConfig::default() };
    let architecture = Architecture::Mlp(config);
    let theirs = state("state_dict");
    let mapped = mapped(theirs.clone(), &architecture).unwrap();
    assert_eq!(mapped.state["fc2.weight"], theirs["3.weight"]);
    assert_eq!(mapped.state["bn1.running_var"], theirs["1.running_var"]);
    let network = mapped.assign(network(&architecture, InputShape::Features { count: 3 }, 2)).unwrap();
    assert_eq!(weights::collect(&network), mapped.state);
}

#[test]
fn wrappers_are_dropped_and_our_own_names_kept() {
    let architecture = vgg([2, 1, 2]);
    let plain = mapped(state("vgg"), &architecture).unwrap();
    let wrapped = state("vgg").into_iter().map(|(name, tensor)| (format!("module.model.{name}"), tensor));
    let wrapped = mapped(wrapped.collect(), &architecture).unwrap();
    assert_eq!(wrapped.state, plain.state);
    assert_eq!(wrapped.in_the_file("conv2.weight"), "module.model.features.3.weight");
    let again = mapped(plain.state.clone(), &architecture).unwrap();
    assert_eq!(again.state, plain.state);
    assert_eq!(again.in_the_file("conv2.weight"), "conv2.weight");
}

#[test]
fn what_does_not_fit_is_listed_under_the_names_of_the_file() {
    // A pooling elsewhere: `features.3` would be `features.2`.
    let architecture = vgg([1, 2, 2]);
    let error =
        mapped(state("vgg"), &architecture).unwrap().assign(network(&architecture, PICTURE, 4)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights do not fit the network; missing: features.2.bias, features.2.weight; surplus: features.3.bias, \
         features.3.weight; of another shape: classifier.3.bias is [3] in the file, [4] in the network, \
         classifier.3.weight is [3, 5] in the file, [4, 5] in the network"
    );
    let mut lacking = state("vgg_bn");
    lacking.remove("features.5.running_var");
    let lacking = lacking.into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
    let error = mapped(lacking, &vgg([2, 1, 2])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights do not fit the network; missing: module.features.5.running_var"
    );
    let mut narrow = state("vgg_bn");
    let norm = narrow.get_mut("features.1.bias").unwrap();
    (norm.shape, norm.values) = (vec![3], vec![0.0; 3]);
    let error = mapped(narrow, &vgg([2, 1, 2])).unwrap_err();
    assert!(error.to_string().contains("of another shape: features.1.bias is [3] in the file"), "{error}");
}
