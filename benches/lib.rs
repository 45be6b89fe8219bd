//! What the benchmarks share: messages of realistic shape and book images.
//!
//! The benchmarks themselves are the other files here, one a stage of the path; what they measure
//! and how to run them is in `README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a benchmark that cannot set itself up stops"
)]

/// How often a shape is done where its instructions are counted.
pub const ROUNDS: u64 = 64;

pub mod books;
pub mod images;
pub mod loopback;
pub mod messages;
