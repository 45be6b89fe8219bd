//! The decoder and the subscriber of binance.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::decode("binance", false, bytes));
