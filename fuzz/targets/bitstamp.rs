//! The decoder and the subscriber of bitstamp.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::decode("bitstamp", false, bytes));
