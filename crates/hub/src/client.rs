//! What is asked of the hub, and what its answers mean.

use std::time::Duration;

use ureq::{
    Agent, Body, Proxy,
    http::{HeaderMap, Response, StatusCode},
};

use crate::{
    Hub, HubError, Repository,
    repository::is_commit,
    url::{Origin, encoded, redirected},
};

/// How long to wait for a connection, and for an answer to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may give nothing.
const SILENCE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 8;

/// A file as the hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) commit: String,
    /// What the content is known by; a SHA-256 where the hub keeps the file as a large one.
    pub(crate) etag: String,
    /// Bytes.
    pub(crate) size: Option<u64>,
}

impl Remote {
    /// The SHA-256 of the content, in hexadecimal, where that is known.
    pub(crate) fn sha256(&self) -> Option<&str> {
        let is_hash = self.etag.len() == 64 && self.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(self.etag.as_str())
    }
}

/// What the hub says of a file.
pub(crate) enum Described {
    There(Remote),
    /// The repository does not hold it at this commit, if the hub says which one that is.
    Missing(Option<String>),
}

pub(crate) struct Client<'a> {
    hub: &'a Hub,
    repository: &'a Repository,
    agent: Agent,
}

impl<'a> Client<'a> {
    pub(crate) fn new(hub: &'a Hub, repository: &'a Repository) -> Result<Self, HubError> {
        let problem =
            || HubError::Setting { name: "HF_ENDPOINT", problem: format!("{} is no address", hub.endpoint) };
        let origin = Origin::of(&hub.endpoint).ok_or_else(problem)?;
        let agent = Agent::config_builder()
            .proxy(Proxy::try_from_env().filter(|_| !origin.is_local()))
            .http_status_as_error(false)
            // Followed here, where it is known who may see the token.
            .max_redirects(0)
            .user_agent(concat!("crucible/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Ok(Self { hub, repository, agent: agent.into() })
    }

    fn address(&self, revision: &str, file: &str) -> String {
        let (id, revision) = (self.repository.id(), encoded(revision, false));
        format!("{}/{id}/resolve/{revision}/{}", self.hub.endpoint, encoded(file, true))
    }

    /// Asks about a file without fetching it.
    pub(crate) fn describe(&self, revision: &str, file: &str) -> Result<Described, HubError> {
        let address = self.address(revision, file);
        let (mut at, mut commit) = (address.clone(), None);
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.ask(&at, None, true).map_err(|error| self.unreachable(&error))?;
            commit = header(answer.headers(), "x-repo-commit").filter(|commit| is_commit(commit)).or(commit);
            let next = answer.status().is_redirection().then(|| self.next(&at, &answer)).transpose()?;
            match next {
                // Another host has the content; what it is, the hub has said.
                Some(next) if Origin::of(&next) == Origin::of(&self.hub.endpoint) => at = next,
                _ if is_missing(&answer) => return Ok(Described::Missing(commit)),
                _ => {
                    self.check(&address, &answer)?;
                    return remote(&address, answer.headers(), commit, next.is_some()).map(Described::There);
                }
            }
        }
        Err(answer(&address, "leads from one address to another without end"))
    }

    /// Begins to fetch a file from a byte on. `Err` within `Ok` is a connection that failed, which may be tried again.
    pub(crate) fn fetch(
        &self,
        commit: &str,
        file: &str,
        from: u64,
    ) -> Result<Result<Response<Body>, String>, HubError> {
        let address = self.address(commit, file);
        let mut at = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = match self.ask(&at, Some(from), false) {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error.to_string())),
            };
            if answer.status().is_redirection() {
                at = self.next(&at, &answer)?;
            } else if is_for_now(answer.status()) {
                return Ok(Err(format!("the server answers {}", answer.status())));
            } else if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(Ok(answer));
            } else {
                return self.check(&address, &answer).map(|()| Ok(answer));
            }
        }
        Err(answer(&address, "leads from one address to another without end"))
    }

    fn ask(&self, address: &str, from: Option<u64>, head: bool) -> Result<Response<Body>, ureq::Error> {
        let mut request = if head { self.agent.head(address) } else { self.agent.get(address) };
        if let Some(from) = from.filter(|&from| from > 0) {
            request = request.header("range", format!("bytes={from}-"));
        }
        let is_hub = Origin::of(address) == Origin::of(&self.hub.endpoint);
        if let Some(token) = self.hub.token.as_ref().filter(|token| is_hub && !token.is_empty()) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call()
    }

    fn next(&self, at: &str, answer: &Response<Body>) -> Result<String, HubError> {
        let location = header(answer.headers(), "location").unwrap_or_default();
        redirected(at, &location).ok_or_else(|| HubError::Answer {
            address: at.to_owned(),
            problem: format!("leads to `{location}`, where nothing is fetched from"),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> HubError {
        let endpoint = &self.hub.endpoint;
        let reason = match error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
                format!("no encrypted connection to {endpoint} ({error}); a proxy may stand between")
            }
            _ => format!("there is no network to {endpoint} ({error})"),
        };
        HubError::Unreachable { reason }
    }

    /// Refuses an answer that is no success, in words.
    fn check(&self, address: &str, found: &Response<Body>) -> Result<(), HubError> {
        let (status, repository) = (found.status(), self.repository.to_string());
        if status.is_success() || status.is_redirection() {
            return Ok(());
        }
        if is_for_now(status) {
            let reason = format!("{} answers {status} for now", self.hub.endpoint);
            return Err(HubError::Unreachable { reason });
        }
        let code = header(found.headers(), "x-error-code").unwrap_or_default();
        Err(match (code.as_str(), status.as_u16()) {
            ("GatedRepo", _) => HubError::Gated { repository },
            ("RevisionNotFound", _) => {
                HubError::NoRevision { repository, revision: self.repository.revision().to_owned() }
            }
            // The hub does not tell what does not exist from what it will not show.
            ("RepoNotFound", _) | (_, 401) => {
                HubError::NoRepository { repository, token: self.about_token() }
            }
            _ => {
                let message = header(found.headers(), "x-error-message").unwrap_or_default();
                answer(address, format!("the server answers {status} {message}").trim_end())
            }
        })
    }

    fn about_token(&self) -> &'static str {
        match self.hub.token {
            None => "and HF_TOKEN, which shows the hub who asks, is not set",
            Some(_) => "and HF_TOKEN belongs to an account that may not see it, or has run out",
        }
    }
}

