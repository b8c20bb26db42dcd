use std::path::{Path, PathBuf};

use burn::tensor::Device;
use crucible_models::{
    InputShape, Network,
    adapters::{
        self,
        peft::{CONFIG_FILE, Peft, TENSORS_FILE},
    },
    architectures::hugging_face::{Family, Pretrained},
    weights::{self, State},
};
use crucible_train::run_folder::name;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    error::CliError,
    output::{Output, Status},
    pretrained::{self, CONFIG},
};

const WEIGHTS: &str = "model.safetensors";
/// The key of `config.json` under which the SHA-256 of each adapter's file stands that was merged.
const MERGED: &str = "merged_adapters";
/// What is taken along as it is.
const COMPANIONS: [&str; 10] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An encoder's folder of Hugging Face's: config.json and weights
    model: PathBuf,

    /// Adapters that belong to it: a folder of peft's, or a run that was trained by LoRA
    adapter: PathBuf,

    /// The folder to make, of Hugging Face's, too
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    if args.model.join(name::RECIPE).exists() {
        let problem =
            "it is a run, whose adapters are merged already; give the encoder's folder that it started from";
        return Err(CliError::NoModel { path: args.model.clone(), problem: problem.to_owned() });
    }
    if args.out.read_dir().is_ok_and(|mut files| files.next().is_some()) || args.out.is_file() {
        return Err(CliError::Usage(format!("{} exists and is not empty", args.out.display())));
    }
    let (peft, digest) = open(&args.adapter)?;
    let text = pretrained::config(&args.model)?;
    let mut config: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| CliError::Usage(format!("{}: {error}", args.model.join(CONFIG).display())))?;
    let merged = config.entry(MERGED).or_insert_with(|| json!([]));
    let Some(list) = merged.as_array_mut().filter(|list| !list.contains(&json!(digest))) else {
        return Err(CliError::Usage(format!(
            "{} is merged into {} already",
            args.adapter.display(),
            args.model.display()
        )));
    };
    list.push(json!(digest));

    let mut state = weights::open(&args.model)?.state;
    state.extend(peft.whole());
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| CliError::Pretrained { path, source }
    };
    let pretrained = Pretrained::read(&text, state).map_err(fail(&args.model.join(CONFIG)))?;
    let (family, outputs, sizes) = (pretrained.family, pretrained.outputs, pretrained.config.clone());
    let input = InputShape::Tokens { length: sizes.places(), vocabulary: sizes.vocabulary };
    let network = pretrained.network(input, &Device::flex()).map_err(fail(&args.model))?;
    let adapted = peft.apply(Network::Bert(network));
    let mut network = adapted.map_err(|source| CliError::Adapters { path: args.adapter.clone(), source })?;
    adapters::merge(&mut network);
    classify(&mut config, family, outputs);
    let state = family.to_theirs(&weights::collect(&network));
    write(args, &config, &state)?;
    output.object(&json!({ "model": args.out, "tensors": state.len(), "classes": outputs }));
    output.line(format!("Wrote {}: the weights with what the adapters learned.", args.out.display()));
    Ok(Status::Done)
}

/// Adapters, and the SHA-256 of their file.
fn open(folder: &Path) -> Result<(Peft, String), CliError> {
    let own = folder.join(name::ADAPTER_CONFIG);
    let root = if own.is_file() { folder.join("adapter") } else { folder.to_owned() };
    let missing = |name: &str| {
        let problem = format!("it has no {name}; a folder of peft's and a run that was trained by LoRA have");
        CliError::NoAdapters { path: folder.to_owned(), problem }
    };
    let files = [TENSORS_FILE, "adapter_model.bin"].map(|name| root.join(name));
    let tensors = files.into_iter().find(|path| path.is_file()).ok_or_else(|| missing(TENSORS_FILE))?;
    let config = root.join(CONFIG_FILE);
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| CliError::File { action: "read", path: path.to_owned(), source })
    };
    if !config.is_file() {
        return Err(missing(CONFIG_FILE));
    }
    let text = String::from_utf8_lossy(&read(&config)?).into_owned();
    let digest = Sha256::digest(read(&tensors)?).iter().map(|byte| format!("{byte:02x}")).collect();
    let peft = Peft::read(&text, weights::open(&tensors)?.state)
        .map_err(|source| CliError::Adapters { path: config, source: source.into() })?;
    Ok((peft, digest))
}

/// Says that the network is a classifier, where it is.
fn classify(config: &mut Map<String, Value>, family: Family, outputs: usize) {
    if outputs == 0 {
        return;
    }
    config.insert("architectures".to_owned(), json!([family.classifier()]));
    let named = config.get("id2label").and_then(Value::as_object).is_some_and(|names| names.len() == outputs);
    if !named {
        let label = |class: usize| format!("LABEL_{class}");
        let names: Map<String, Value> = (0..outputs).map(|c| (c.to_string(), json!(label(c)))).collect();
        let numbers: Map<String, Value> = (0..outputs).map(|c| (label(c), json!(c))).collect();
        config.insert("id2label".to_owned(), Value::Object(names));
        config.insert("label2id".to_owned(), Value::Object(numbers));
    }
}

/// The folder appears whole or not at all.
fn write(args: &Args, config: &Map<String, Value>, state: &State) -> Result<(), CliError> {
    let fail = |source| CliError::File { action: "write", path: args.out.clone(), source };
    let name = args.out.file_name().unwrap_or_default().to_string_lossy();
    let temporary = args.out.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let made = || -> std::io::Result<()> {
        std::fs::create_dir_all(&temporary)?;
        std::fs::write(temporary.join(CONFIG), serde_json::to_vec_pretty(config)?)?;
        let bytes = weights::to_safetensors(state, Some(("format", "pt".to_owned())));
        std::fs::write(temporary.join(WEIGHTS), bytes)?;
        for companion in COMPANIONS.into_iter().filter(|name| args.model.join(name).is_file()) {
            let to = temporary.join(companion);
            std::fs::create_dir_all(to.parent().unwrap_or(&temporary))?;
            std::fs::copy(args.model.join(companion), to)?;
        }
        // Renaming replaces an empty folder and refuses any other.
        std::fs::rename(&temporary, &args.out)
    };
    made().map_err(|error| {
        // Best effort: the first error is the one that matters.
        let _ = std::fs::remove_dir_all(&temporary);
        fail(error)
    })
}
