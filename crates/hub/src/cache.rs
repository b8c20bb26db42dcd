//! A repository's folder in the cache, as `huggingface_hub` lays it out:
//!
//! - `refs/<revision>`: the commit that a branch or tag stood for when it was last asked for.
//! - `blobs/<etag>`: the files themselves; `<etag>.incomplete` while one comes.
//! - `snapshots/<commit>/<path>`: links to the blobs.
//! - `.no_exist/<commit>/<path>`: an empty file for what a commit does not hold.
//! - `.locks/<repository>/<etag>.lock` beside the repositories: held by whoever writes a blob.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{HubError, Repository, repository::is_commit};

pub(crate) struct Cache {
    root: PathBuf,
    locks: PathBuf,
    revision: String,
}

impl Cache {
    pub(crate) fn new(hub: &Path, repository: &Repository) -> Self {
        let name = repository.folder_name();
        Self {
            root: hub.join(&name),
            locks: hub.join(".locks").join(name),
            revision: repository.revision().to_owned(),
        }
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Where a file of a commit is, if it is there whole: a link that leads nowhere is not.
    pub(crate) fn file(&self, commit: &str, name: &str) -> Option<PathBuf> {
        let path = self.snapshot(commit).join(name);
        path.is_file().then_some(path)
    }

    /// Whether a commit is known not to hold a file.
    pub(crate) fn is_absent(&self, commit: &str, name: &str) -> bool {
        self.absent(commit, name).is_file()
    }

    fn absent(&self, commit: &str, name: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(name)
    }

    /// Notes that a commit does not hold a file. It spares a question, so that failure does not matter.
    pub(crate) fn note_absent(&self, commit: &str, name: &str) {
        let path = self.absent(commit, name);
        let _ = parent_of(&path).and_then(|()| File::create(&path).map(drop));
    }

    /// The commit that the revision stood for when it was last asked for.
    pub(crate) fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let commit = fs::read_to_string(self.reference()).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    fn reference(&self) -> PathBuf {
        self.root.join("refs").join(&self.revision)
    }

    /// Notes what commit the revision stands for. A cache that can only be read keeps what it has.
    pub(crate) fn note_commit(&self, commit: &str) -> Result<(), HubError> {
        if self.revision == commit || self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.reference();
        let temporary = temporary(&path);
        let written = parent_of(&path)
            .and_then(|()| fs::write(&temporary, commit))
            .and_then(|()| fs::rename(&temporary, &path));
        let is_read_only = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
        };
        match written {
            Err(error) if !is_read_only(&error) => Err(HubError::file("write", path)(error)),
            _ => Ok(()),
        }
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// Where a blob grows.
    pub(crate) fn part(&self, etag: &str) -> PathBuf {
        with_suffix(&self.blob(etag), ".incomplete")
    }

    /// Makes the folder of blobs and waits until no other program writes this one. The lock ends with the file.
    pub(crate) fn lock(&self, etag: &str) -> Result<File, HubError> {
        let (blob, path) = (self.blob(etag), self.locks.join(format!("{etag}.lock")));
        parent_of(&blob).map_err(HubError::file("write", &blob))?;
        let file = parent_of(&path).and_then(|()| File::options().append(true).create(true).open(&path));
        let file = file.map_err(HubError::file("write", &path))?;
        // Some network file systems have no locks. Then two at a time may waste a download: what is wrong in the end is
        // thrown away.
        let _ = file.lock();
        Ok(file)
    }

    /// Puts a blob into a commit's snapshot.
    pub(crate) fn link(&self, etag: &str, commit: &str, name: &str) -> Result<(), HubError> {
        let (blob, path) = (self.blob(etag), self.snapshot(commit).join(name));
        let depth = 2 + name.split('/').count() - 1;
        let relative = ["../".repeat(depth).as_str(), "blobs/", etag].concat();
        let linked = parent_of(&path).and_then(|()| {
            // A link that leads nowhere.
            if path.symlink_metadata().is_ok() && !path.is_file() {
                fs::remove_file(&path)?;
            }
            symlink(Path::new(&relative), &path).or_else(|error| match path.is_file() {
                true => Ok(()),
                false => copy(&blob, &path).map_err(|_| error),
            })
        });
        linked.map_err(HubError::file("write", path))
    }
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where there are no symbolic links: a second name of the blob, or else a second blob.
fn copy(blob: &Path, path: &Path) -> io::Result<()> {
    if fs::hard_link(blob, path).is_ok() {
        return Ok(());
    }
    let temporary = temporary(path);
    fs::copy(blob, &temporary)?;
    fs::rename(temporary, path)
}

fn parent_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A name beside a file's that nobody else takes, in this program or another.
fn temporary(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    with_suffix(path, &format!(".{}-{next}.tmp", std::process::id()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn cache(root: &Path) -> Cache {
        Cache::new(root, &Repository::parse("hf:o/n@a/b").unwrap())
    }

    #[test]
    fn a_blob_is_found_by_each_of_its_names() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        drop(cache.lock("e1").unwrap());
        fs::write(cache.blob("e1"), "text").unwrap();
        for name in ["config.json", "1_Pooling/deep/config.json"] {
            assert_eq!(cache.file(COMMIT, name), None);
            cache.link("e1", COMMIT, name).unwrap();
            cache.link("e1", COMMIT, name).unwrap();
            assert_eq!(fs::read_to_string(cache.file(COMMIT, name).unwrap()).unwrap(), "text");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_no_file_and_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        cache.link("lost", COMMIT, "x").unwrap();
        assert_eq!(cache.file(COMMIT, "x"), None);
        drop(cache.lock("e1").unwrap());
        fs::write(cache.blob("e1"), "text").unwrap();
        cache.link("e1", COMMIT, "x").unwrap();
        assert_eq!(fs::read_to_string(cache.file(COMMIT, "x").unwrap()).unwrap(), "text");
    }

    #[test]
    fn what_a_revision_stands_for_is_kept_and_changed() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        assert_eq!(cache.commit(), None);
        for commit in [COMMIT.to_owned(), COMMIT.replace('0', "f")] {
            cache.note_commit(&commit).unwrap();
            assert_eq!(cache.commit(), Some(commit));
        }
        fs::write(root.path().join("models--o--n/refs/a/b"), "../../x").unwrap();
        assert_eq!(cache.commit(), None);
    }

    #[test]
    fn what_a_commit_lacks_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        assert!(!cache.is_absent(COMMIT, "1_Pooling/config.json"));
        cache.note_absent(COMMIT, "1_Pooling/config.json");
        assert!(cache.is_absent(COMMIT, "1_Pooling/config.json"));
    }
}
