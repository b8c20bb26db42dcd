//! MNIST, built in: four gzipped IDX files inside the program, so that nothing has to be downloaded.
//!
//! LeCun, Cortes & Burges, "The MNIST database of handwritten digits". The files' origin and SHA-256 are in
//! `data/mnist/SOURCE.txt`; a test holds the built-in bytes against that file.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Load;
use super::idx::{self, Files};
use crate::DataError;
use crate::raw::Raw;

/// Settings of the built-in MNIST: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mnist {}

macro_rules! built_in {
    ($name:literal) => {
        (
            Path::new(concat!("built-in mnist/", $name)),
            include_bytes!(concat!("../../../../data/mnist/", $name)).as_slice(),
        )
    };
}

impl Load for Mnist {
    fn load(&self, _base: &Path) -> Result<Raw, DataError> {
        let train = Files {
            pictures: built_in!("train-images-idx3-ubyte.gz"),
            labels: built_in!("train-labels-idx1-ubyte.gz"),
        };
        let test = Files {
            pictures: built_in!("t10k-images-idx3-ubyte.gz"),
            labels: built_in!("t10k-labels-idx1-ubyte.gz"),
        };
        let classes = (0..10).map(|digit| digit.to_string()).collect();
        idx::assemble("mnist", Some(classes), &train, Some(&test))
    }
}
