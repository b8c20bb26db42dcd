//! A repository of Hugging Face's hub as a folder of files.
//!
//! The folder is a snapshot in the cache that Python's `huggingface_hub` keeps, in its layout: what either downloaded, the
//! other finds. Without a network the cache is all there is, and an error says which files it lacks. A file takes its place
//! in the cache only when it is whole: by its size, and, for what the hub keeps as a large file (LFS), by its SHA-256.
//!
//! ```no_run
//! use crucible_hub::{Hub, Repository, Wanted};
//!
//! let repository = Repository::parse("hf:sentence-transformers/all-MiniLM-L6-v2")?;
//! let wanted = [Wanted::Required("config.json"), Wanted::WEIGHTS];
//! let folder = Hub::from_env()?.fetch(&repository, &wanted, &mut |_| ())?;
//! # Ok::<(), crucible_hub::HubError>(())
//! ```

mod cache;
mod client;
mod download;
mod error;
mod fetch;
mod repository;
mod settings;
mod url;
mod wanted;

pub use error::HubError;
pub use fetch::Progress;
pub use repository::Repository;
pub use settings::Hub;
pub use wanted::Wanted;