/// Whether the repository is there and the file is not. A server that gives no reasons means the file.
fn is_missing(answer: &Response<Body>) -> bool {
    let code = header(answer.headers(), "x-error-code");
    answer.status() == StatusCode::NOT_FOUND && code.is_none_or(|code| code == "EntryNotFound")
}

/// Whether the same question may have an answer later.
fn is_for_now(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn answer(address: &str, problem: &str) -> HubError {
    HubError::Answer { address: address.to_owned(), problem: problem.to_owned() }
}

/// A file by its headers. Those of a redirect say how long the redirect is, and only `x-linked-size` how long the file.
fn remote(
    address: &str,
    headers: &HeaderMap,
    commit: Option<String>,
    is_redirect: bool,
) -> Result<Remote, HubError> {
    let commit = commit.ok_or_else(|| answer(address, "the answer names no commit; that is no hub"))?;
    let etag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
    let etag = etag.as_deref().and_then(plain_etag);
    let etag =
        etag.ok_or_else(|| answer(address, "the answer has no ETag that a file can be named after"))?;
    let length = || header(headers, "content-length").filter(|_| !is_redirect);
    let size = header(headers, "x-linked-size").or_else(length).and_then(|size| size.parse().ok());
    Ok(Remote { commit, etag, size })
}

/// An ETag without its quotes, as `huggingface_hub` names blobs, if it names a file.
fn plain_etag(etag: &str) -> Option<String> {
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    ((1..=128).contains(&etag.len()) && etag.chars().all(is_plain)).then(|| etag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::plain_etag;

    #[test]
    fn an_etag_is_a_name_or_none() {
        assert_eq!(plain_etag("\"ab-12\"").as_deref(), Some("ab-12"));
        assert_eq!(plain_etag("W/\"ab\"").as_deref(), Some("ab"));
        for wrong in ["", "\"\"", "../x", "a/b", ".", "a.incomplete", &"a".repeat(129)] {
            assert_eq!(plain_etag(wrong), None, "{wrong}");
        }
    }
}
