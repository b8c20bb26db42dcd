//! The gate: every check in a process of its own, one after the other.
//!
//! A check that crashes, runs out of memory or comes to no end takes only itself down, and what is measured is kept before
//! the next begins.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Asked, Subject,
    fingerprint::Fingerprint,
    judged::Judged,
    kept::{Came, Kept, place},
};
use crate::error::CliError;

/// How often it is looked whether a check has ended.
const WAIT: Duration = Duration::from_millis(10);

/// How an audit is run.
pub(crate) struct Gate<'a> {
    /// The run folder.
    pub(crate) run: &'a Path,
    /// Overrides of its recipe, which the processes are given, too.
    pub(crate) set: &'a [String],
    /// Seconds for all checks together; those that are left then are skipped.
    pub(crate) budget: Option<f64>,
    /// Measure anew what an earlier audit kept.
    pub(crate) fresh: bool,
    pub(crate) stop: &'a AtomicBool,
}

impl Gate<'_> {
    /// Measures and judges each check, and tells of it; none of those that were not reached before a stop.
    pub(crate) fn run(
        &self,
        subject: &Subject,
        checks: &[Asked],
        mut tell: impl FnMut(&Judged),
    ) -> Result<Vec<Judged>, CliError> {
        let fingerprint = Fingerprint::new(subject)?;
        let end = self.budget.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
        let mut judged = Vec::new();
        for asked in checks {
            let fingerprint = fingerprint.of(asked, subject.seed);
            let Some(one) = self.check(subject, asked, &fingerprint, end)? else { break };
            tell(&one);
            judged.push(one);
        }
        Ok(judged)
    }

    /// One check; none where the audit was stopped.
    fn check(
        &self,
        subject: &Subject,
        asked: &Asked,
        fingerprint: &str,
        end: Option<Instant>,
    ) -> Result<Option<Judged>, CliError> {
        let folder = &subject.folder;
        let kept = if self.fresh { None } else { Kept::read(folder, &asked.name, fingerprint) };
        if let Some(kept) = kept {
            return Ok(Some(Judged { kept: true, ..judge(asked, kept) }));
        }
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Some(Judged::skipped(asked, "the audit's time was over before it began", 0.0)));
        }
        let limit = Duration::from_secs(subject.limits.timeout_seconds);
        let start = Instant::now();
        let ended = self.measure(asked, limit.min(left.unwrap_or(limit)))?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(match ended {
            // Ctrl-C reaches the check, too.
            _ if self.stop.load(Ordering::Relaxed) => None,
            Ended::Came(came) => {
                let kept = Kept { fingerprint: fingerprint.to_owned(), seconds, came };
                kept.write(folder, &asked.name)?;
                Some(judge(asked, kept))
            }
            Ended::Failed(why) => Some(Judged::failed(asked, why, seconds)),
            Ended::Late => {
                let why = format!("it was stopped after {seconds:.0} s, with no result");
                Some(Judged::failed(asked, why, seconds))
            }
        })
    }

    /// Measures in a process of its own, which is ended when its time is over.
    fn measure(&self, asked: &Asked, time: Duration) -> Result<Ended, CliError> {
        let into = self.into(asked);
        let mut child = self.start(asked, &into)?;
        let words = child.stderr.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // What can be read of it; the process tells by its status that something is wrong.
                let _ = pipe.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        let status = wait(&mut child, time);
        let words = words.and_then(|words| words.join().ok()).unwrap_or_default();
        let came = std::fs::read(&into);
        let _ = std::fs::remove_file(&into);
        let Some(status) = status else { return Ok(Ended::Late) };
        let came = came.ok().filter(|_| status.success()).and_then(|came| serde_json::from_slice(&came).ok());
        Ok(came.map_or_else(|| Ended::Failed(failure(status, &words)), Ended::Came))
    }

    /// Where a process leaves what came of its check: in the run folder, under a name that no report reads.
    fn into(&self, asked: &Asked) -> PathBuf {
        let place = self.run.join(place(&asked.name));
        place.with_file_name(format!(".{}.{}", asked.name, std::process::id()))
    }

    fn start(&self, asked: &Asked, into: &Path) -> Result<Child, CliError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::File { action: "start", path, source }
        };
        let program = std::env::current_exe().map_err(fail(Path::new("crucible")))?;
        if let Some(folder) = into.parent() {
            std::fs::create_dir_all(folder).map_err(fail(folder))?;
        }
        let mut command = Command::new(&program);
        command.arg("audit").arg(self.run).arg("--measure").arg(&asked.name).arg("--into").arg(into);
        self.set.iter().for_each(|given| {
            command.arg("--set").arg(given);
        });
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(fail(&program))
    }
}

/// How a process ended.
enum Ended {
    Came(Came),
    Failed(String),
    Late,
}

/// Waits for a process, and ends it when its time is over.
fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if start.elapsed() < time => thread::sleep(WAIT),
            _ => {
                // It may have ended in the meantime, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn judge(asked: &Asked, kept: Kept) -> Judged {
    match kept.came {
        Came::Found(finding) => Judged::found(asked, finding, kept.seconds),
        Came::Skipped(why) => Judged::skipped(asked, why, kept.seconds),
    }
}

/// Why a process has left nothing, in its own words or by how it ended.
fn failure(status: ExitStatus, words: &str) -> String {
    let said = words.lines().find_map(|line| line.strip_prefix("error: "));
    let crash = words.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
    match (said, crash) {
        (Some(said), _) => said.to_owned(),
        (None, Some(crash)) => format!("it crashed: {crash}"),
        _ => format!("it ended without a result ({status}), as where memory runs out"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_comes_to_no_end_is_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = Instant::now();
        assert!(wait(&mut child, Duration::from_millis(30)).is_none());
        assert!(start.elapsed() < Duration::from_secs(10));
        let mut child = Command::new("true").spawn().unwrap();
        assert!(wait(&mut child, Duration::from_secs(60)).unwrap().success());
    }

    #[test]
    fn what_a_process_says_is_the_reason() {
        let status = ExitStatus::default();
        assert_eq!(failure(status, "warning: x\nerror: no such thing\n"), "no such thing");
        assert_eq!(
            failure(status, "\nthread 'main' panicked at a.rs:1:2:\nindex out of bounds\n"),
            "it crashed: index out of bounds"
        );
        assert!(failure(status, "").starts_with("it ended without a result"));
    }
}
