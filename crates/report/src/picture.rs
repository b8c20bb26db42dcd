//! Small pictures that travel inside the report.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One picture of a gallery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The picture itself.
    pub png: Png,
    /// What a reader who cannot see it is told.
    pub alt: String,
    /// The line below it.
    pub caption: String,
}

/// A PNG file in memory; base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Png(pub Vec<u8>);

impl Png {
    /// Width and height in pixels, read from the header; `None` if the bytes are no PNG.
    ///
    /// Source: PNG specification (W3C, third edition), sections 5.2 and 11.2.1.
    pub fn size(&self) -> Option<[u32; 2]> {
        let header = self.0.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
        let (width, rest) = header.split_first_chunk()?;
        let (height, _) = rest.split_first_chunk()?;
        Some([u32::from_be_bytes(*width), u32::from_be_bytes(*height)])
    }

    pub(crate) fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(&self.0))
    }
}

impl Serialize for Png {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Png {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Png).map_err(serde::de::Error::custom)
    }
}
