//! Every venue's answers to subscriptions.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dragonfly_fuzz::run("acknowledge", bytes));
