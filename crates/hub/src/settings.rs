//! Where the hub and its cache are.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use crate::HubError;

/// The hub itself, where nothing else is set.
const ENDPOINT: &str = "https://huggingface.co";

/// A hub, and the folder that its files are kept in.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub {
    /// The address, such as `https://huggingface.co`.
    pub endpoint: String,
    /// The folder of all repositories, `hub` in that of Hugging Face's.
    pub cache: PathBuf,
    /// What shows the hub who asks. Only the endpoint's own host is ever sent it.
    pub token: Option<String>,
    /// Never ask the hub.
    pub offline: bool,
}

impl Hub {
    /// What the environment says, by the variables of `huggingface_hub`: `HF_ENDPOINT`; for the cache `HF_HUB_CACHE`, else
    /// `hub` in `HF_HOME`, else in `$XDG_CACHE_HOME/huggingface`, else in `~/.cache/huggingface`; `HF_TOKEN`;
    /// `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`.
    ///
    /// # Errors
    ///
    /// Where there is no home to keep a cache in, or a token that no header can hold.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(|name| env::var_os(name), env::home_dir())
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self, HubError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| {
            given(name)
                .map(|value| value.into_string())
                .transpose()
                .map_err(|_| HubError::Setting { name, problem: "is not Unicode".to_owned() })
        };
        let folder = |name: &str| given(name).map(|value| with_home(Path::new(&value), home.as_deref()));
        let of_hugging_face = || {
            let caches = folder("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
            folder("HF_HOME").or_else(|| Some(caches?.join("huggingface")))
        };
        let cache = folder("HF_HUB_CACHE").or_else(|| Some(of_hugging_face()?.join("hub")));
        let endpoint = text("HF_ENDPOINT")?.unwrap_or_else(|| ENDPOINT.to_owned());
        let is_on = |name| text(name).map(|value| value.is_some_and(|value| is_true(&value)));
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.ok_or_else(|| HubError::Setting {
                name: "HF_HOME",
                problem: "is not set, and there is no home folder to keep a cache in".to_owned(),
            })?,
            token: text("HF_TOKEN")?.map(|token| checked(token.trim())).transpose()?,
            offline: is_on("HF_HUB_OFFLINE")? || is_on("TRANSFORMERS_OFFLINE")?,
        })
    }
}

/// Without the token: what is printed may end up in a log.
impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "hidden"))
            .field("offline", &self.offline)
            .finish()
    }
}

/// A path that may begin with `~`.
fn with_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The words that `huggingface_hub` takes for yes.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str())
}

/// A token that a header can hold; the message does not repeat it.
fn checked(token: &str) -> Result<String, HubError> {
    let problem = "holds a space or a character that no token has";
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(HubError::Setting { name: "HF_TOKEN", problem: problem.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Result<Hub, HubError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Hub::from_variables(find, Some(PathBuf::from("/home/me")))
    }

    #[test]
    fn the_cache_is_where_huggingface_hub_has_it() {
        let cache = |variables: &[(&str, &str)]| hub(variables).unwrap().cache;
        assert_eq!(cache(&[]), Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "~/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/home/me/h/hub"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")]), Path::new("/c"));
        assert_eq!(cache(&[("HF_HOME", "")]), Path::new("/home/me/.cache/huggingface/hub"));
    }

    #[test]
    fn address_token_and_offline_are_read() {
        let none = hub(&[]).unwrap();
        assert_eq!((none.endpoint.as_str(), none.token, none.offline), (ENDPOINT, None, false));
        let variables =
            [("HF_ENDPOINT", "http://mirror/"), ("HF_TOKEN", " hf_x\n"), ("HF_HUB_OFFLINE", "true")];
        let all = hub(&variables).unwrap();
        assert_eq!(
            (all.endpoint.as_str(), all.token.as_deref(), all.offline),
            ("http://mirror", Some("hf_x"), true)
        );
        assert!(!format!("{all:?}").contains("hf_x"));
        assert!(!hub(&[("HF_HUB_OFFLINE", "0")]).unwrap().offline);
    }

    #[test]
    fn a_token_that_no_header_holds_is_refused_and_not_repeated() {
        let error = hub(&[("HF_TOKEN", "hf_a\r\nb")]).unwrap_err().to_string();
        assert!(error.contains("HF_TOKEN") && !error.contains("hf_a"), "{error}");
    }
}
