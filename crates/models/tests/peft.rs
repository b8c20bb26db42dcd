//! Adapters against Hugging Face's peft: the same scores and gradients, and files that go both ways.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Activation, Architecture, InputShape, Network, NoTap, Tapped, Training,
    adapters::{
        self,
        peft::{CONFIG_FILE, Peft, TENSORS_FILE},
    },
    architectures::{BertConfig, MlpConfig, TransformerConfig, hugging_face::Pretrained},
    layers::AdapterConfig,
    weights::{self, Path, State},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const FOLDERS: [&str; 6] = ["lora", "rslora", "dora", "roberta", "distilbert", "encoder"];

fn golden(part: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(part)
}

fn text(folder: &str, name: &str) -> String {
    std::fs::read_to_string(golden("peft").join(folder).join(name)).unwrap()
}

fn expected(folder: &str) -> Value {
    serde_json::from_str(&text(folder, "expected.json")).unwrap()
}

fn adapters_of(folder: &str) -> Peft {
    let tensors = weights::open(&golden("peft").join(folder).join(TENSORS_FILE)).unwrap().state;
    Peft::read(&text(folder, CONFIG_FILE), tensors).unwrap()
}

/// The network without adapters, and the texts that both were asked about.
fn base(folder: &str) -> (Network, Tensor<2>) {
    let name = expected(folder)["base"].as_str().unwrap().to_owned();
    let root = golden("hugging_face").join(name);
    let read = |file| std::fs::read_to_string(root.join(file)).unwrap();
    let pretrained = Pretrained::read(&read("config.json"), weights::open(&root).unwrap().state).unwrap();
    let shape = InputShape::Tokens { length: 16, vocabulary: pretrained.config.vocabulary };
    let network = pretrained.network(shape, &Device::flex()).unwrap();
    let texts: Value = serde_json::from_str(&read("expected.json")).unwrap();
    let mut values = Vec::new();
    let rows = texts["ids"].as_array().unwrap();
    for row in rows {
        let start = values.len();
        values.extend(floats(row));
        values.resize(start + 16, -1.0);
    }
    (Network::Bert(network), Tensor::from_data(TensorData::new(values, [rows.len(), 16]), &Device::flex()))
}

fn floats(value: &Value) -> Vec<f32> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(floats).collect(),
        None => vec![value.as_f64().unwrap() as f32],
    }
}

fn outputs(network: &Network, x: &Tensor<2>) -> Vec<f32> {
    network.forward(x.clone(), &mut NoTap).into_data().try_to_vec().unwrap()
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
fn scores_are_those_of_peft_apart_and_merged() {
    for folder in FOLDERS {
        let ((network, x), expected) = (base(folder), expected(folder));
        let plain = outputs(&network, &x);
        let mut network = adapters_of(folder).apply(network).unwrap();
        let apart = outputs(&network, &x);
        close(folder, &apart, &floats(&expected["apart"]));
        assert!(apart.iter().zip(&plain).any(|(a, b)| (a - b).abs() > 0.01), "{folder} changes something");
        adapters::merge(&mut network);
        let merged = outputs(&network, &x);
        close(folder, &merged, &floats(&expected["merged"]));
        // There is nothing more to merge.
        let names: Vec<String> = weights::collect(&network).into_keys().collect();
        assert!(names.iter().all(|name| !name.contains("adapter")), "{names:?}");
        adapters::merge(&mut network);
        assert_eq!(outputs(&network, &x), merged);
    }
}

/// Gradients by parameter name, of those that have one.
struct Named {
    gradients: GradientsParams,
    path: Path,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Named {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.found.insert(self.path.name(), gradient.into_data().try_to_vec().unwrap());
        }
    }
}

#[test]
fn gradients_are_those_of_peft() {
    for folder in FOLDERS {
        let ((network, x), expected) = (base(folder), expected(folder));
        let network = adapters_of(folder).apply(network).unwrap().train();
        let scores = network.forward(Tensor::from_inner(x), &mut NoTap);
        let gradients = GradientsParams::from_grads((scores.clone() * scores).sum().backward(), &network);
        let mut named = Named { gradients, path: Path::default(), found: BTreeMap::new() };
        network.visit(&mut named);
        let theirs = expected["gradients"].as_object().unwrap();
        let all: BTreeMap<String, Vec<f32>> = theirs
            .iter()
            .map(|(name, values)| (name.replace("vector.weight", "vector"), floats(values)))
            .collect();
        // Their names of adapters' tensors, in the order of ours.
        let peft = Peft::of(&network.valid(), &BTreeSet::new(), "");
        let mut by_values: Vec<(&String, &Vec<f32>)> = Vec::new();
        let state = weights::collect(&network);
        for (name, tensor) in &peft.tensors {
            let ours =
                state.iter().find(|(ours, own)| ours.contains("adapter") && own.values == tensor.values);
            let Some((ours, _)) = ours else { continue };
            close(&format!("{folder}: {name}"), &named.found[ours], &all[name]);
            by_values.push((ours, &named.found[ours]));
        }
        let adapted = state.keys().filter(|name| name.contains("adapter")).count();
        assert_eq!(by_values.len(), adapted, "{folder}");
    }
}

