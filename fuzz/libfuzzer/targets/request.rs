//! The body of each call of the gRPC server, over TCP.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("request", bytes));
