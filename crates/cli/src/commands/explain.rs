mod files;
mod survey;

use std::path::PathBuf;

use crucible_data::{InputFormat, seed};
use crucible_explain::{
    Attribution, ExplainError, Layers, METHODS, MethodConfig, Model, Need, SURVEYS, SurveyConfig,
    checks::{
        InfidelityConfig, Randomisation, RandomisationConfig, RemovalConfig, SensitivityConfig, infidelity,
        max_sensitivity, randomisation, removal,
    },
};
use crucible_models::{
    Network,
    weights::{HostTensor, State, collect},
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
    texts, threads,
    view::{self, View},
};
use files::{Arrays, Files};
use survey::Survey;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// How to explain: single inputs, several methods for a comparison side by side, or the data as a whole
    /// (permutation-importance, partial-dependence, prototypes); --list tells more
    #[arg(long = "method", value_name = "NAME", default_value = "integrated-gradients")]
    methods: Vec<String>,

    /// Explain the inputs of a file (picture, IDX file or table) in the place of test examples
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mistakes", "count"])]
    input: Option<PathBuf>,

    /// Explain the N test examples that the network gets wrong with the most confidence
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    mistakes: Option<u32>,

    /// Explain the first N test examples [default: 8; all where the data are explained as a whole]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// Explain this class in the place of the one that the network answers; for partial-dependence, of the last class
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// Where to write pictures and arrays [default: RUN/explanations]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The form of arrays
    #[arg(long, value_enum, default_value_t = Arrays::Safetensors)]
    arrays: Arrays,

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
/// Examples that are explained where nobody says how many, and at most.
const COUNT: u32 = 8;
const MOST: u32 = 10_000;

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output)?;
        return Ok(Status::Done);
    };
    let plan = Plan::new(&args)?;
    threads::start(None)?;
    let run = Run::open(path)?;
    plan.check(&run)?;
    if !plan.methods.is_empty() || plan.surveys.iter().any(|survey| survey.info().tables) {
        let what = "explanations say what each value of an input does, except for `prototypes`, which shows whole texts";
        texts::refuse(&run, what)?;
    }
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let view = View::new(&run, &data.train)?;
    let folder = args.out.clone().unwrap_or_else(|| run.folder.path("explanations"));
    let files = Files { folder, arrays: args.arrays };

    let mut said = Vec::new();
    if !plan.methods.is_empty() {
        let asked = Asked {
            file: args.input.as_deref(),
            mistakes: args.mistakes.map(|count| count as usize),
            count: args.count.unwrap_or(COUNT) as usize,
            class: args.class.as_deref(),
        };
        let question = Question::new(&asked, &run, &data, &view)?;
        let scene = Scene { run: &run, view: &view, question: &question, seed: args.seed };
        said.extend(scene.explain(plan.methods, !args.no_checks, &files)?);
    }
    if !plan.surveys.is_empty() {
        let class = args.class.as_deref().map(|name| view::class(&view.classes, name)).transpose()?;
        let split = data.splits().last().expect("the training split is always there");
        let count = args.count.map(|count| count as usize);
        let survey = Survey::new(&run, &view, split, count, class, &files, args.seed);
        for config in &plan.surveys {
            said.push(survey.take(config)?);
        }
    }
    let report = findings::refresh(&run, &recipe, &data)?;
    for said in said {
        said.objects.iter().for_each(|object| output.object(object));
        output.line(said.text);
    }
    output.line(format!("Pictures and arrays: {}", files.folder.display()));
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

/// What an explanation says, for machines and for people.
struct Said {
    objects: Vec<serde_json::Value>,
    text: String,
}

impl Said {
    /// Every object names the files.
    fn new(mut objects: Vec<serde_json::Value>, files: &[PathBuf], text: String) -> Self {
        objects.iter_mut().for_each(|object| object["files"] = json!(files));
        Self { objects, text }
    }
}

/// What is asked for: explanations of single inputs, and of the data as a whole.
struct Plan {
    methods: Vec<MethodConfig>,
    surveys: Vec<SurveyConfig>,
}

impl Plan {
    fn new(args: &Args) -> Result<Self, CliError> {
        let (mut methods, mut surveys) = (Vec::new(), Vec::new());
        for name in &args.methods {
            match SurveyConfig::named(name) {
                Some(config) => surveys.push(override_settings(&config, &args.set)?),
                None => methods.push(override_settings(&method(name)?, &args.set)?),
            }
        }
        let plan = Self { methods, surveys };
        for survey in &plan.surveys {
            survey.check()?;
            let name = survey.info().name;
            if args.input.is_some() || args.mistakes.is_some() {
                return Err(CliError::Usage(format!(
                    "{name} explains the data as a whole; --input and --mistakes pick single inputs for other methods"
                )));
            }
            if args.class.is_some() && matches!(survey, SurveyConfig::PermutationImportance(_)) {
                return Err(CliError::Usage(format!(
                    "{name} asks about all classes at once; leave out --class"
                )));
            }
        }
        if let Some(count) = args.count.filter(|count| *count > MOST && !plan.methods.is_empty()) {
            return Err(CliError::Usage(format!("--count is {count}; at most {MOST} inputs are explained")));
        }
        Ok(plan)
    }

