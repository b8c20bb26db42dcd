use std::path::{Path, PathBuf};

use crucible_data::{Picture, animation, grid};
use crucible_train::adversarial::pictures;
use serde_json::json;

use crate::{
    error::CliError,
    gan::{GanRun, Own},
    output::{Output, Status},
    threads,
};

/// Pictures on the sheet at most.
const SHOWN: usize = 1024;
/// Milliseconds that a picture of a walk is seen.
const PACE: u16 = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder of a generator
    run: PathBuf,

    /// How many pictures
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,

    /// The class to make, by its name [default: any, drawn at random]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,

    /// What the random numbers depend on, besides the picture's own number: the same seed makes the same pictures
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// The folder to make, for 000000.png … and sheet.png
    #[arg(long, value_name = "DIR", default_value = "generated")]
    out: PathBuf,

    /// Walk from picture A to picture B of this seed in COUNT steps; walk.png shows it moving
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    interpolate: Option<Vec<u64>>,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let run = GanRun::open(&args.run)?;
    let (drawing, count) = (run.config.drawing, args.count as usize);
    let class = class(&run, args.class.as_deref())?;
    if args.interpolate.is_some() && count < 2 {
        return Err(CliError::Usage(
            "a walk from one picture to another takes at least `--count 2`".to_owned(),
        ));
    }
    make_folder(&args.out)?;
    let own = |number: u64| Own::draw(args.seed, number, drawing.latent, drawing.classes);
    let latents: Vec<f32> = match args.interpolate.as_deref() {
        Some(&[from, to]) => walk(&own(from).latent, &own(to).latent, count),
        _ => (0..count as u64).flat_map(|number| own(number).latent).collect(),
    };
    let classes: Option<Vec<u32>> = drawing.classes.map(|_| {
        // On a walk the class stays that of its beginning.
        let start = args.interpolate.as_deref().map(|ends| ends[0]);
        (0..count as u64).map(|number| class.unwrap_or_else(|| own(start.unwrap_or(number)).class)).collect()
    });
    let values = pictures(&run.generator, drawing, &latents, classes.as_deref(), &run.device);
    let shape = [drawing.channels, drawing.size, drawing.size];
    let made = values.chunks_exact(drawing.features()).map(|values| {
        let unit: Vec<f32> = values.iter().map(|value| (value + 1.0) / 2.0).collect();
        Picture::from_unit(shape, &unit)
    });
    let made: Vec<Picture> = made.collect();
    for (number, picture) in made.iter().enumerate() {
        write(&args.out.join(format!("{number:06}.png")), &picture.to_png())?;
    }
    let sheet = args.out.join("sheet.png");
    write(&sheet, &on_one_sheet(shape, &made).to_png())?;
    let labels = labels(&run, &args.out, classes.as_deref())?;
    let moving = args.interpolate.as_ref().map(|_| args.out.join("walk.png"));
    if let Some(path) = &moving {
        write(path, &animation(&there_and_back(&made), PACE))?;
    }
    output.object(&json!({
        "run": args.run, "count": count, "class": args.class, "seed": args.seed, "out": args.out, "sheet": sheet,
        "labels": labels, "animation": moving,
    }));
    output.line(format!("{count} pictures in {}, on one sheet: {}", args.out.display(), sheet.display()));
    if let Some(path) = &moving {
        output.line(format!("The walk, there and back: {}", path.display()));
    }
    Ok(Status::Done)
}

fn class(run: &GanRun, wanted: Option<&str>) -> Result<Option<u32>, CliError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let Some(classes) = run.config.classes() else {
        return Err(CliError::Usage(format!(
            "{} was trained without `gan.conditional`, and cannot be asked for a class",
            run.folder.root().display()
        )));
    };
    let place = classes.iter().position(|class| class == wanted);
    place.map(|place| Some(place as u32)).ok_or_else(|| {
        CliError::Usage(format!("there is no class `{wanted}`; there are {}", classes.join(", ")))
    })
}

/// From one latent vector to another along the arc between them, on which all lengths are as likely as at its ends (White 2016).
fn walk(from: &[f32], to: &[f32], count: usize) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let cosine = dot(from, to) / (dot(from, from) * dot(to, to)).sqrt();
    let angle = cosine.clamp(-1.0, 1.0).acos();
    let step = |step: usize| {
        let share = step as f64 / (count - 1) as f64;
        let weights = match angle.sin() {
            sine if sine > 1e-6 => [((1.0 - share) * angle).sin() / sine, (share * angle).sin() / sine],
            _ => [1.0 - share, share],
        };
        from.iter()
            .zip(to)
            .map(move |(a, b)| (weights[0] * f64::from(*a) + weights[1] * f64::from(*b)) as f32)
    };
    (0..count).flat_map(step).collect()
}

fn there_and_back(pictures: &[Picture]) -> Vec<Picture> {
    let back = pictures.iter().rev().skip(1).take(pictures.len().saturating_sub(2));
    pictures.iter().chain(back).cloned().collect()
}

fn on_one_sheet(shape: [usize; 3], pictures: &[Picture]) -> Picture {
    let shown = &pictures[..pictures.len().min(SHOWN)];
    let columns = (shown.len() as f64).sqrt().ceil() as usize;
    let rows: Vec<Vec<Option<Picture>>> =
        shown.chunks(columns).map(|row| row.iter().cloned().map(Some).collect()).collect();
    grid(shape, &rows)
}

/// Writes which picture is of which class, where they were asked for.
fn labels(run: &GanRun, folder: &Path, classes: Option<&[u32]>) -> Result<Option<PathBuf>, CliError> {
    let (Some(classes), Some(names)) = (classes, run.config.classes()) else { return Ok(None) };
    let path = folder.join("labels.csv");
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let rows = classes
        .iter()
        .enumerate()
        .map(|(number, class)| format!("{number:06}.png,{}\n", quoted(&names[*class as usize])));
    write(&path, format!("picture,class\n{}", rows.collect::<String>()).as_bytes())?;
    Ok(Some(path))
}

/// Makes a folder, or takes one that is empty: nobody's pictures are written over.
fn make_folder(path: &Path) -> Result<(), CliError> {
    let fail = |action, source| CliError::File { action, path: path.to_owned(), source };
    if path.exists() {
        let mut entries = std::fs::read_dir(path).map_err(|source| fail("read", source))?;
        if entries.next().is_some() {
            let problem = format!("{} is not empty; give another `--out`", path.display());
            return Err(CliError::Usage(problem));
        }
    }
    std::fs::create_dir_all(path).map_err(|source| fail("create", source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|source| CliError::File {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_keeps_its_ends_and_its_length() {
        let (from, to) = ([3.0, 0.0, 0.0], [0.0, 3.0, 0.0]);
        let steps = walk(&from, &to, 5);
        let rows: Vec<&[f32]> = steps.chunks(3).collect();
        for row in &rows {
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            assert!((length - 3.0).abs() < 1e-5, "{row:?}");
        }
        for (row, end) in [(rows[0], from), (rows[4], to)] {
            assert!(row.iter().zip(end).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?}");
        }
        assert!((rows[2][0] - rows[2][1]).abs() < 1e-6);
        // Where there is no arc, the points lie on a line.
        assert_eq!(walk(&[1.0, 1.0], &[1.0, 1.0], 2), [1.0; 4]);
    }
}
