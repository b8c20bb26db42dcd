use std::path::{Path, PathBuf};

use crucible_data::seed;
use crucible_explain::{
    Attribution, Layers, METHODS, MethodConfig, Model,
    checks::{
        InfidelityConfig, Randomisation, RandomisationConfig, RemovalConfig, SensitivityConfig, infidelity,
        max_sensitivity, randomisation, removal,
    },
};
use crucible_models::{
    Network,
    weights::{HostTensor, State, collect, to_safetensors},
};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{
        self,
        explanation::{Explanation, Trust},
    },
    output::{Output, Status},
    question::{Asked, Question},
    run::Run,
    settings::{override_settings, settings},
    threads,
    view::View,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// How to explain; several for a comparison side by side
    #[arg(long = "method", value_name = "NAME", default_value = "integrated-gradients")]
    methods: Vec<String>,

    /// Explain the inputs of a file (picture, IDX file or table) in the place of test examples
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mistakes", "count"])]
    input: Option<PathBuf>,

    /// Explain the N test examples that the network gets wrong with the most confidence
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    mistakes: Option<u32>,

    /// Explain the first N test examples
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,

    /// Explain this class in the place of the one that the network answers
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// Where to write pictures and arrays [default: RUN/explanations]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Do not check whether the explanations are true
    #[arg(long)]
    no_checks: bool,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Override a setting of the method, such as steps=100
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// List the methods with their settings, and stop
    #[arg(long)]
    list: bool,
}

/// Examples whose explanations are checked; the checks explain each many times.
const CHECKED: usize = 8;

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output)?;
        return Ok(Status::Done);
    };
    let configs: Vec<MethodConfig> = args
        .methods
        .iter()
        .map(|name| override_settings(&MethodConfig::named(name)?, &args.set))
        .collect::<Result<_, CliError>>()?;
    threads::start(None)?;
    let run = Run::open(path)?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let view = View::new(&run, &data.train)?;
    let asked = Asked {
        file: args.input.as_deref(),
        mistakes: args.mistakes.map(|count| count as usize),
        count: args.count as usize,
        class: args.class.as_deref(),
    };
    let question = Question::new(&asked, &run, &data, &view)?;
    let scene = Scene { run: &run, view: &view, question: &question, seed: args.seed };

    let folder = args.out.clone().unwrap_or_else(|| run.folder.path("explanations"));
    let mut explanations = Vec::new();
    for config in configs {
        let attribution = scene.attribute(&config)?;
        let trust = match args.no_checks {
            true => None,
            false => Some(scene.trust(&config, &attribution)?),
        };
        explanations.push(Explanation { config, attribution, trust });
    }
    let about =
        explanations.iter().map(|explanation| explanation.config.name()).collect::<Vec<_>>().join("-");
    std::fs::create_dir_all(&folder).map_err(|source| {
        let path = folder.clone();
        CliError::File { action: "write", path, source }
    })?;
    let files: Vec<Vec<Vec<PathBuf>>> = explanations
        .iter()
        .map(|explanation| write(&folder, explanation, &question, &run))
        .collect::<Result<_, _>>()?;
    let section = findings::explanation::section(&explanations, &question, &run.config.format.input, &about);
    findings::keep(&run.folder, &format!("explain-{about}"), &section)?;
    let report = findings::refresh(&run, &recipe, &data)?;
    for (explanation, files) in explanations.iter().zip(&files) {
        for (index, files) in files.iter().enumerate() {
            let gap = explanation.attribution.gaps.as_ref().map(|gaps| gaps[index]);
            let name = explanation.config.name();
            output.object(&json!({
                "method": name, "input": question.names[index], "class": question.class(index),
                "completeness_gap": gap.map(|gap| gap.relative), "files": files,
            }));
        }
        output.line(findings::explanation::text(explanation, &question));
        if let Some(trust) = &explanation.trust {
            output.object(&json!({ "method": explanation.config.name(), "checks": trust.object() }));
        }
    }
    output.line(format!("Pictures and arrays: {}", folder.display()));
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

struct Scene<'a> {
    run: &'a Run,
    view: &'a View,
    question: &'a Question,
    seed: u64,
}

