//! Addresses: what is put into them, and where a redirect leads.

use std::fmt::Write;

use ureq::http::Uri;

/// A text as one part of an address, or, with its slashes kept, as a path of parts.
pub(crate) fn encoded(text: &str, keep_slashes: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b'/' if keep_slashes => out.push('/'),
            _ => write!(out, "%{byte:02X}").expect("a string takes all"),
        }
    }
    out
}

/// Scheme, host and port, in one spelling: what a token is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin(String, String, u16);

impl Origin {
    /// `None` for what is no address of the web.
    pub(crate) fn of(address: &str) -> Option<Self> {
        let uri: Uri = address.parse().ok()?;
        let (scheme, host) = (uri.scheme_str()?.to_ascii_lowercase(), uri.host()?.to_ascii_lowercase());
        let port = match (uri.port_u16(), scheme.as_str()) {
            (Some(port), "http" | "https") => port,
            (None, "http") => 80,
            (None, "https") => 443,
            _ => return None,
        };
        Some(Self(scheme, host, port))
    }

    /// Whether it is this machine, which no proxy stands before.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.1.as_str(), "127.0.0.1" | "[::1]" | "localhost")
    }

    fn is_encrypted(&self) -> bool {
        self.0 == "https"
    }
}

/// Where a redirect from `address` leads. `None` where that is no address, or is not encrypted though the first was.
pub(crate) fn redirected(address: &str, location: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let target = match location {
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    let (from, to) = (Origin::of(address)?, Origin::of(&target)?);
    (to.is_encrypted() || !from.is_encrypted()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address_hold_nothing_special() {
        assert_eq!(encoded("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(encoded("1_Pooling/ü ?#.json", true), "1_Pooling/%C3%BC%20%3F%23.json");
    }

    #[test]
    fn an_origin_has_one_spelling() {
        assert_eq!(Origin::of("https://Hub.example/a"), Origin::of("https://hub.example:443/b"));
        assert_ne!(Origin::of("https://hub.example/"), Origin::of("http://hub.example/"));
        assert_ne!(Origin::of("http://hub.example:1/"), Origin::of("http://hub.example:2/"));
        assert_ne!(Origin::of("https://hub.example/"), Origin::of("https://hub.example@other.example/"));
        assert!(Origin::of("http://LOCALHOST:1/").unwrap().is_local());
        assert!(Origin::of("http://[::1]:1/").unwrap().is_local());
        assert!(!Origin::of("http://127.0.0.1@hub.example/").unwrap().is_local());
        assert_eq!(Origin::of("ftp://hub.example/"), None);
    }

    #[test]
    fn redirects_lead_to_addresses() {
        let from = "https://hub.example/a/b?c";
        assert_eq!(redirected(from, "/d").as_deref(), Some("https://hub.example/d"));
        assert_eq!(redirected(from, "//cdn.example/d").as_deref(), Some("https://cdn.example/d"));
        assert_eq!(
            redirected(from, "https://cdn.example/d?e=f").as_deref(),
            Some("https://cdn.example/d?e=f")
        );
        for wrong in ["http://hub.example/d", "file:///etc/passwd", "d", ""] {
            assert_eq!(redirected(from, wrong), None, "{wrong}");
        }
    }
}
