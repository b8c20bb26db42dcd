//! From what is wanted to a folder that holds it.

use std::{fs, path::PathBuf};

use crate::{
    Hub, HubError, Repository, Wanted,
    cache::Cache,
    client::{Client, Described, Remote},
    download,
    repository::is_commit,
    wanted::{MAX_INDEX, is_index, shards},
};

/// What happens while files are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A file comes.
    Bytes {
        /// Its path in the repository.
        file: &'a str,
        /// Bytes that are here.
        done: u64,
        /// Bytes of the whole, if the hub says so.
        total: Option<u64>,
    },
    /// The hub was not asked, or could not be, and everything required is in the cache.
    Cached {
        /// Why there is no answer of the hub's.
        reason: &'a str,
        /// Optional files that are not in the cache, though the repository may hold them.
        unknown: &'a [String],
    },
}

impl Hub {
    /// The folder of a repository with the files that are wanted, from the cache or from the hub. What a branch or a tag
    /// stands for is asked anew each time; where the hub cannot be reached, it is what it was the last time. All files are
    /// of one commit.
    ///
    /// # Errors
    ///
    /// Where the hub does not have or does not show what is wanted, cannot be reached while the cache lacks something, or
    /// sends something else than it has; where a connection breaks and does not come back; and where the disk is full or
    /// closed.
    ///
    /// # Panics
    ///
    /// If a wanted name is no path within a repository.
    pub fn fetch(
        &self,
        repository: &Repository,
        files: &[Wanted<'_>],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, HubError> {
        if let Some(name) = files.iter().find_map(Wanted::wrong_name) {
            panic!("`{name}` is no path within a repository");
        }
        let cache = Cache::new(&self.cache, repository);
        if self.offline {
            let reason = "the hub is not asked, because HF_HUB_OFFLINE is set";
            return self.cached(repository, &cache, files, reason, progress);
        }
        // The files of a commit never change.
        if is_commit(repository.revision()) {
            let have = Have::of(&cache, Some(repository.revision()), files);
            if have.missing.is_empty() && have.unknown.is_empty() {
                return Ok(cache.snapshot(repository.revision()));
            }
        }
        let client = Client::new(self, repository)?;
        let commit = is_commit(repository.revision()).then(|| repository.revision().to_owned());
        let mut online = Online { client, cache: &cache, repository, commit, progress };
        match online.fetch(files) {
            Err(HubError::Unreachable { reason }) => {
                self.cached(repository, &cache, files, &reason, progress)
            }
            Err(error) => Err(error),
            Ok(()) => {
                let commit = online.commit.unwrap_or_default();
                cache.note_commit(&commit)?;
                Ok(cache.snapshot(&commit))
            }
        }
    }

    /// The folder without the hub.
    fn cached(
        &self,
        repository: &Repository,
        cache: &Cache,
        files: &[Wanted<'_>],
        reason: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, HubError> {
        let commit = cache.commit();
        let have = Have::of(cache, commit.as_deref(), files);
        match commit {
            Some(commit) if have.missing.is_empty() => {
                progress(Progress::Cached { reason, unknown: &have.unknown });
                Ok(cache.snapshot(&commit))
            }
            _ => Err(HubError::Offline {
                repository: repository.to_string(),
                reason: reason.to_owned(),
                cache: self.cache.clone(),
                missing: have.missing,
            }),
        }
    }
}

/// What of the wanted files the cache lacks.
#[derive(Default)]
struct Have {
    missing: Vec<String>,
    /// Optional files that nobody knows whether they exist.
    unknown: Vec<String>,
}

impl Have {
    fn of(cache: &Cache, commit: Option<&str>, files: &[Wanted<'_>]) -> Self {
        let has = |name: &str| commit.is_some_and(|commit| cache.file(commit, name).is_some());
        let is_absent = |name: &str| commit.is_some_and(|commit| cache.is_absent(commit, name));
        let mut have = Self::default();
        for wanted in files {
            match wanted {
                Wanted::Required(name) if !has(name) => have.missing.push((*name).to_owned()),
                Wanted::Optional(name) if !has(name) && !is_absent(name) => {
                    have.unknown.push((*name).to_owned())
                }
                Wanted::FirstOf(names)
                    if !names.iter().any(|name| lacking(cache, commit, name).is_empty()) =>
                {
                    // Where an index is here, what it lists is what is missing.
                    match names.iter().find(|name| is_index(name) && has(name)) {
                        Some(index) => have.missing.extend(lacking(cache, commit, index)),
                        None => have.missing.push(wanted.described()),
                    }
                }
                _ => {}
            }
        }
        have
    }
}

/// What the cache lacks of a file, or of an index and its shards.
fn lacking(cache: &Cache, commit: Option<&str>, name: &str) -> Vec<String> {
    let path = |name: &str| commit.and_then(|commit| cache.file(commit, name));
    let Some(found) = path(name) else { return vec![name.to_owned()] };
    if !is_index(name) {
        return Vec::new();
    }
    match fs::read(found).ok().and_then(|index| shards(&index).ok()) {
        Some(shards) => shards
            .into_iter()
            .map(|shard| beside(name, &shard))
            .filter(|shard| path(shard).is_none())
            .collect(),
        None => vec![name.to_owned()],
    }
}

/// The path of a file in the folder of another.
fn beside(name: &str, other: &str) -> String {
    name.rsplit_once('/').map_or_else(|| other.to_owned(), |(folder, _)| format!("{folder}/{other}"))
}

/// A conversation with the hub about one commit.
struct Online<'a, 'p> {
    client: Client<'a>,
    cache: &'a Cache,
    repository: &'a Repository,
    /// Known from the first answer on: later questions are about it alone.
    commit: Option<String>,
    progress: &'p mut dyn FnMut(Progress<'_>),
}

/// A file that the repository holds; `None` in place of what is in the cache already.
struct Found(String, Option<Remote>);

impl Online<'_, '_> {
    /// Asks about all files, then fetches: what is not there is told before anything long begins.
    fn fetch(&mut self, files: &[Wanted<'_>]) -> Result<(), HubError> {
        let mut found = Vec::new();
        for wanted in files {
            match wanted {
                Wanted::Required(name) => found.push(self.required(name)?),
                Wanted::Optional(name) => found.extend(self.ask(name)?),
                Wanted::FirstOf(names) => {
                    let first = names.iter().find_map(|name| self.ask(name).transpose());
                    found.push(first.unwrap_or_else(|| Err(self.no_file(wanted.described())))?);
                    let last = found.last().expect("pushed above");
                    if is_index(&last.0) {
                        let name = last.0.clone();
                        self.take(last)?;
                        for shard in self.shards(&name)? {
                            found.push(self.required(&beside(&name, &shard))?);
                        }
                    }
                }
            }
        }
        found.iter().try_for_each(|found| self.take(found))
    }

    fn no_file(&self, file: String) -> HubError {
        HubError::NoFile { repository: self.repository.to_string(), file }
    }

    fn required(&mut self, name: &str) -> Result<Found, HubError> {
        self.ask(name)?.ok_or_else(|| self.no_file(name.to_owned()))
    }

    /// What there is of a file; `None` where the repository does not hold it.
    fn ask(&mut self, name: &str) -> Result<Option<Found>, HubError> {
        if let Some(commit) = &self.commit {
            if self.cache.file(commit, name).is_some() {
                return Ok(Some(Found(name.to_owned(), None)));
            }
            if self.cache.is_absent(commit, name) {
                return Ok(None);
            }
        }
        let revision = self.commit.as_deref().unwrap_or(self.repository.revision());
        match self.client.describe(revision, name)? {
            Described::Missing(commit) => {
                self.commit = self.commit.take().or(commit);
                if let Some(commit) = &self.commit {
                    self.cache.note_absent(commit, name);
                }
                Ok(None)
            }
            Described::There(remote) => {
                let commit = self.commit.get_or_insert_with(|| remote.commit.clone());
                let is_here = self.cache.file(commit, name).is_some();
                let remote = Remote { commit: commit.clone(), ..remote };
                Ok(Some(Found(name.to_owned(), (!is_here).then_some(remote))))
            }
        }
    }

    /// Puts a file into the snapshot.
    fn take(&mut self, Found(name, remote): &Found) -> Result<(), HubError> {
        let Some(remote) = remote.as_ref().filter(|remote| self.cache.file(&remote.commit, name).is_none())
        else {
            return Ok(());
        };
        download::blob(&self.client, self.cache, name, remote, self.progress)?;
        self.cache.link(&remote.etag, &remote.commit, name)
    }

    fn shards(&self, index: &str) -> Result<Vec<String>, HubError> {
        let damaged = |problem| HubError::Answer { address: format!("{} {index}", self.repository), problem };
        let path = self.commit.as_deref().and_then(|commit| self.cache.file(commit, index));
        let path = path.ok_or_else(|| damaged("is gone from the cache".to_owned()))?;
        let size = path.metadata().map_err(HubError::file("read", &path))?.len();
        if size > MAX_INDEX {
            return Err(damaged(format!(
                "is an index of {size} bytes, and more than {MAX_INDEX} are not read"
            )));
        }
        let bytes = fs::read(&path).map_err(HubError::file("read", &path))?;
        Ok(shards(&bytes)
            .map_err(|problem| damaged(format!("is no index of shards: {problem}")))?
            .into_iter()
            .collect())
    }
}
