//! BERT and its kin against Hugging Face's transformers, names and all.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Architecture, Graph, InputShape, Network, NoTap, Observe, Plain, Tap, Tapped, Training,
    architectures::{Bert, BertConfig, TokenPooling, hugging_face::Pretrained},
    summarize,
    weights::{self, HostTensor, Path, State, collect},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const FOLDERS: [&str; 6] =
    ["bert", "bert-classifier", "roberta", "roberta-classifier", "distilbert", "distilbert-classifier"];

fn read(folder: &str, name: &str) -> Vec<u8> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hugging_face");
    std::fs::read(root.join(folder).join(name)).unwrap()
}

fn config(folder: &str) -> String {
    String::from_utf8(read(folder, "config.json")).unwrap()
}

fn tensors(folder: &str) -> State {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hugging_face");
    weights::open(&root.join(folder)).unwrap().state
}

fn pretrained(folder: &str) -> Pretrained {
    Pretrained::read(&config(folder), tensors(folder)).unwrap()
}

fn shape(config: &BertConfig) -> InputShape {
    InputShape::Tokens { length: 16, vocabulary: config.vocabulary }
}

fn network(folder: &str) -> Bert {
    let pretrained = pretrained(folder);
    let shape = shape(&pretrained.config);
    pretrained.network(shape, &Device::flex()).unwrap()
}

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&read(folder, "expected.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(floats).collect(),
        None => vec![value.as_f64().unwrap() as f32],
    }
}

/// Rows of `width` numbers, padded.
fn inputs(expected: &Value, width: usize, device: &Device) -> Tensor<2> {
    let rows = expected["ids"].as_array().unwrap();
    let row = |ids: &Value| {
        let mut row = floats(ids);
        row.resize(width, -1.0);
        row
    };
    let values: Vec<f32> = rows.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
    for (actual, expected) in actual.iter().zip(expected) {
        assert!(
            (actual - expected).abs() <= 1e-5 * size,
            "{what}: {actual}, not {expected} (largest {size})"
        );
    }
}

#[test]
fn vectors_and_scores_are_those_of_transformers() {
    for folder in FOLDERS {
        let (network, expected) = (network(folder), expected(folder));
        let count: usize = collect(&network).values().map(|tensor| tensor.values.len()).sum();
        assert_eq!(Some(count as u64), expected["parameters"].as_u64(), "{folder}");
        let pooling = if expected["pooling"] == "cls" { TokenPooling::Cls } else { TokenPooling::Mean };
        assert_eq!(network.config().pooling, pooling, "{folder}");
        // However far the rows are padded.
        for width in [16, 19] {
            let x = inputs(&expected, width, &Device::flex());
            let vectors = floats(&expected["vectors"]);
            close(folder, &values(network.embed(x.clone(), &mut NoTap)), &vectors);
            let outputs = values(network.forward(x, &mut NoTap));
            let logits = &expected["logits"];
            close(folder, &outputs, &if logits.is_null() { vectors } else { floats(logits) });
        }
    }
}

