//! The decoder and the subscriber of bybit.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::decode("bybit", false, bytes));
