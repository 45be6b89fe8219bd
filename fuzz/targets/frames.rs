//! The frames of a WebSocket connection, against tungstenite.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::frames(bytes));
