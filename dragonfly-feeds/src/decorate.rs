//! Wrappers around a listener of books that decide which of its events go on.
//!
//! Put on with [`Feed::map_listener`](dragonfly_core::feed::Feed::map_listener); they combine, the
//! outermost sees what the inner ones let through:
//!
//! ```
//! use dragonfly_core::{clock::Nanos, feed::Listener, market::BookEvent};
//! use dragonfly_feeds::decorate::{Changed, Depth, Throttle};
//!
//! fn calm<L: Listener<Event = BookEvent>>(listener: L) -> impl Listener<Event = BookEvent> {
//!     Throttle::new(Changed::new(Depth::new(listener, 5)), Nanos::from_millis(50))
//! }
//! # let _ = calm::<Box<dyn Listener<Event = BookEvent>>>;
//! ```

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

mod changed;
mod depth;
mod per_book;
mod throttle;

pub use changed::Changed;
pub use depth::Depth;
pub use throttle::Throttle;
