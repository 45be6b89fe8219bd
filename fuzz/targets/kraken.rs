//! The decoder and the subscriber of kraken.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::decode("kraken", false, bytes));