    /// Refuses what pictures have no answer to.
    fn check(&self, run: &Run) -> Result<(), CliError> {
        let pictures = matches!(run.config.format.input, InputFormat::Image { .. });
        match self.surveys.iter().map(SurveyConfig::info).find(|info| info.tables && pictures) {
            None => Ok(()),
            Some(info) => {
                let simple =
                    METHODS.iter().filter(|info| matches!(info.need, Need::Scores | Need::Gradients));
                let whole = SURVEYS.iter().filter(|info| !info.tables).map(|info| info.name);
                let works: Vec<&str> = simple.map(|info| info.name).chain(whole).collect();
                Err(CliError::Usage(format!(
                    "{} is for the columns of a table, and this run reads pictures; these work: {}",
                    info.name,
                    works.join(", ")
                )))
            }
        }
    }
}

/// The method of this name with its defaults.
fn method(name: &str) -> Result<MethodConfig, ExplainError> {
    MethodConfig::named(name).map_err(|error| match error {
        ExplainError::NoSuchMethod { name, known } => {
            let surveys = SURVEYS.iter().map(|info| info.name);
            ExplainError::NoSuchMethod { name, known: known.into_iter().chain(surveys).collect() }
        }
        error => error,
    })
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

    /// Explains the inputs by each method, and leaves a section for the report.
    fn explain(
        &self,
        configs: Vec<MethodConfig>,
        checks: bool,
        files: &Files,
    ) -> Result<Vec<Said>, CliError> {
        let mut explanations = Vec::new();
        for config in configs {
            let attribution = self.attribute(&config)?;
            let trust = checks.then(|| self.trust(&config, &attribution)).transpose()?;
            explanations.push(Explanation { config, attribution, trust });
        }
        let names: Vec<&str> = explanations.iter().map(|explanation| explanation.config.name()).collect();
        let about = names.join("-");
        let said = explanations.iter().map(|explanation| self.say(explanation, files));
        let said = said.collect::<Result<_, _>>()?;
        let format = &self.run.config.format.input;
        let section = findings::explanation::section(&explanations, self.question, format, &about);
        findings::keep(&self.run.folder, &format!("explain-{about}"), &section)?;
        Ok(said)
    }

    /// Writes a method's arrays and a picture for each input, and says what was found.
    fn say(&self, explanation: &Explanation, files: &Files) -> Result<Said, CliError> {
        let (question, name) = (self.question, explanation.config.name());
        let shape = [&[question.targets.len()][..], &self.run.config.format.input.shape()].concat();
        let tensor = |values: &[f32]| HostTensor { shape: shape.clone(), values: values.to_vec() };
        let arrays: State = [("values", &explanation.attribution.values), ("inputs", &question.inputs)]
            .into_iter()
            .map(|(name, values)| (name.to_owned(), tensor(values)))
            .collect();
        let arrays = files.save_arrays(name, &arrays)?;
        let mut objects = Vec::new();
        for index in 0..question.targets.len() {
            let file = format!("{name}-{index}");
            let picture = match findings::explanation::overlay(explanation, question, index) {
                Some(picture) => Some(files.save(&format!("{file}.png"), &picture.to_png())?),
                None => {
                    let format = &self.run.config.format.input;
                    let bars = findings::explanation::bars(explanation, question, index, format);
                    files.save_figure(&file, &bars)?
                }
            };
            let gap = explanation.attribution.gaps.as_ref().map(|gaps| gaps[index]);
            let files: Vec<&PathBuf> = arrays.iter().chain(&picture).collect();
            objects.push(json!({
                "method": name, "input": question.names[index], "class": question.class(index),
                "completeness_gap": gap.map(|gap| gap.relative), "files": files,
            }));
        }
        if let Some(trust) = &explanation.trust {
            objects.push(json!({ "method": name, "checks": trust.object() }));
        }
        Ok(Said { objects, text: findings::explanation::text(explanation, question) })
    }

    fn attribute(&self, config: &MethodConfig) -> Result<Attribution, CliError> {
        let model = self.layers(self.run.network.network(), self.view);
        let on = self.question.examples(self.question.targets.len());
        Ok(config.attribute(&model, &on, &mut self.rng("explain"))?)
    }

    /// Whether the method's explanations of the first few examples can be believed.
    fn trust(&self, config: &MethodConfig, attribution: &Attribution) -> Result<Trust, CliError> {
        let on = self.question.examples(self.question.targets.len().min(CHECKED));
        let model = self.layers(self.run.network.network(), self.view);
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
        randomisation(&config, self.run.network.network(), &fresh, features, &self.run.device, attribute)
    }
}

fn list(output: &Output) -> Result<(), CliError> {
    let say = |name: &str, doc: &str, need: &str, settings: &[(String, String)]| {
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!("{name:<22} {doc}\n{:22} needs {need}; {}", "", settings.join(" ")));
    };
    let keyed = |settings: &[(String, String)]| {
        settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()
    };
    for info in METHODS {
        let settings = settings(&MethodConfig::named(info.name)?);
        output.object(&json!({
            "name": info.name, "about": info.doc, "explains": "inputs", "need": info.need, "meaning": info.meaning,
            "settings": keyed(&settings),
        }));
        say(info.name, info.doc, &info.need.to_string(), &settings);
    }
    for info in SURVEYS {
        let settings = settings(&SurveyConfig::named(info.name));
        let need = if info.tables { "table" } else { "features" };
        output.object(&json!({
            "name": info.name, "about": info.doc, "explains": "data", "need": need, "settings": keyed(&settings),
        }));
        let need = if info.tables { "a table, of which it takes all rows" } else { "all examples" };
        say(info.name, info.doc, need, &settings);
    }
    Ok(())
}