#[test]
fn files_are_written_as_they_were_read() {
    for folder in FOLDERS {
        let (network, _) = base(folder);
        let read = adapters_of(folder);
        let adapted = read.apply(network).unwrap();
        let head = ["head.weight", "head.bias"].map(str::to_owned);
        let whole: BTreeSet<String> = if folder == "encoder" { BTreeSet::new() } else { head.into() };
        let written = Peft::of(&adapted, &whole, &read.config.base);
        assert_eq!(written.tensors, read.tensors, "{folder}");
        let again = Peft::read(&written.config.to_json(), written.tensors.clone()).unwrap();
        assert_eq!(again, written, "{folder}");
        assert_eq!(
            (again.config.adapter, again.config.classifies),
            (read.config.adapter, read.config.classifies)
        );
    }
    let targets = |folder| {
        let peft = adapters_of(folder).apply(base(folder).0).unwrap();
        Peft::of(&peft, &BTreeSet::new(), "").config.targets
    };
    assert_eq!(targets("lora"), ["query", "value"]);
    // `dense` would mean the pooler, too.
    assert!(targets("dora").contains(&"bert.encoder.layer.0.intermediate.dense".to_owned()));
}

#[test]
fn bert_base_gets_294_912_parameters() {
    let config = BertConfig { vocabulary: 10, width: 768, layers: 12, feedforward: 4, ..Default::default() };
    let shape = InputShape::Tokens { length: 8, vocabulary: 10 };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut network = Architecture::Bert(config).init(shape, 2, &mut rng, &Device::flex()).unwrap();
    let before = network.num_params();
    let config =
        AdapterConfig { rank: 8, alpha: 16.0, dropout: 0.0, rank_stabilized: false, decomposed: false };
    adapters::adapt(&mut network, &[], config, &mut rng).unwrap();
    assert_eq!(network.num_params() - before, 294_912);
}

fn mlp(activation: Activation) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = MlpConfig { hidden: vec![7, 6], activation, ..MlpConfig::default() };
    Architecture::Mlp(config).init(InputShape::Features { count: 5 }, 3, &mut rng, &Device::flex()).unwrap()
}

fn transformer() -> Network {
    let config =
        TransformerConfig { patch: 2, width: 8, heads: 2, layers: 2, feedforward: 12, ..Default::default() };
    let shape = InputShape::Image { channels: 1, height: 4, width: 4 };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    Architecture::Transformer(config).init(shape, 3, &mut rng, &Device::flex()).unwrap()
}

const CONFIG: AdapterConfig =
    AdapterConfig { rank: 2, alpha: 4.0, dropout: 0.5, rank_stabilized: false, decomposed: false };

#[test]
fn targets_are_whole_names_ends_and_parts() {
    let parts = |targets: &[&str]| {
        let mut network = transformer();
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        adapters::adapt(&mut network, &targets, CONFIG, &mut ChaCha8Rng::seed_from_u64(2)).map(|()| {
            network
                .linears()
                .iter()
                .filter_map(|layer| layer.adapter.as_ref())
                .map(|a| a.parts.len())
                .sum::<usize>()
        })
    };
    assert_eq!(parts(&[]), Ok(4));
    assert_eq!(parts(&["all-linear"]), Ok(12));
    assert_eq!(parts(&["in_proj"]), Ok(6));
    assert_eq!(parts(&["query", "layers.1.linear1"]), Ok(3));
    assert_eq!(
        parts(&["q_proj"]).unwrap_err().to_string(),
        "there is no linear layer `q_proj`; there are: query, key, value, out_proj, linear1, linear2, and `all-linear`"
    );
    assert_eq!(
        parts(&["head"]).unwrap_err().to_string(),
        "`head` is the last layer, which is trained as a whole and needs no adapter"
    );
}

