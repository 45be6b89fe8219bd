//! The decoder of Bitstamp's channel of changes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("bitstamp_diffs", bytes));
