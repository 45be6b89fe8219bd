//! Ledgers and views, and the oracle's verdict on them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("ledger", bytes));
