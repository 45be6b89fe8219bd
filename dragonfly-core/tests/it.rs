//! The core as its users see it.
#![allow(clippy::unwrap_used)]

#[path = "it/feed.rs"]
mod feed;
#[path = "it/flow.rs"]
mod flow;
#[path = "it/sync.rs"]
mod sync;
