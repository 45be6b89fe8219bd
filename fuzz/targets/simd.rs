//! What is read in wide registers, or compared with what is expected, against the plain way.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::simd(bytes));
