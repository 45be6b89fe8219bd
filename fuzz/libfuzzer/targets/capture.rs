//! The capture reader, and what is written of it again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("capture", bytes));
