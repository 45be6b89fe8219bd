//! Atomics, locks and shared pointers behind one name, so that loom can stand in for them.
//!
//! Built with `--cfg loom` these are loom's, which run every interleaving of a model; otherwise
//! they are the standard library's.
#![allow(unused_imports)]

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
