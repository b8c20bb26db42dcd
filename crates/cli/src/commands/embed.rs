mod folder;

use std::path::PathBuf;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{padded, texts_from_file};
use crucible_models::{
    NoTap,
    architectures::{Bert, TokenPooling},
    weights::{HostTensor, State, to_safetensors},
};
use serde_json::json;

use super::export::{check_place, write};
use crate::{
    error::CliError,
    output::{Output, Status},
    pretrained, progress, threads,
};
use folder::Folder;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder with config.json, model.safetensors and tokenizer.json, as Hugging Face has them, or its name on the hub,
    /// hf:owner/name
    model: PathBuf,

    /// Texts: a table (.csv, .tsv) or JSON lines (.jsonl), gzipped or not
    file: PathBuf,

    /// The column that holds the texts
    #[arg(long, default_value = "text")]
    column: String,

    /// Where to write the tensor `embeddings`, [rows, width]
    #[arg(long, value_name = "FILE", default_value = "embeddings.safetensors")]
    out: PathBuf,

    /// Which vector stands for a text: the mean over its tokens, or the first one's [default: what the folder says, else
    /// mean]
    #[arg(long, value_enum)]
    pooling: Option<Pooling>,

    /// Leave the vectors as long as they are, in place of 1
    #[arg(long)]
    no_normalize: bool,

    /// Write the tensor `tokens`, too: each text's numbers, padded with −1
    #[arg(long)]
    tokens: bool,

    /// Cut texts to this many tokens [default: what the folder says, else what the network has places for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,

    /// Texts that go through the network at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,

    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pooling {
    Mean,
    Cls,
}

impl From<Pooling> for TokenPooling {
    fn from(pooling: Pooling) -> Self {
        match pooling {
            Pooling::Mean => Self::Mean,
            Pooling::Cls => Self::Cls,
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(args.threads)?;
    check_place(&args.out)?;
    let model =
        pretrained::folder(&args.model, &folder::WANTED, output.is_watched(), |note| output.line(note))?;
    let folder = Folder::open(&model, args.pooling.map(Into::into), args.max_tokens)?;
    let texts = texts_from_file(&args.file, &args.column)?;
    let device = Device::flex();
    let max_tokens = folder.max_tokens;
    let (network, tokenizer) = folder.load(&device)?;
    let started = Instant::now();
    let tokens = tokenizer.encode(&texts)?;
    let width = network.config().width;
    let mut values = vectors(&network, &tokens.texts, args.batch as usize, output, &device)?;
    if !args.no_normalize {
        values.chunks_exact_mut(width).for_each(normalize);
    }
    let seconds = started.elapsed().as_secs_f64();

    let embeddings = HostTensor { shape: vec![texts.len(), width], values };
    let mut state = State::from([("embeddings".to_owned(), embeddings)]);
    if args.tokens {
        let longest = tokens.texts.iter().map(Vec::len).max().unwrap_or(0);
        let values = padded(tokens.texts.iter().map(Vec::as_slice), longest);
        state.insert("tokens".to_owned(), HostTensor { shape: vec![texts.len(), longest], values });
    }
    write(&args.out, &to_safetensors(&state, Some(("format", "pt".to_owned()))))?;
    let count: usize = tokens.texts.iter().map(Vec::len).sum();
    output.object(&json!({
        "file": args.out, "rows": texts.len(), "width": width, "tokens": count, "cut": tokens.cut,
        "max_tokens": max_tokens, "pooling": network.config().pooling, "normalized": !args.no_normalize,
        "seconds": seconds,
    }));
    output.line(format!(
        "Wrote {}: {} vectors of {width} features, {:.0} texts a second.",
        args.out.display(),
        texts.len(),
        texts.len() as f64 / seconds
    ));
    if tokens.cut > 0 {
        output.line(format!("Cut to {max_tokens} tokens: {} of {} texts.", tokens.cut, texts.len()));
    }
    Ok(Status::Done)
}

/// The texts' vectors in the order of the texts. Batches are of texts of like length, the longest first, so that little
/// of them is padding and memory does not grow.
fn vectors(
    network: &Bert,
    texts: &[Vec<u32>],
    batch: usize,
    output: &Output,
    device: &Device,
) -> Result<Vec<f32>, CliError> {
    let width = network.config().width;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&text| std::cmp::Reverse(texts[text].len()));
    let threads = rayon::current_num_threads();
    let parts: Vec<&[usize]> = order.chunks(batch.min(texts.len().div_ceil(threads))).collect();
    let (bar, next) = (progress::count(output.is_watched(), texts.len() as u64), AtomicUsize::new(0));
    let values = Mutex::new(vec![0.0; texts.len() * width]);
    each_on_its_own(threads.min(parts.len()), || {
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = forward(network, part.iter().map(|&text| texts[text].as_slice()), device);
            let mut values = values.lock().expect("no thread panics with it");
            for (&text, vector) in part.iter().zip(found.chunks_exact(width)) {
                values[text * width..][..width].copy_from_slice(vector);
            }
            bar.inc(part.len() as u64);
        }
    })?;
    bar.finish_and_clear();
    Ok(values.into_inner().expect("no thread panics with it"))
}

/// Runs `work` on `count` threads that share nothing: within a batch they would wait for each other at each product. One
/// alone shares its work among all.
fn each_on_its_own(count: usize, work: impl Fn() + Sync) -> Result<(), CliError> {
    if count <= 1 {
        work();
        return Ok(());
    }
    let threads = (0..count).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
    let threads = threads.collect::<Result<Vec<_>, _>>();
    let threads = threads.map_err(|error| CliError::Usage(format!("threads: {error}")))?;
    std::thread::scope(|scope| {
        for thread in &threads {
            scope.spawn(|| thread.install(&work));
        }
    });
    Ok(())
}

/// The vectors of one batch.
fn forward<'a>(network: &Bert, texts: impl Iterator<Item = &'a [u32]> + Clone, device: &Device) -> Vec<f32> {
    let (count, length) = (texts.clone().count(), texts.clone().map(<[u32]>::len).max().unwrap_or(0).max(1));
    let input = Tensor::<2>::from_data(TensorData::new(padded(texts, length), [count, length]), device);
    let found = network.embed(input, &mut NoTap).into_data();
    found.try_to_vec::<f32>().expect("networks here hold f32")
}

/// Length 1; a vector of zeros stays one.
fn normalize(vector: &mut [f32]) {
    let norm = vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
}