/// A text's vector does not depend on its neighbours, and a text of padding alone has one, too.
#[test]
fn no_token_sees_padding() {
    let (network, expected) = (network("bert"), expected("bert"));
    let together = values(network.embed(inputs(&expected, 16, &Device::flex()), &mut NoTap));
    for (row, vector) in expected["ids"].as_array().unwrap().iter().zip(together.chunks_exact(8)) {
        let ids = floats(row);
        let shape = [1, ids.len()];
        let alone = Tensor::<2>::from_data(TensorData::new(ids, shape), &Device::flex());
        close("alone", &values(network.embed(alone, &mut NoTap)), vector);
    }
    let nothing = Tensor::<2>::full([1, 4], -1.0, &Device::flex());
    assert_eq!(values(network.embed(nothing, &mut NoTap)), [0.0; 8]);
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

fn gradients(network: &Bert, x: Tensor<2>, tap: &mut dyn Tap) -> State {
    let outputs = network.forward(x, tap);
    let gradients = GradientsParams::from_grads(outputs.square().sum().backward(), network);
    let mut named = Named { gradients, path: Path::default(), found: State::new() };
    network.visit(&mut named);
    named.found
}

#[test]
fn gradients_are_those_of_transformers() {
    for folder in FOLDERS.into_iter().filter(|folder| folder.ends_with("classifier")) {
        let (network, expected) = (network(folder).train(), expected(folder));
        let device = Device::flex().autodiff();
        let ours = gradients(&network, inputs(&expected, 16, &device), &mut NoTap);
        let mut theirs = pretrained(folder).family.to_theirs(&ours);
        let expected = expected["gradients"].as_object().unwrap();
        assert!(expected.len() >= 6, "{folder}");
        for (name, gradient) in expected {
            let mut ours = theirs.remove(name).unwrap_or_else(|| panic!("{folder}: {name}")).values;
            let mut theirs = floats(gradient);
            if name.ends_with("word_embeddings.weight") {
                // PyTorch keeps the padding token's vector as it is; here padding is no token.
                let padding = if folder.starts_with("roberta") { 8..16 } else { 0..8 };
                ours[padding.clone()].fill(0.0);
                theirs[padding].fill(0.0);
            }
            close(&format!("{folder}: {name}"), &ours, &theirs);
        }
    }
}

#[test]
fn names_and_values_come_back_as_they_were() {
    for folder in FOLDERS {
        let (family, before) = (pretrained(folder).family, tensors(folder));
        assert_eq!(family.to_theirs(&collect(&network(folder))), before, "{folder}");
    }
}

/// The kernels against Burn's own operations, with dropout and padding.
#[test]
fn plain_operations_give_the_same_gradients() {
    let (network, expected) = (network("bert-classifier").train(), expected("bert"));
    let x = inputs(&expected, 16, &Device::flex().autodiff());
    let training = || Training { rng: ChaCha8Rng::seed_from_u64(3) };
    let fused = gradients(&network, x.clone(), &mut training());
    let plain = gradients(&network, x.clone(), &mut Plain(training()));
    let without = gradients(&network, x, &mut NoTap);
    for (name, fused) in &fused {
        let size = plain[name].values.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
        for (a, b) in fused.values.iter().zip(&plain[name].values) {
            assert!((a - b).abs() < 1e-4 * size, "{name}: {a} {b}");
        }
        assert_ne!(fused, &without[name], "{name}: dropout drops");
    }
}

#[test]
fn every_layer_goes_through_the_tap() {
    let network = network("roberta-classifier");
    let summary = summarize(&network, 16, &Device::flex());
    let count: usize = collect(&network).values().map(|tensor| tensor.values.len()).sum();
    assert_eq!(summary.parameters, count as u64);
    let names: Vec<&str> = summary.layers.iter().map(|layer| layer.name.as_str()).collect();
    let layer = |i: usize| {
        [
            "self_attn.in_proj",
            "self_attn",
            "self_attn.out_proj",
            "dropout1",
            "norm1",
            "linear1",
            "linear2",
            "dropout2",
            "norm2",
        ]
        .map(|part| format!("layers.{i}.{part}"))
    };
    let all = ["words", "types", "positions", "norm", "drop"].map(str::to_owned).into_iter();
    let all = all.chain(layer(0)).chain(layer(1)).chain(["pooler", "drop_head", "head"].map(str::to_owned));
    assert_eq!(names, all.collect::<Vec<_>>());
    assert_eq!((summary.layers[0].kind.as_str(), &summary.layers[0].output), ("Embedding", &vec![16, 8]));

    let x = inputs(&expected("roberta"), 16, &Device::flex());
    let observed = network.forward(x.clone(), &mut Observe(|_: &crucible_models::Site<'_>, _| {}));
    assert_eq!(values(observed), values(network.forward(x, &mut NoTap)));
    assert_eq!(
        Graph::trace(&network, 16, &Device::flex()).unwrap_err().to_string(),
        "`words` looks tokens up by their numbers, and a graph holds operations on floats alone"
    );
}

#[test]
fn tensors_that_do_not_fit_are_listed_in_their_own_names() {
    let mut state = tensors("bert-classifier");
    state.remove("bert.encoder.layer.1.attention.self.key.bias");
    state.remove("classifier.bias");
    state.insert(
        "bert.encoder.layer.2.output.dense.bias".to_owned(),
        HostTensor { shape: vec![8], values: vec![0.0; 8] },
    );
    let query = state.get_mut("bert.encoder.layer.0.attention.self.query.weight").unwrap();
    query.shape = vec![4, 16];
    let pretrained = Pretrained::read(&config("bert-classifier"), state).unwrap();
    let shape = shape(&pretrained.config);
    assert_eq!(
        pretrained.network(shape, &Device::flex()).unwrap_err().to_string(),
        "the weights do not fit the network; missing: classifier.bias, encoder.layer.1.attention.self.key.bias; surplus: \
         encoder.layer.2.output.dense.bias; of another shape: encoder.layer.0.attention.self.query.weight is [4, 16] in \
         the file, [8, 8] in the network"
    );
}

#[test]
fn a_classifier_starts_from_an_encoder_or_from_another_classifier() {
    let device = Device::flex();
    let start = |folder: &str, outputs: usize, with_head: bool, pooled: bool| {
        let given = pretrained(folder);
        let mut config = given.config.clone();
        config.pooler = config.pooler.filter(|_| pooled);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let network =
            Architecture::Bert(config.clone()).init(shape(&config), outputs, &mut rng, &device).unwrap();
        (given.weights(&network, with_head), network)
    };
    for folder in FOLDERS {
        let (state, network) = start(folder, 7, false, true);
        let (mut state, own) = (state.unwrap(), collect(&network));
        assert!(own.keys().all(|name| state.contains_key(name) != name.starts_with("head.")), "{folder}");
        state.extend(own.into_iter().filter(|(name, _)| name.starts_with("head.")));
        let Network::Bert(network) = weights::assign(network, &state).unwrap() else { panic!() };
        let x = inputs(&expected(folder), 16, &device);
        let (ours, theirs) =
            (network.embed(x.clone(), &mut NoTap), self::network(folder).embed(x, &mut NoTap));
        assert_eq!(values(ours), values(theirs), "{folder}");
        // Without a pooler in the network, the file's is left out.
        assert!(start(folder, 7, false, false).0.is_ok(), "{folder}");
    }
    let (state, network) = start("bert-classifier", 3, true, true);
    let network = weights::assign(network, &state.unwrap()).unwrap();
    let x = inputs(&expected("bert-classifier"), 16, &device);
    let theirs = self::network("bert-classifier").forward(x.clone(), &mut NoTap);
    assert_eq!(values(network.forward(x, &mut NoTap)), values(theirs));
    let refused =
        |folder, outputs, with_head| start(folder, outputs, with_head, true).0.unwrap_err().to_string();
    let words = "the weights do not fit the network; of another shape: classifier.bias is [3] in the file, [4] in the \
                 network, classifier.weight is [3, 8] in the file, [4, 8] in the network";
    assert_eq!(refused("bert-classifier", 4, true), words);
    let words = "the weights do not fit the network; missing: classifier.bias, classifier.weight";
    assert_eq!(refused("bert", 4, true), words);
}

#[test]
fn a_fresh_head_is_as_transformers_has_it() {
    let given = pretrained("distilbert");
    assert_eq!(given.config.head_dropout, Some(0.2), "seq_classif_dropout");
    let text = config("bert").replace("\"classifier_dropout\": null", "\"classifier_dropout\": 0.3");
    assert_eq!(Pretrained::read(&text, tensors("bert")).unwrap().config.head_dropout, Some(0.3));
    let text = text.replace("0.3", "1.0");
    let words = "`classifier_dropout` is 1; only from 0 to below 1 is supported";
    assert_eq!(Pretrained::read(&text, State::new()).unwrap_err().to_string(), words);
    let network = Architecture::Bert(given.config.clone())
        .init(shape(&given.config), 500, &mut ChaCha8Rng::seed_from_u64(5), &Device::flex())
        .unwrap();
    let state = collect(&network);
    assert!(state["head.bias"].values.iter().all(|&bias| bias == 0.0));
    let weight = &state["head.weight"].values;
    let deviation = (weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32).sqrt();
    assert!((deviation - 0.02).abs() < 0.001, "{deviation}");
}

/// What older versions and other heads leave in a file.
#[test]
fn old_names_and_heads_for_other_tasks_are_understood() {
    let old = |name: String| match name.strip_suffix(".weight").filter(|layer| layer.ends_with("Norm")) {
        Some(layer) => format!("bert.{layer}.gamma"),
        None => match name.strip_suffix(".bias").filter(|layer| layer.ends_with("Norm")) {
            Some(layer) => format!("bert.{layer}.beta"),
            None => format!("bert.{name}"),
        },
    };
    let mut state: State = tensors("bert").into_iter().map(|(name, tensor)| (old(name), tensor)).collect();
    assert!(state.contains_key("bert.embeddings.LayerNorm.gamma"));
    for name in ["cls.predictions.bias", "bert.embeddings.position_ids", "classifier.weight"] {
        state.insert(name.to_owned(), HostTensor { shape: vec![1], values: vec![0.0] });
    }
    // As a head that tells tokens apart has no pooler.
    state.retain(|name, _| !name.contains("pooler"));
    let pretrained = Pretrained::read(&config("bert"), state).unwrap();
    assert_eq!((pretrained.outputs, pretrained.config.pooler), (0, None));
    let shape = shape(&pretrained.config);
    let (old, new) = (pretrained.network(shape, &Device::flex()).unwrap(), network("bert"));
    let x = inputs(&expected("bert"), 16, &Device::flex());
    assert_eq!(values(old.embed(x.clone(), &mut NoTap)), values(new.embed(x, &mut NoTap)));
}

#[test]
fn configurations_that_are_not_read_say_why() {
    let refused = |from: &str, to: &str| {
        let text = config("bert");
        assert!(text.contains(from), "{from}");
        Pretrained::read(&text.replace(from, to), State::new()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("\"bert\"", "\"gpt2\""),
        "`model_type` is \"gpt2\"; read are \"bert\", \"roberta\", \"xlm-roberta\" and \"distilbert\""
    );
    assert_eq!(refused("\"model_type\"", "\"kind\""), "it has no `model_type`");
    assert_eq!(
        refused("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"gelu_new\""),
        "`hidden_act` is \"gelu_new\"; only one of \"gelu\", \"relu\", \"silu\" and \"tanh\" is supported"
    );
    assert_eq!(
        refused("\"hidden_size\": 8,", "\"position_embedding_type\": \"relative_key\", \"hidden_size\": 8,"),
        "`position_embedding_type` is \"relative_key\"; only \"absolute\" is supported"
    );
    assert_eq!(refused("\"hidden_size\": 8,", ""), "missing field `hidden_size`");
    assert!(refused("{", "[").starts_with("expected"), "{}", refused("{", "["));
}
