//! The progress bar: speed and time left, on the error stream, only where someone may be watching.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the steps of a job, or nothing.
pub(crate) struct Progress {
    bar: ProgressBar,
    examples: u64,
    started: std::time::Instant,
}

impl Progress {
    pub(crate) fn new(watched: bool) -> Self {
        let bar = bar(watched, "{bar:32} {percent:>3}%  step {pos}/{len}  {msg}  {eta} left");
        Self { bar, examples: 0, started: std::time::Instant::now() }
    }

    pub(crate) fn start(&mut self, step: u64, steps: u64) {
        self.bar.set_length(steps);
        self.bar.set_position(step);
        self.bar.reset_eta();
        self.started = std::time::Instant::now();
    }

    pub(crate) fn step(&mut self, step: u64, examples: u64, loss: f64) {
        self.examples += examples;
        if self.bar.is_hidden() {
            return;
        }
        let speed = self.examples as f64 / self.started.elapsed().max(Duration::from_millis(1)).as_secs_f64();
        self.bar.set_message(format!("loss {loss:.4}  {speed:.0} examples/s"));
        self.bar.set_position(step);
    }

    /// Runs `print` with the bar out of the way.
    pub(crate) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What a job of many is divided into on the bar.
const PARTS: f64 = 1000.0;

/// A bar over jobs that run side by side, or nothing.
pub(crate) struct Jobs {
    bar: ProgressBar,
    /// What is done of each, in thousandths.
    parts: Vec<AtomicU64>,
}

impl Jobs {
    /// Of `count` jobs, those are still to be done that `missing` names.
    pub(crate) fn new(watched: bool, count: usize, missing: &[usize]) -> Self {
        let bar = bar(watched, "{bar:32} {percent:>3}%  {msg}  {eta} left");
        let part = |number| if missing.contains(&number) { 0 } else { PARTS as u64 };
        let jobs = Self { bar, parts: (0..count).map(|number| AtomicU64::new(part(number))).collect() };
        jobs.bar.set_length(count as u64 * PARTS as u64);
        jobs.bar.set_position(jobs.total());
        jobs.bar.reset_eta();
        jobs
    }

    fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.load(Ordering::Relaxed)).sum()
    }

    /// Notes that a share of a job is done; tells how many are done wholly.
    pub(crate) fn note(&self, number: usize, share: f64) -> usize {
        let part = (share * PARTS) as u64;
        let moved = self.parts[number].swap(part, Ordering::Relaxed) != part;
        let whole = |part: &&AtomicU64| part.load(Ordering::Relaxed) == PARTS as u64;
        let done = self.parts.iter().filter(whole).count();
        if moved && !self.bar.is_hidden() {
            self.bar.set_message(format!("{done} of {} done", self.parts.len()));
            self.bar.set_position(self.total());
        }
        done
    }

    /// Runs `print` with the bar out of the way.
    pub(crate) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over the bytes of files that come one after another, or nothing.
pub(crate) struct Download {
    bar: ProgressBar,
    file: String,
}

impl Download {
    pub(crate) fn new(watched: bool) -> Self {
        let bar = bar(watched, "{bar:32} {percent:>3}%  {msg}  {bytes} of {total_bytes}  {eta} left");
        Self { bar, file: String::new() }
    }

    /// Of a file, `done` bytes are here, of as many as `total` says, if that is known.
    pub(crate) fn show(&mut self, file: &str, done: u64, total: Option<u64>) {
        self.bar.set_position(done);
        if self.file != file {
            file.clone_into(&mut self.file);
            self.bar.set_length(total.unwrap_or(done));
            self.bar.set_message(self.file.clone());
            self.bar.reset_eta();
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over things that are done one after another, or nothing.
pub(crate) fn count(watched: bool, length: u64) -> ProgressBar {
    let bar = bar(watched, "{bar:32} {percent:>3}%  {pos} of {len}  {eta} left");
    bar.set_length(length);
    bar
}

fn bar(watched: bool, style: &str) -> ProgressBar {
    let bar = if watched {
        ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8))
    } else {
        ProgressBar::hidden()
    };
    bar.with_style(ProgressStyle::with_template(style).expect("a valid template"))
}
