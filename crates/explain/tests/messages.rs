//! What is said where there is no explanation.

mod common;

use burn::tensor::Tensor;
use common::{Subject, rng, subject, wave};
use crucible_explain::{ExplainError, Layers, METHODS, MethodConfig, Model, Need};
use crucible_models::{InputShape, Network, Tap, Tapped};
use serde_json::{Value, json};

#[test]
fn errors_say_what_would_work() {
    let transformer = subject(Need::Attention, false);
    let lenet = subject(Need::Chain, false);
    let inputs = wave(144);
    let ask = |subject: &Subject, model: Model<'_>, settings: Value| {
        let method: MethodConfig = serde_json::from_value(settings).unwrap();
        let on = subject.examples(&inputs, &[0], &[]);
        method.attribute(&model, &on, &mut rng(1)).unwrap_err().to_string()
    };
    let black = |name: &str| ask(&lenet, Model::black_box(&lenet.view), json!({"name": name}));
    assert_eq!(
        black("saliency"),
        "this method needs gradients, which the model does not show; these work: occlusion, lime, kernel-shap"
    );
    assert!(black("lrp").starts_with("this method needs the network's layers"), "{}", black("lrp"));
    let chain = ask(&transformer, transformer.model(), json!({"name": "lrp"}));
    assert!(chain.contains("at `positions`") && chain.contains("integrated-gradients"), "{chain}");
    let layer = ask(&lenet, lenet.model(), json!({"name": "grad-cam", "layer": "conv9"}));
    assert_eq!(layer, "there is no convolution `conv9`; the network has conv1, conv2");
    let rollout = ask(&lenet, lenet.model(), json!({"name": "attention-rollout"}));
    assert_eq!(
        rollout,
        "the network has no attention to roll out; its layers are conv1, conv2, fc1, fc2, fc3"
    );
    let background = ask(&lenet, lenet.model(), json!({"name": "expected-gradients"}));
    assert!(background.contains("background"), "{background}");
    let stride = ask(&lenet, lenet.model(), json!({"name": "occlusion", "stride": 9}));
    assert_eq!(stride, "`stride` is 9; it must be from 1 to the window's size");
    let on = lenet.examples(&inputs, &[3], &[]);
    let class = MethodConfig::default().attribute(&lenet.model(), &on, &mut rng(1)).unwrap_err();
    assert_eq!(class, ExplainError::NoSuchClass { target: 3, classes: 3 });
    let unknown = MethodConfig::named("gradcam").unwrap_err().to_string();
    assert!(unknown.contains("grad-cam, grad-cam-plus-plus"), "{unknown}");
    assert!(serde_json::from_value::<MethodConfig>(json!({"name": "lime", "sample": 3})).is_err());
}

#[test]
fn every_method_is_listed_once_with_a_line() {
    for info in METHODS {
        assert_eq!(MethodConfig::named(info.name).unwrap().info(), info);
        assert!(info.doc.ends_with('.') && info.doc.len() < 120, "{}", info.doc);
    }
}

/// A function over the tapped layer of a network.
struct Around(Network, fn(Tensor<2>, Tensor<2>) -> Tensor<2>);

impl Tapped for Around {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let output = self.0.forward(input.clone(), tap);
        (self.1)(input, output)
    }
}

/// What a network does beside its layers is not overlooked.
#[test]
fn a_network_that_is_no_chain_is_refused() {
    let shape = InputShape::Features { count: 3 };
    let subject = Subject::new(&json!({"name": "mlp", "hidden": [3]}), shape, 3, None);
    let inputs = wave(6);
    let on = subject.examples(&inputs, &[0, 1], &[]);
    let ask = |change: fn(Tensor<2>, Tensor<2>) -> Tensor<2>| {
        let network = Around(subject.network.clone(), change);
        let (device, scaling) = (&subject.device, &subject.scaling);
        let layers = Layers { network: &network, device, scaling, outputs: 3 };
        let model = Model::layered(&subject.view, layers);
        MethodConfig::named("lrp")
            .unwrap()
            .attribute(&model, &on, &mut rng(1))
            .map(|found| found.values.len())
    };
    assert_eq!(ask(|_, output| output), Ok(6));
    let residual = ask(|input, output| input + output).unwrap_err().to_string();
    assert!(residual.contains("at `the output`") && residual.contains("lime"), "{residual}");
    let turned = ask(|_, output| output.flip([1])).unwrap_err();
    assert!(matches!(turned, ExplainError::NoChain { .. }));
}
