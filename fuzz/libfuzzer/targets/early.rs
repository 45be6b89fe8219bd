//! Messages that are read while they arrive, against the same in whole.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("early", bytes));
