//! What the benchmarks share: messages of realistic shape and book images.
//!
//! The benchmarks themselves are the other files here, one a stage of the path; what they measure
//! and how to run them is in `README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a benchmark that cannot set itself up stops"
)]

use std::{
    env,
    path::{Path, PathBuf},
};

pub mod books;
pub mod cgroup;
pub mod http2;
pub mod images;
pub mod loopback;
pub mod messages;
pub mod report;

/// How often a shape is done where its instructions are counted.
pub const ROUNDS: u64 = 64;

/// Where cargo puts what it builds, and where the benchmarks put what they find.
pub fn target_folder() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(own, PathBuf::from)
}
