//! The name of a repository, as a user writes it.

use std::fmt;

use crate::HubError;

/// What a text begins with that names a repository of the hub.
const SCHEME: &str = "hf:";
/// Characters of an owner or a name, by the hub's rules.
const MAX_PART: usize = 96;
/// Characters of a revision: a limit of ours, well below that of a file's path.
const MAX_REVISION: usize = 200;

/// A repository of models at one of its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    id: String,
    revision: String,
}

impl Repository {
    /// Whether a text names a repository of the hub, rightly or not, and no folder.
    #[must_use]
    pub fn is_named_by(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads `hf:owner/name` or `hf:owner/name@revision`. A revision is a branch, a tag or a commit; `main` by default. The
    /// oldest repositories have no owner: `hf:name`.
    ///
    /// # Errors
    ///
    /// Where the text has another form or characters that the hub's names do not have.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let refuse = |problem| HubError::Name { text: text.to_owned(), problem };
        let name = text.strip_prefix(SCHEME).ok_or_else(|| refuse("it does not begin with `hf:`"))?;
        let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
        check_id(id).and_then(|()| check_revision(revision)).map_err(refuse)?;
        Ok(Self { id: id.to_owned(), revision: revision.to_owned() })
    }

    /// `owner/name`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A branch, a tag or a commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The folder of the cache that is the repository's.
    pub(crate) fn folder_name(&self) -> String {
        format!("models--{}", self.id.replace('/', "--"))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.id)?;
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// Whether a revision is a whole commit, whose files never change.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The rules of `huggingface_hub.utils.validate_repo_id`.
fn check_id(id: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 || parts.contains(&"") {
        return Err("it is an owner and a name with one slash between them");
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !parts.iter().all(|part| part.chars().all(is_plain)) {
        return Err("owner and name have letters, digits, `-`, `_` and `.`");
    }
    if parts.iter().any(|part| part.len() > MAX_PART) {
        return Err("owner and name have at most 96 characters");
    }
    if parts.iter().any(|part| part.starts_with(['-', '.']) || part.ends_with(['-', '.'])) {
        return Err("owner and name neither begin nor end with `-` or `.`");
    }
    if id.contains("--") || id.contains("..") || id.ends_with(".git") {
        return Err("a name has neither `--` nor `..`, and does not end with `.git`");
    }
    Ok(())
}

/// A revision is a path in the cache's `refs`.
fn check_revision(revision: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
    if revision.len() > MAX_REVISION || !revision.chars().all(is_plain) {
        return Err("a revision is a branch, a tag or a commit: letters, digits and `-_.+/`");
    }
    if revision.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with('.')) {
        return Err("no part of a revision is empty, or begins or ends with `.`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_revisions_are_read() {
        let found = Repository::parse("hf:sentence-transformers/all-MiniLM-L6-v2").unwrap();
        assert_eq!((found.id(), found.revision()), ("sentence-transformers/all-MiniLM-L6-v2", "main"));
        assert_eq!(found.folder_name(), "models--sentence-transformers--all-MiniLM-L6-v2");
        assert_eq!(found.to_string(), "hf:sentence-transformers/all-MiniLM-L6-v2");

        let found = Repository::parse("hf:a_b/c.d@refs/pr/1").unwrap();
        assert_eq!((found.id(), found.revision()), ("a_b/c.d", "refs/pr/1"));
        assert_eq!(found.to_string(), "hf:a_b/c.d@refs/pr/1");
        assert_eq!(Repository::parse("hf:gpt2").unwrap().folder_name(), "models--gpt2");
    }

    #[test]
    fn other_names_are_refused() {
        let long = format!("hf:a/{}", "b".repeat(97));
        let wrong = [
            "a/b",
            "hf:",
            "hf:/b",
            "hf:a/",
            "hf:a/b/c",
            "hf:../b",
            "hf:a/..",
            "hf:a/b..c",
            "hf:a/b--c",
            "hf:a/b.git",
            "hf:-a/b",
            "hf:a/b.",
            "hf:a/b c",
            "hf:a/ü",
            "hf:a\\b",
            "hf:a/b@",
            "hf:a/b@..",
            "hf:a/b@x/../y",
            "hf:a/b@/x",
            "hf:a/b@x\n",
            "hf:a/b@x?y",
            "hf:a/b:c",
            &long,
        ];
        for text in wrong {
            let error = Repository::parse(text).unwrap_err().to_string();
            assert!(error.contains("hf:owner/name"), "{text}: {error}");
        }
    }

    #[test]
    fn a_commit_is_forty_hexadecimal_digits() {
        assert!(is_commit("0123456789abcdef0123456789abcdef01234567"));
        assert!(!is_commit("0123456789abcdef0123456789abcdef0123456"));
        assert!(!is_commit("0123456789ABCDEF0123456789abcdef01234567"));
    }
}
