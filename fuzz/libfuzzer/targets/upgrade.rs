//! The answer to a WebSocket upgrade, and frames behind it, over TCP.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("upgrade", bytes));
