//! The progress bar: speed and time left, on the error stream, only where someone may be watching.

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
        let bar = if watched {
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8))
        } else {
            ProgressBar::hidden()
        };
        let style = "{bar:32} {percent:>3}%  step {pos}/{len}  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
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
