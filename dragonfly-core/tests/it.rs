//! The core as its users see it.

#[path = "it/feed.rs"]
mod feed;
#[path = "it/sync.rs"]
mod sync;
