//! A cursor over the bytes of a JSON message, for messages whose shape is known.
//!
//! It finds keys by name in any order, skips what nobody asked for without looking into it, and
//! yields slices of the message: no tree, no allocation, no byte offsets. White space, unknown keys
//! and nesting up to [`MAX_NESTING`] are no trouble; escapes are resolved in place beforehand by
//! [`unescape`], which costs one search for a backslash where there is none.
//!
//! What does not have the expected shape is a [`Fault`], which names the place; there is no second,
//! more general parser to fall back on, because a tree of floating-point numbers could not carry
//! prices exactly. What is skipped is checked for closed strings and balanced brackets only, and of
//! levels beyond the wanted ones only the end is looked for.

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

mod cursor;
mod escape;
mod fault;
mod levels;
mod literal;
mod scalars;
pub mod simd;
mod time;

pub use cursor::{Cursor, MAX_NESTING, whole_number};
pub use escape::{quoted, unescape};
pub use fault::{Fault, Parse};
pub use levels::Decimals;
pub(crate) use literal::Memo;
pub use scalars::scalars;
pub(crate) use simd::{LevelShape, Piece};
pub use time::rfc3339;
