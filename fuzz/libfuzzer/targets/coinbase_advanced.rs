//! The decoder of Coinbase Advanced.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("coinbase_advanced", bytes));
