//! WebSocket frames in pieces, in whole, and by tungstenite.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("frames", bytes));
