//! A recording through a venue's feed and books.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("replay", bytes));
