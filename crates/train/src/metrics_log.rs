//! The two logs that grow with the run: JSON lines and TensorBoard events.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

use serde::Serialize;

use crate::{EpochRecord, RunFolder, TrainError, run_folder::name, tensorboard};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'a> {
    Step { step: u64, loss: f64, lr: f64 },
    Epoch(&'a EpochRecord),
}

/// Both logs, open at their ends.
pub(crate) struct MetricsLog {
    metrics: Log,
    events: Log,
}

impl MetricsLog {
    /// Opens both logs and cuts them back to the lengths that a checkpoint knows of (0 for a new run).
    pub(crate) fn open(
        folder: &RunFolder,
        metrics_bytes: u64,
        events_bytes: u64,
        now: f64,
    ) -> Result<Self, TrainError> {
        let mut log = Self {
            metrics: Log::open(folder, name::METRICS, metrics_bytes)?,
            events: Log::open(folder, name::EVENTS, events_bytes)?,
        };
        if log.events.length == 0 {
            log.events.append(&tensorboard::header(now))?;
        }
        Ok(log)
    }

    pub(crate) fn step(&mut self, step: u64, loss: f64, lr: f64, now: f64) -> Result<(), TrainError> {
        self.write(
            &Line::Step { step, loss, lr },
            step,
            &[("loss/step", Some(loss)), ("learning_rate", Some(lr))],
            now,
        )
    }

    pub(crate) fn epoch(&mut self, record: &EpochRecord, now: f64) -> Result<(), TrainError> {
        let scalars = [
            ("loss/train", Some(record.loss)),
            ("loss/validation", record.validation_loss),
            ("loss/test", record.test_loss),
            ("accuracy/validation", record.validation_accuracy),
            ("accuracy/test", record.test_accuracy),
        ];
        self.write(&Line::Epoch(record), record.step, &scalars, now)
    }

    /// A line of the one log, and those numbers that there are as one entry of the other.
    pub(crate) fn write(
        &mut self,
        line: &impl Serialize,
        step: u64,
        scalars: &[(&str, Option<f64>)],
        now: f64,
    ) -> Result<(), TrainError> {
        self.metrics.line(line)?;
        let scalars: Vec<(&str, f64)> =
            scalars.iter().filter_map(|(tag, value)| Some((*tag, (*value)?))).collect();
        self.events.append(&tensorboard::scalars(now, step, &scalars))
    }

    /// Flushes both logs to the disk: a checkpoint that knows their lengths must not outlive them.
    pub(crate) fn sync(&self) -> Result<(), TrainError> {
        self.metrics.sync()?;
        self.events.sync()
    }

    /// The lengths of both logs.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.metrics.length, self.events.length)
    }
}

struct Log {
    file: File,
    path: std::path::PathBuf,
    length: u64,
}

impl Log {
    fn open(folder: &RunFolder, name: &str, length: u64) -> Result<Self, TrainError> {
        let path = folder.path(name);
        let open = || {
            let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&path)?;
            let length = length.min(file.metadata()?.len());
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok((file, length))
        };
        match open() {
            Ok((file, length)) => Ok(Self { file, path, length }),
            Err(source) => Err(TrainError::File { action: "write", path, source }),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        self.length += bytes.len() as u64;
        let fail = |source| TrainError::File { action: "write", path: self.path.clone(), source };
        self.file.write_all(bytes).map_err(fail)
    }

    fn sync(&self) -> Result<(), TrainError> {
        let fail = |source| TrainError::File { action: "write", path: self.path.clone(), source };
        self.file.sync_data().map_err(fail)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let mut text = serde_json::to_string(line).expect("plain data");
        text.push('\n');
        self.append(text.as_bytes())
    }
}
