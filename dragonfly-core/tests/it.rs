//! The core as its users see it.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

#[path = "it/feed.rs"]
mod feed;
#[path = "it/feed_bench.rs"]
mod feed_bench;
#[path = "it/feed_faults.rs"]
mod feed_faults;
#[path = "it/flow.rs"]
mod flow;
#[path = "it/queue.rs"]
mod queue;
#[path = "it/queue_adapters.rs"]
mod queue_adapters;
#[path = "it/queue_broadcast.rs"]
mod queue_broadcast;
#[path = "it/run.rs"]
mod run;
#[path = "it/slow_messages.rs"]
mod slow_messages;
#[path = "it/sync.rs"]
mod sync;
