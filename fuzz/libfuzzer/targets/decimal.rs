//! Decimal text, both ways, against each other.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("decimal", bytes));
