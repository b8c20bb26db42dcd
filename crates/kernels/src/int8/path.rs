//! Which instructions a kernel uses.

#[cfg(target_arch = "x86_64")]
use super::vectors::{Avx2, Avx512};
use super::vectors::{Plain, Vectors};

/// The instructions that a kernel is to use. All write the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Four products of bytes at a time, summed, in each of 16 lanes (`vpdpbusd`).
    Avx512Vnni,
    /// Two products of 16-bit numbers at a time, summed, in each of 8 lanes (`vpmaddwd`).
    Avx2,
    /// What the compiler makes of plain loops for any processor.
    Portable,
}

impl Path {
    /// The fastest that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// All that this processor has, the fastest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let all = [Self::Avx512Vnni, Self::Avx2, Self::Portable];
        all.into_iter().filter(|path| path.is_available()).collect()
    }

    /// The name, as one would print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "AVX-512 VNNI",
            Self::Avx2 => "AVX2",
            Self::Portable => "portable",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Self::Portable
    }

    /// # Panics
    ///
    /// Where this processor lacks the instructions.
    pub(super) fn check(self) -> Checked {
        assert!(self.is_available(), "this processor lacks the instructions of the path {}", self.name());
        Checked(self)
    }
}

/// A path that this processor has: only [`Path::check`] makes one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked(Path);

impl Checked {
    pub(super) fn path(self) -> Path {
        self.0
    }

    /// Runs plain loops, compiled for the path's vectors.
    pub(super) fn run<L: Loops>(self, loops: L) -> L::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512Vnni => {
                #[expect(unsafe_code, reason = "instructions that not every processor has")]
                // SAFETY: A checked path is one that the processor has.
                unsafe {
                    avx512(loops, Avx512::new())
                }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => {
                #[expect(unsafe_code, reason = "instructions that not every processor has")]
                // SAFETY: As above.
                unsafe {
                    avx2(loops, Avx2::new())
                }
            }
            _ => loops.run(Plain),
        }
    }
}

/// Loops that are compiled for the path's instructions. `run` must be `#[inline(always)]`, and so must all that it calls:
/// code for wide vectors exists only where it is inlined into the function that was compiled for them.
pub(super) trait Loops {
    type Output;

    fn run<V: Vectors>(self, vectors: V) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<L: Loops>(loops: L, vectors: Avx512) -> L::Output {
    loops.run(vectors)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<L: Loops>(loops: L, vectors: Avx2) -> L::Output {
    loops.run(vectors)
}
