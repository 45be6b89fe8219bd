//! An HTTP/2 client of the gRPC server, frame by frame, over TCP.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("http2", bytes));
