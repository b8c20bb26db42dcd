//! The allocator's habits.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// `mi_option_purge_delay`, which the bindings have no name for.
const PURGE_DELAY: mi_option_t = 15;

/// Has mimalloc, where it is the program's allocator, keep freed memory instead of giving it back to the system after a second:
/// each step of training asks for the same again, and the system clears every page that it hands out. A step of MiniLM takes
/// a tenth less time. What the environment says (`MIMALLOC_PURGE_DELAY`) has precedence.
pub fn keep_freed_memory() {
    // SAFETY: the option is a plain number inside the allocator, which any thread may set at any time.
    #[expect(unsafe_code, reason = "there is no safe binding")]
    unsafe {
        mi_option_set_default(PURGE_DELAY, -1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_delay_in_milliseconds() {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "there is no safe binding")]
        let read = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // The library's own default, which tells the option from others.
        assert_eq!(read(), 1000);
        keep_freed_memory();
        assert_eq!(read(), -1);
    }
}
