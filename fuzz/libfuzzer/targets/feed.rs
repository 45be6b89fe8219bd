//! Several messages through a venue's whole feed, in parts and in whole.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("feed", bytes));
