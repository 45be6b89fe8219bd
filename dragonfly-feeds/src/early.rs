//! Decoders that read a large message while the rest of it is on its way.
//!
//! They stand before a venue's own [`Decoder`](dragonfly_core::feed::Decoder) and know no grammar:
//! what has come of a message is closed with what a message of its kind ends in, and the venue's
//! decoder reads that. Wherever a message is not written as expected, or the decoder does not take
//! what was made of it, the whole is waited for. [`BestFirst`] can show a book before its message is
//! whole; [`Piecewise`] cannot, but has nearly all of it read by then.

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

mod best_first;
mod piecewise;

pub(crate) use best_first::BestFirst;
pub(crate) use piecewise::Piecewise;
