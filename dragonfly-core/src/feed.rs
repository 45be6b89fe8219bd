//! Layers 2 and 3: a feed as a state machine without I/O.
//!
//! A [`Feed`] joins a [`Subscriber`] (what to ask a venue for, what its answers mean) and a
//! [`Listener`] (what its messages mean). Bytes and the time go in; events, bytes to send and the
//! next deadline come out. Two thin drivers run it: an asynchronous one over a connection, in the
//! client crate, and [`replay`](Feed::on_message) by hand over recorded messages.
//!
//! For books, [`BookListener`] holds a venue to the [`BookRules`](crate::market::BookRules) it
//! declared, so that a venue file is left with two things: a [`Subscriber`] and a [`Decoder`].

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod backlog;
mod backoff;
mod book_listener;
mod budget;
mod decoder;
mod early;
mod listener;
mod machine;
mod subscriber;

pub use backlog::Backlog;
pub use backoff::Backoff;
pub use book_listener::{BookListener, BookStats, TrackedBook};
pub use budget::Budget;
pub use decoder::{Decoded, Decoder, FeedError};
pub use early::EarlyDecoder;
pub use listener::{Heard, Link, Listener};
pub(crate) use machine::panic_text;
pub use machine::{Feed, FeedPolicy, FeedStats, Ping, Request, Verdict};
pub use subscriber::{Ack, Ask, Subscriber};
