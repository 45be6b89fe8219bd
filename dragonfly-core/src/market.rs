//! The market vocabulary: exact numbers, instruments, books and the events that carry them.
//!
//! Bids descend, asks ascend, quantity zero removes a level, and no price or quantity ever passes
//! through a floating-point number.

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

mod book;
mod checksum;
mod decimal;
mod event;
mod instrument;
mod ladder;
mod name;
mod rules;
mod sync;
mod update;
mod view;

pub use book::Book;
pub use checksum::{ChecksumRule, ChecksumText};
pub use decimal::{NumberError, Price, Qty};
pub use event::{BookEvent, BookState, Cause};
pub use instrument::{Instrument, InstrumentError, Kind};
pub use ladder::{Depth, Ladder, Level, MAX_DEPTH};
pub use name::{Name, NameError, NameHash, NameHasher, Symbol, Venue};
pub use rules::{BookRules, SequenceRule};
pub use sync::{BookSync, Outcome, SyncStats};
pub use update::{BookUpdate, UpdateKind};
pub use view::{AggregatedBook, ConsolidatedBook, LegId, LegStatus, Legs, MAX_LEGS, VenueLevel};
