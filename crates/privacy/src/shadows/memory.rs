//! How many shadow models fit in memory at a time.

/// The share of the available memory that is used: others want some, too.
const SHARE: f64 = 0.8;

/// Bytes that the system would give to a new program without swapping, where it tells (Linux).
#[must_use]
pub fn available_memory() -> Option<u64> {
    read(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn read(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How many shadow models of `each` bytes are trained at a time: one for each thread, as far as they fit in `available`
/// bytes, and at least one. Where nobody knows what is available, all fit.
#[must_use]
pub fn at_a_time(threads: usize, each: u64, available: Option<u64>) -> usize {
    let fit = available.map_or(u64::MAX, |bytes| (bytes as f64 * SHARE) as u64 / each.max(1));
    threads.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are_threads_and_as_fit() {
        assert_eq!(at_a_time(8, 100, Some(1000)), 8);
        assert_eq!(at_a_time(8, 100, Some(500)), 4);
        assert_eq!(at_a_time(8, 100, Some(99)), 1);
        assert_eq!(at_a_time(8, 100, None), 8);
        assert_eq!(at_a_time(0, 0, Some(0)), 1);
    }

    #[test]
    fn what_the_system_says_is_read() {
        let text = "MemTotal:       16309724 kB\nMemFree:          284148 kB\nMemAvailable:    9123456 kB\nBuffers: 1 kB\n";
        assert_eq!(read(text), Some(9_123_456 * 1024));
        assert_eq!(read("MemTotal: 16309724 kB\n"), None);
    }
}
