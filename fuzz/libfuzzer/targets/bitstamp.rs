//! The decoder of Bitstamp.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("bitstamp", bytes));
