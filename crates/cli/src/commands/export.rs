use std::path::{Path, PathBuf};

use crucible_compress::{Archive, Arithmetic, Stored, integer_graph};
use crucible_models::{Graph, Value};
use crucible_onnx::{Affine, Quantization, Weights, export};
use crucible_train::run_folder::name;
use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
    run::Run,
    texts, threads,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// Write an ONNX file, with the integers of a compressed run
    #[arg(long, value_name = "FILE", required = true)]
    onnx: PathBuf,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let run = Run::open(&args.run)?;
    texts::refuse(&run, "ONNX files are written of networks that compute with their inputs")?;
    let bytes = run.folder.read(name::MODEL)?;
    let (features, network) = (run.config.input_shape().features(), run.network.network());
    let (model, kind) = if Archive::is_one(&bytes) {
        let path = run.folder.path(name::MODEL);
        let archive =
            Archive::from_bytes(&bytes).map_err(|error| CliError::Archive { path, source: error.into() })?;
        let graph = integer_graph(network, features, &run.device)?;
        (export(&graph, Some(&quantization(&archive, &graph)))?, kind(&archive))
    } else {
        let graph =
            Graph::trace(network, features, &run.device).map_err(crucible_compress::CompressError::from)?;
        (export(&graph, None)?, "float")
    };
    write(&args.onnx, &model)?;
    output.object(&json!({ "file": args.onnx, "bytes": model.len(), "arithmetic": kind }));
    output.line(format!("Wrote {} ({} bytes, {kind}).", args.onnx.display(), model.len()));
    if kind == "float activations" {
        output.line(
            "ONNX Runtime may round the inputs of 4-bit layers to 8 bits on its own; the session entry \
             `session.qdq_matmulnbits_accuracy_level` = \"1\" forbids it.",
        );
    }
    Ok(Status::Done)
}

fn kind(archive: &Archive) -> &'static str {
    match archive.arithmetic {
        Arithmetic::Static { .. } => "integers",
        // ONNX has no range for each example.
        Arithmetic::Dynamic | Arithmetic::Float => "float activations",
    }
}

/// An archive's integers by the graph's values. Groups of 8 bits, which ONNX's own tools do not know, become floats.
fn quantization(archive: &Archive, graph: &Graph) -> Quantization {
    let values = match &archive.arithmetic {
        Arithmetic::Static { values } => {
            let all = std::iter::once(Value::Input).chain((0..graph.nodes.len()).map(Value::Node));
            let affine = |value: Value| {
                let affine = values.get(graph.name(value))?;
                Some((value, Affine { scale: affine.scale, zero: affine.zero }))
            };
            all.filter_map(affine).collect()
        }
        Arithmetic::Dynamic | Arithmetic::Float => Default::default(),
    };
    let weights = archive.tensors.iter().filter_map(|(name, stored)| {
        let weights = match stored {
            Stored::Channels(integers) => {
                Weights::Int8 { values: integers.values.clone(), scales: integers.scales.clone() }
            }
            Stored::Groups { integers, bits: 4, group } => Weights::Int4 {
                values: integers.values.clone(),
                scales: integers.scales.clone(),
                group: *group,
            },
            Stored::Groups { .. } | Stored::Coded(_) | Stored::Float(_) => return None,
        };
        Some((name.clone(), weights))
    });
    Quantization { values, weights: weights.collect(), ..Quantization::default() }
}

/// Whether a file can be written there, before the work that it is to hold the fruit of.
pub(super) fn check_place(path: &Path) -> Result<(), CliError> {
    let fail = |source| CliError::File { action: "write", path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    match std::fs::metadata(folder).map_err(fail)?.is_dir() {
        true => Ok(()),
        false => Err(fail(std::io::ErrorKind::NotADirectory.into())),
    }
}

/// Replaces the file in one moment.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|source| {
        // Best effort: the first error is the one that matters.
        let _ = std::fs::remove_file(&temporary);
        CliError::File { action: "write", path: path.to_owned(), source }
    })
}
