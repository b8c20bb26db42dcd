#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| crucible_fuzz::pytorch(bytes));
