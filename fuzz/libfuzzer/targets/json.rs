//! Any JSON by the cursor, wide and byte by byte, against serde_json.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("json", bytes));
