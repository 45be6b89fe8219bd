//! The decoder and the subscriber of coinbase-advanced.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::decode(
    "coinbase-advanced",
    false,
    bytes
));