/// The network with adapters that change something.
fn adapted(mut network: Network, config: AdapterConfig) -> Network {
    adapters::adapt(&mut network, &[], config, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
    let mut state = weights::collect(&network);
    for (_, tensor) in state.iter_mut().filter(|(name, _)| name.ends_with(".up")) {
        tensor.values.fill(0.3);
    }
    weights::assign(network, &state).unwrap()
}

/// As they are drawn adapters change nothing; while training, what they read drops.
#[test]
fn a_fresh_adapter_changes_nothing_and_dropout_is_its_own() {
    let x = Tensor::<2>::ones([3, 5], &Device::flex()) * 0.7;
    for decomposed in [false, true] {
        let config = AdapterConfig { decomposed, ..CONFIG };
        let mut fresh = mlp(Activation::Relu);
        let plain = outputs(&fresh, &x);
        adapters::adapt(&mut fresh, &[], config, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
        close("fresh", &outputs(&fresh, &x), &plain);

        // Of a linear network the mean over many draws is what evaluation gives.
        let network = adapted(mlp(Activation::Identity), config);
        let trained =
            |seed, x: Tensor<2>| network.forward(x, &mut Training { rng: ChaCha8Rng::seed_from_u64(seed) });
        let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(values(trained(1, x.clone())), values(trained(1, x.clone())));
        assert_ne!(values(trained(1, x.clone())), values(trained(2, x.clone())));
        let one = x.clone().narrow(0, 0, 1);
        let mean = values(trained(3, one.clone().repeat_dim(0, 40_000)).mean_dim(0));
        for (mean, evaluated) in mean.iter().zip(outputs(&network, &one)) {
            assert!((mean - evaluated).abs() < 0.01, "{mean}, not {evaluated}");
        }
    }
}

/// Networks that are not of transformers keep their own names.
#[test]
fn adapters_of_other_networks_go_through_files_too() {
    for network in [mlp(Activation::Relu), transformer()] {
        let mut adapted = network.clone();
        adapters::adapt(&mut adapted, &[], CONFIG, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
        let whole: BTreeSet<String> = weights::collect(&network)
            .into_keys()
            .filter(|name| name.starts_with("head") || name.starts_with("fc3"))
            .collect();
        let written = Peft::of(&adapted, &whole, "base");
        let read = Peft::read(&written.config.to_json(), written.tensors.clone()).unwrap();
        let again = read.apply(network).unwrap();
        assert_eq!(weights::collect(&again), weights::collect(&adapted));
    }
}

#[test]
fn what_does_not_fit_is_listed() {
    let folder = "lora";
    let good = adapters_of(folder);
    let fail = |change: &dyn Fn(&mut State)| {
        let mut peft = good.clone();
        change(&mut peft.tensors);
        peft.apply(base(folder).0).unwrap_err().to_string()
    };
    let name = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
    assert_eq!(
        fail(&|tensors| drop(tensors.remove(name))),
        format!("the weights do not fit the network; missing: {name}")
    );
    assert_eq!(
        fail(&|tensors| tensors.get_mut(name).unwrap().shape = vec![8, 4]),
        format!(
            "the weights do not fit the network; of another shape: {name} is [8, 4] in the file, [4, 8] in the network"
        )
    );
    assert_eq!(
        fail(&|tensors| drop(tensors.insert(
            "base_model.model.bert.embeddings.word_embeddings.lora_embedding_A".to_owned(),
            Default::default()
        ))),
        "the weights do not fit the network; surplus: base_model.model.bert.embeddings.word_embeddings.lora_embedding_A"
    );
    assert_eq!(
        fail(&|tensors| tensors.retain(|name, _| name.contains("classifier"))),
        "it holds no `lora_A` and `lora_B` of any layer"
    );
    let twice = good.apply(good.apply(base(folder).0).unwrap()).unwrap_err().to_string();
    assert_eq!(twice, "the network has adapters already; merge them first");
}

#[test]
fn settings_that_compute_something_else_are_refused() {
    let text = text("lora", CONFIG_FILE);
    let with = |key: &str, value: Value| {
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config[key] = value;
        Peft::read(&config.to_string(), State::new()).unwrap_err().to_string()
    };
    assert_eq!(with("peft_type", "IA3".into()), "`peft_type` is \"IA3\"; only \"LORA\" is supported");
    assert_eq!(with("fan_in_fan_out", true.into()), "`fan_in_fan_out` is true; only false is supported");
    assert_eq!(
        with("init_lora_weights", "pissa".into()),
        "`init_lora_weights` is \"pissa\"; only true, false and \"gaussian\" is supported"
    );
    assert_eq!(
        with("rank_pattern", serde_json::json!({"query": 3})),
        "`rank_pattern` is {\"query\":3}; only {} is supported"
    );
    assert_eq!(with("r", 0.into()), "`r` is 0; only a whole number from 1 to 65536 is supported");
    assert_eq!(
        with("lora_alpha", "8".into()),
        "`lora_alpha` is \"8\"; only a number that is not negative is supported"
    );
}
