//! Random streams that depend on nothing but a seed, a name, and a position.
//!
//! Because a stream is found by its position (this epoch, that step) and never by what was drawn before, an
//! interrupted job resumes to the same bytes without saving any generator.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator for `name` (what the numbers are for) at `position` (which epoch, which step).
///
/// Streams with different names or positions are independent; the same three arguments give the same numbers on
/// every platform.
#[must_use]
pub fn stream(seed: u64, name: &str, position: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
    key[16..24].copy_from_slice(&position.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Fowler-Noll-Vo hash, 1a, 64 bits: a fixed, documented way from bytes, such as a name's, to a number.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stream_is_found_by_seed_name_and_position() {
        let first = |seed, name, position| stream(seed, name, position).next_u64();
        assert_eq!(first(1, "shuffle", 3), first(1, "shuffle", 3));
        let mut seen = vec![
            first(1, "shuffle", 3),
            first(2, "shuffle", 3),
            first(1, "dropout", 3),
            first(1, "shuffle", 4),
        ];
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn the_name_hash_is_the_published_one() {
        // Test vectors of the FNV authors' page for FNV-1a 64.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
