//! Levels and messages in wide registers against byte by byte.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("simd", bytes));