impl Scene<'_> {
    fn rng(&self, what: &str) -> ChaCha8Rng {
        seed::stream(self.seed, what, 0)
    }

    fn layers<'b>(&'b self, network: &'b Network, view: &'b View) -> Model<'b> {
        let layers = Layers {
            network,
            device: &self.run.device,
            scaling: &view.scaling,
            outputs: self.run.config.outputs,
        };
        Model::layered(&view.model, layers)
    }

    fn attribute(&self, config: &MethodConfig) -> Result<Attribution, CliError> {
        let model = self.layers(&self.run.network, self.view);
        let on = self.question.examples(self.question.targets.len());
        Ok(config.attribute(&model, &on, &mut self.rng("explain"))?)
    }

    /// Whether the method's explanations of the first few examples can be believed.
    fn trust(&self, config: &MethodConfig, attribution: &Attribution) -> Result<Trust, CliError> {
        let on = self.question.examples(self.question.targets.len().min(CHECKED));
        let model = self.layers(&self.run.network, self.view);
        let values = &attribution.values[..on.inputs.len()];
        let removal = removal(&RemovalConfig::default(), &model, &on, values, &mut self.rng("removal"))?;
        let infidelity =
            infidelity(&InfidelityConfig::default(), &model, &on, values, &mut self.rng("infidelity"))?;
        let sensitivity = max_sensitivity(
            &SensitivityConfig::default(),
            config,
            &model,
            &on,
            &mut self.rng("sensitivity"),
        )?;
        Ok(Trust { removal, infidelity, sensitivity, randomisation: self.randomise(config, &on)? })
    }

    fn randomise(
        &self,
        config: &MethodConfig,
        on: &crucible_explain::Examples<'_>,
    ) -> Result<Randomisation, CliError> {
        // Another seed than the run's own.
        let fresh = collect(&self.run.config.fresh_network(u64::MAX - self.seed, &self.run.device)?);
        let attribute = |network: &Network| {
            let view = self.view.of(network, self.run);
            let model = self.layers(network, &view);
            Ok::<_, CliError>(config.attribute(&model, on, &mut self.rng("explain"))?.values)
        };
        let features = self.question.shape.features();
        let config = RandomisationConfig::default();
        randomisation(&config, &self.run.network, &fresh, features, &self.run.device, attribute)
    }
}

/// Writes a method's arrays and a picture for each input that is one; returns the files of each input.
fn write(
    folder: &Path,
    explanation: &Explanation,
    question: &Question,
    run: &Run,
) -> Result<Vec<Vec<PathBuf>>, CliError> {
    let save = |name: String, bytes: Vec<u8>| {
        let path = folder.join(name);
        match std::fs::write(&path, bytes) {
            Ok(()) => Ok(path),
            Err(source) => Err(CliError::File { action: "write", path, source }),
        }
    };
    let shape = [&[question.targets.len()][..], &run.config.format.input.shape()].concat();
    let tensor = |values: &[f32]| HostTensor { shape: shape.clone(), values: values.to_vec() };
    let arrays: State = [("values", &explanation.attribution.values), ("inputs", &question.inputs)]
        .into_iter()
        .map(|(name, values)| (name.to_owned(), tensor(values)))
        .collect();
    let name = explanation.config.name();
    let arrays = save(format!("{name}.safetensors"), to_safetensors(&arrays, None))?;
    let files = (0..question.targets.len()).map(|index| {
        let picture = findings::explanation::overlay(explanation, question, index);
        let picture = picture.map(|picture| save(format!("{name}-{index}.png"), picture.to_png()));
        Ok([arrays.clone()].into_iter().chain(picture.transpose()?).collect())
    });
    files.collect()
}

fn list(output: &Output) -> Result<(), CliError> {
    for info in METHODS {
        let settings = settings(&MethodConfig::named(info.name)?);
        output.object(&json!({
            "name": info.name, "about": info.doc, "need": info.need, "meaning": info.meaning,
            "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!(
            "{:<22} {}\n{:22} needs {}; {}",
            info.name,
            info.doc,
            "",
            info.need,
            settings.join(" ")
        ));
    }
    Ok(())
}
