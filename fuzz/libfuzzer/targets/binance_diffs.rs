//! The decoder of Binance's channel of changes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("binance_diffs", bytes));
