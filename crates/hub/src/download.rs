//! One file from the hub into the cache: it grows under another name, and gets its own when it is whole.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use sha2::{Digest, Sha256};
use ureq::{
    Body,
    http::{Response, StatusCode},
};

use crate::{
    HubError, Progress,
    cache::Cache,
    client::{Client, Remote},
};

/// Attempts in a row that bring nothing, after which the connection is given up.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of a file whose size the hub does not say: such files are small texts.
const MAX_UNSIZED: u64 = 64 << 20;

/// Fetches a file's blob, if it is not there. Returns when it is whole.
pub(crate) fn blob(
    client: &Client<'_>,
    cache: &Cache,
    file: &str,
    remote: &Remote,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), HubError> {
    let _lock = cache.lock(&remote.etag)?;
    let path = cache.blob(&remote.etag);
    // One of another length was left by a program that did not rename.
    if path.metadata().is_ok_and(|found| remote.size.is_none_or(|size| size == found.len())) {
        return Ok(());
    }
    let part = cache.part(&remote.etag);
    let mut growing = Growing::open(&part, file, remote, progress)?;
    growing.fill(client)?;
    if let Err(problem) = growing.finish()? {
        fs::remove_file(&part).map_err(HubError::file("remove", &part))?;
        return Err(HubError::Damaged { file: file.to_owned(), problem });
    }
    fs::rename(&part, &path).map_err(HubError::file("write", path))
}

/// Why a connection ended.
enum End {
    /// All is here, or at least no more comes.
    Whole,
    Broken(String),
}

/// A blob that is not whole yet.
struct Growing<'a> {
    path: &'a Path,
    file: &'a str,
    remote: &'a Remote,
    out: File,
    hash: Sha256,
    have: u64,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a> Growing<'a> {
    /// Goes on with what an earlier call left, where a hash will tell whether the parts belong together.
    fn open(
        path: &'a Path,
        file: &'a str,
        remote: &'a Remote,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, HubError> {
        let out = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let out = out.map_err(HubError::file("write", path))?;
        let mut growing = Self { path, file, remote, out, hash: Sha256::new(), have: 0, progress };
        let found = growing.out.metadata().map_err(HubError::file("read", path))?.len();
        let can_go_on = remote.sha256().is_some() && remote.size.is_some_and(|size| found <= size);
        match can_go_on {
            true => {
                growing.have =
                    io::copy(&mut growing.out, &mut growing.hash).map_err(HubError::file("read", path))?
            }
            false => growing.begin()?,
        }
        growing.tell();
        Ok(growing)
    }

    /// From the first byte.
    fn begin(&mut self) -> Result<(), HubError> {
        (self.have, self.hash) = (0, Sha256::new());
        let emptied = self.out.set_len(0).and_then(|()| self.out.seek(SeekFrom::Start(0)));
        emptied.map(drop).map_err(HubError::file("write", self.path))
    }

    fn tell(&mut self) {
        (self.progress)(Progress::Bytes { file: self.file, done: self.have, total: self.remote.size });
    }

    /// Fetches what is missing, over as many connections as that takes.
    fn fill(&mut self, client: &Client<'_>) -> Result<(), HubError> {
        let mut barren = 0;
        while self.remote.size != Some(self.have) || self.have == 0 {
            let before = self.have;
            let reason = match client.fetch(&self.remote.commit, self.file, self.have)? {
                Err(reason) => reason,
                Ok(answer) => match self.take(answer)? {
                    End::Whole => return Ok(()),
                    End::Broken(reason) => reason,
                },
            };
            barren = if self.have > before { 0 } else { barren + 1 };
            if barren == ATTEMPTS {
                return Err(self.dropped(reason));
            }
            std::thread::sleep(PAUSE * 2_u32.pow(barren));
        }
        Ok(())
    }

    fn dropped(&self, reason: String) -> HubError {
        let _ = self.out.sync_all();
        HubError::Dropped {
            file: self.file.to_owned(),
            have: self.have,
            size: self.remote.size,
            kept: self.have > 0 && self.remote.sha256().is_some(),
            reason,
        }
    }

    /// Takes one answer's bytes.
    fn take(&mut self, answer: Response<Body>) -> Result<End, HubError> {
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            self.begin()?;
            return Ok(End::Broken("the server does not go on from there".to_owned()));
        }
        if answer.status() != StatusCode::PARTIAL_CONTENT || !begins_at(&answer, self.have) {
            // The server sends all of it, or another part.
            let is_part = answer.status() == StatusCode::PARTIAL_CONTENT;
            self.begin()?;
            if is_part {
                return Ok(End::Broken("the server sent another part of the file".to_owned()));
            }
        }
        if self.remote.size.is_none() && !ends_by_itself(&answer) {
            return Ok(End::Broken("the server does not say where the file ends".to_owned()));
        }
        let (mut body, mut buffer) = (answer.into_body().into_reader(), vec![0; 1 << 16]);
        loop {
            match body.read(&mut buffer) {
                Ok(0) if self.remote.size.is_some_and(|size| self.have < size) => {
                    return Ok(End::Broken("the server closed it".to_owned()));
                }
                Ok(0) => return Ok(End::Whole),
                Ok(count) => self.append(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(End::Broken(error.to_string())),
            }
            // What is too long is found out in the end, and need not come to its own.
            if self.have > self.remote.size.unwrap_or(MAX_UNSIZED) {
                return Ok(End::Whole);
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.out.write_all(bytes).map_err(HubError::file("write", self.path))?;
        self.hash.update(bytes);
        self.have += bytes.len() as u64;
        self.tell();
        Ok(())
    }

    /// Whether what came is what the hub has; on the disk when this returns.
    fn finish(self) -> Result<Result<(), String>, HubError> {
        let limit = self.remote.size.unwrap_or(self.have.min(MAX_UNSIZED));
        if self.have != limit {
            return Ok(Err(format!("{} bytes or more in place of {limit}", self.have)));
        }
        let hash: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(wanted) = self.remote.sha256().filter(|wanted| *wanted != hash) {
            return Ok(Err(format!("its SHA-256 is {hash} in place of {wanted}")));
        }
        self.out.sync_all().map(Ok).map_err(HubError::file("write", self.path))
    }
}

/// Whether a part of a file is the one that was asked for.
fn begins_at(answer: &Response<Body>, offset: u64) -> bool {
    let range = answer.headers().get("content-range").and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

/// Whether an answer that breaks off is known from one that ends.
fn ends_by_itself(answer: &Response<Body>) -> bool {
    ["content-length", "transfer-encoding"].iter().any(|name| answer.headers().contains_key(*name))
}
