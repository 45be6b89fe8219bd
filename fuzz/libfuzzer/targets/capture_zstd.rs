//! The same from a compressed file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("capture_zstd", bytes));
