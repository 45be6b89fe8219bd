//! Queues: the only thing that joins two stages.
//!
//! A queue is read by slice, like [`std::io::BufRead`]: [`Consumer::ready`] lends what is there,
//! [`Consumer::release`] gives it back. Nothing blocks: a full queue hands the item back, an empty
//! one lends an empty slice. Nothing wakes anybody either; that is the runner's part. Every queue has
//! a bound, and `n == 0` panics where the queue is named.
//!
//! | Constructor | Writers | Readers | Push | When full |
//! |---|---|---|---|---|
//! | [`spsc(n)`](spsc()) | one | one | wait-free | hands the item back |
//! | [`mpsc(n)`](mpsc()) | many | one | lock-free while writers run | hands the item back |
//! | [`spmc(n)`](spmc()) | one | many, each sees every item | wait-free between clones | hands the item back |
//! | [`mpmc(n)`](mpmc()) | many | many, each sees every item | lock-free while writers run | hands the item back |
//! | [`latest()`] | one | one | wait-free | keeps the newest, [counts](Producer::lost) the others |
//! | [`channel(n)`](channel()) | many | one | crossbeam's | hands the item back |
//!
//! Reading ([`ready`](Consumer::ready), [`release`](Consumer::release)) is wait-free on all but
//! `channel`. [`merge`] reads several ends as one, [`map`] reads one through a function.
//!
//! Which ends may be cloned is part of their types: [`ManyProducers`] for `mpsc`, `mpmc` and `channel`,
//! [`ManyReaders`] for `spmc` and `mpmc`. Items need to be `Send`, and `Sync` where readers share them;
//! never `Copy` or `Clone`.
//!
//! A queue outside this crate implements [`Queue`] and the traits of its two ends.

pub mod channel;
mod ends;
mod gating;
pub mod latest;
mod map;
mod merge;
#[cfg(all(test, loom))]
mod models;
pub mod mpmc;
pub mod mpsc;
mod readers;
mod slots;
pub mod spmc;
pub mod spsc;
mod traits;

pub use channel::channel;
pub use latest::latest;
pub use map::{Map, map};
pub use merge::{Merge, merge};
pub use mpmc::mpmc;
pub use mpsc::mpsc;
pub use readers::MAX_READERS;
pub use slots::MAX_CAPACITY;
pub use spmc::spmc;
pub use spsc::spsc;
pub use traits::{Closed, Consumer, ManyProducers, ManyReaders, Producer, PushError, Queue};
