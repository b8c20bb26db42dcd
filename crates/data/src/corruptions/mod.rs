//! Common corruptions: what cameras, weather and scribblers do to a picture without changing what it shows.
//!
//! The fifteen of MNIST-C, for pictures of any size and number of channels, each in five severities. Source: N. Mu,
//! J. Gilmer, "MNIST-C: A robustness benchmark for computer vision", 2019, and its code, whose parameters these are;
//! after D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
//! ICLR 2019. MNIST-C itself holds one severity of each ([`Corruption::shipped`]). What its code has no severities of
//! (stripe, dotted line, zigzag, canny edges) has ours, where each file says so. Lengths are in pixels of MNIST's 28 and
//! grow with the picture's shorter side, or with each side where something crosses it. Values are rounded to the
//! nearest byte.

mod brightness;
mod canny_edges;
mod canvas;
mod dotted_line;
mod fog;
mod gaussian;
mod glass_blur;
#[cfg(test)]
mod golden;
mod impulse_noise;
mod line;
mod motion_blur;
mod plasma;
mod rotate;
mod scale;
mod severity;
mod shear;
mod shot_noise;
mod spatter;
mod stripe;
mod translate;
mod warp;
mod zigzag;

use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use severity::Severity;

use crate::{Examples, Picture, seed};
use canvas::Canvas;

/// What every corruption does.
trait Corrupt: Sync {
    /// The severity that MNIST-C has it in.
    fn shipped(&self) -> Severity;

    /// Changes a picture. What it draws should not depend on the severity more than it must.
    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas;
}

/// Why nothing was corrupted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCorrupted {
    /// The inputs are rows of a table, or texts.
    #[error("{0} changes pictures; these inputs are no pictures")]
    NotPictures(&'static str),
    /// There is no such severity.
    #[error("there is no severity {0}: it goes from 1 to 5")]
    Severity(u8),
    /// There is no such corruption.
    #[error("there is no corruption \"{0}\"; there are {names}", names = names())]
    Unknown(String),
}

macro_rules! corruptions {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal in $module:ident,)*) => {
        /// Which corruption.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Corruption {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Corruption {
            /// All of them.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name that recipes and commands use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One sentence about it.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc.trim_ascii(),)*
                }
            }

            fn algorithm(self) -> &'static dyn Corrupt {
                match self {
                    $(Self::$variant => &$module::$variant,)*
                }
            }
        }
    };
}

corruptions! {
    /// Few photons: Poisson noise, more of it where the picture is bright.
    ShotNoise = "shot-noise" in shot_noise,
    /// Single values turn white or black.
    ImpulseNoise = "impulse-noise" in impulse_noise,
    /// As through frosted glass: blurred, and neighbouring pixels change places.
    GlassBlur = "glass-blur" in glass_blur,
    /// As from a camera in motion: smeared along a random direction.
    MotionBlur = "motion-blur" in motion_blur,
    /// Rows shift against each other, to the left or to the right.
    Shear = "shear" in shear,
    /// The picture shrinks about its middle.
    Scale = "scale" in scale,
    /// The picture turns about its middle, to the left or to the right.
    Rotate = "rotate" in rotate,
    /// Every pixel becomes brighter by the same.
    Brightness = "brightness" in brightness,
    /// The picture moves along a diagonal.
    Translate = "translate" in translate,
    /// A stripe along the left edge and one along the right are inverted.
    Stripe = "stripe" in stripe,
    /// Clouds in front of the picture.
    Fog = "fog" in fog,
    /// Splashes of dark mud on the lens.
    Spatter = "spatter" in spatter,
    /// A dotted line across the picture.
    DottedLine = "dotted-line" in dotted_line,
    /// A zigzag across the picture.
    Zigzag = "zigzag" in zigzag,
    /// The picture fades into its outlines.
    CannyEdges = "canny-edges" in canny_edges,
}

impl Corruption {
    /// The severity that MNIST-C has it in.
    #[must_use]
    pub fn shipped(self) -> Severity {
        self.algorithm().shipped()
    }

    /// The picture, corrupted. One without a pixel stays.
    ///
    /// # Panics
    ///
    /// If the picture's values are not as many as its shape says.
    #[must_use]
    pub fn apply(self, picture: &Picture, severity: Severity, rng: &mut ChaCha8Rng) -> Picture {
        let [channels, height, width] = [picture.channels, picture.height, picture.width];
        assert_eq!(picture.values.len(), channels * height * width, "values of a picture");
        if picture.values.is_empty() {
            return picture.clone();
        }
        self.algorithm().apply(Canvas::new([height, width], &picture.values), severity, rng).to_picture()
    }
}

impl FromStr for Corruption {
    type Err = NotCorrupted;

    fn from_str(name: &str) -> Result<Self, NotCorrupted> {
        let found = Self::ALL.into_iter().find(|corruption| corruption.name() == name);
        found.ok_or_else(|| NotCorrupted::Unknown(name.to_owned()))
    }
}

/// The same examples with every picture corrupted, on as many threads as rayon has.
///
/// What is drawn for a picture is found from the seed, the corruption and the picture's own bytes alone: a part of the
/// examples gets the pictures that the whole gets, and the five severities differ in severity, not in luck.
///
/// # Errors
///
/// If the inputs are not pictures of bytes.
pub fn corrupted(
    examples: &Examples,
    corruption: Corruption,
    severity: Severity,
    seed: u64,
) -> Result<Examples, NotCorrupted> {
    let mut changed = examples.clone();
    let not_pictures = || NotCorrupted::NotPictures(corruption.name());
    let (size, pictures) = changed.pictures_mut().ok_or_else(not_pictures)?;
    pictures.par_chunks_exact_mut(examples.input_len()).for_each(|bytes| {
        let mut rng = seed::stream(seed, corruption.name(), seed::fnv1a(bytes));
        corruption.algorithm().apply(Canvas::new(size, bytes), severity, &mut rng).write(bytes);
    });
    Ok(changed)
}

/// The names of all, for messages.
fn names() -> String {
    Corruption::ALL.map(Corruption::name).join(", ")
}
