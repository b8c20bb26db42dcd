use std::{io, path::PathBuf};

/// Why a repository of the hub could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A text that names no repository.
    #[error(
        "`{text}` names no repository of the hub: {problem}; the form is `hf:owner/name` or `hf:owner/name@revision`"
    )]
    Name {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A setting of the environment that cannot be.
    #[error("{name}: {problem}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The hub was not asked, or could not be, and the cache does not hold everything.
    #[error("{repository}: {reason}, and the cache {} lacks {}", cache.display(), missing.join("; "))]
    Offline {
        /// The repository.
        repository: String,
        /// Why there is no answer of the hub's.
        reason: String,
        /// The cache's folder.
        cache: PathBuf,
        /// What is not in it.
        missing: Vec<String>,
    },
    /// The hub cannot be reached, or cannot answer for now.
    #[error("{reason}")]
    Unreachable {
        /// Why, with the address.
        reason: String,
    },
    /// There is no such repository, or it is not for everyone.
    #[error(
        "{repository}: the hub has no such repository, or it is private: the name may be misspelt, {token}"
    )]
    NoRepository {
        /// The repository.
        repository: String,
        /// What may be wrong with the token.
        token: &'static str,
    },
    /// There is no such branch, tag or commit.
    #[error("{repository}: the repository has no revision `{revision}`")]
    NoRevision {
        /// The repository.
        repository: String,
        /// The branch, tag or commit.
        revision: String,
    },
    /// The repository's authors ask for something first.
    #[error(
        "{repository} is gated: ask for access on its page on the hub, and set HF_TOKEN to a token of the account that was \
         given it"
    )]
    Gated {
        /// The repository.
        repository: String,
    },
    /// The repository does not hold a file that is needed.
    #[error("{repository} lacks {file}")]
    NoFile {
        /// The repository.
        repository: String,
        /// The file, or the names of which one is needed.
        file: String,
    },
    /// Another answer than that of a hub.
    #[error("{address}: {problem}")]
    Answer {
        /// What was asked for.
        address: String,
        /// What is wrong with what came.
        problem: String,
    },
    /// A connection broke and could not be made again.
    #[error(
        "{file}: the connection broke after {have} of {} bytes ({reason}); {}",
        size.map_or_else(|| "an unknown number of".to_owned(), |size| size.to_string()),
        if *kept { "they are kept, and the next call goes on from there" } else { "the next call begins anew" }
    )]
    Dropped {
        /// The file.
        file: String,
        /// Bytes that came.
        have: u64,
        /// Bytes of the whole file.
        size: Option<u64>,
        /// Whether the next call goes on from these.
        kept: bool,
        /// What broke it.
        reason: String,
    },
    /// What came is not what the hub has.
    #[error(
        "{file}: what came is not what the hub has ({problem}); it is thrown away, and the next call begins anew"
    )]
    Damaged {
        /// The file.
        file: String,
        /// The difference.
        problem: String,
    },
    /// The operating system would not.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    File {
        /// Such as "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl HubError {
    /// For `map_err`, with what was to be done to which file.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// What helps against an error of the disk's.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or set HF_HOME to a folder on another disk; what came is not taken for whole"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; HF_HOME names a folder that can be written to"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_helps() {
        let error = HubError::file("write", "/cache/blobs/x")(io::ErrorKind::StorageFull.into()).to_string();
        assert!(error.contains("/cache/blobs/x") && error.contains("HF_HOME"), "{error}");
    }
}
