//! The answers of a gRPC server to the client.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("view", bytes));
