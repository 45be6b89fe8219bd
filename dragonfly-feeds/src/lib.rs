//! Layers 2 and 3 of Dragonfly: one file a venue, partial JSON parsing, listener decorators.
//!
//! * [`venue`]: the venues, each a [`Subscriber`](dragonfly_core::feed::Subscriber), a
//!   [`Decoder`](dragonfly_core::feed::Decoder) and the rules it declares; look them up by id.
//! * [`decorate`]: wrappers that decide which events of a listener go on.
//! * [`VenueReplay`]: recordings through the same code.
//! * [`json`]: the cursor the decoders read messages with.
//!
//! Nothing here does I/O, keeps a clock, or decides whether a book can be trusted: that is
//! `dragonfly-core`'s.

pub mod decorate;
mod early;
pub mod json;
mod open;
mod replay;
pub mod venue;

pub use dragonfly_clients::Gate;
pub use open::{BookChanges, BookFeed, Builder, OpenError, build_all, open};
pub use replay::{ReplayCounts, VenueReplay};
