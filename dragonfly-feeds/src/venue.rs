//! The venues, one file each, and the list that registers them.
//!
//! A venue file says how to ask its venue for books, what the answers mean and how its messages
//! read; it declares the venue's [`BookRules`](dragonfly_core::market::BookRules) and
//! [`FeedPolicy`](dragonfly_core::feed::FeedPolicy) and leaves holding the venue to them to the
//! framework. To add a venue, write its file and name it in the list below: that makes the module,
//! the entry in [`all`], the row of [`table`] and a run of the conformance suite.
//!
//! ```
//! use dragonfly_core::{feed::{BookListener, Feed}, market::Instrument};
//! use dragonfly_feeds::venue::{self, Subscription};
//!
//! let spec = venue::find("kraken").expect("registered");
//! let instrument: Instrument = "BTC-USD".parse()?;
//! let native = (spec.native)(&instrument).expect("Kraken trades spot");
//! let wanted = Subscription::new([native], 10);
//! let listener = BookListener::new(
//!     spec.id.parse()?,
//!     (spec.decoder)(&wanted),
//!     (spec.rules)(),
//!     wanted.depth,
//!     [(instrument.symbol(), native)],
//! );
//! let feed = Feed::new(spec.id, (spec.subscriber)(&wanted), listener, (spec.policy)());
//! assert_eq!((spec.endpoint)(&instrument), "wss://ws.kraken.com/v2");
//! # let _ = feed;
//! # Ok::<(), Box<dyn std::error::Error>>(())
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

mod grammar;
mod spec;

pub use spec::{Diffs, Spec, Subscription, table};

macro_rules! venues {
    (($dollar:tt) $($name:ident),+ $(,)?) => {
        $(mod $name;)+

        static ALL: &[&Spec] = &[$(&$name::SPEC),+];

        /// Hands the module names of all registered venues to another macro, such as one that makes
        /// a test of each.
        #[macro_export]
        macro_rules! each_venue {
            ($dollar macro_name:ident) => {
                $dollar macro_name! { $($name)+ }
            };
        }
    };
}

venues! {
    ($)
    binance,
    bitstamp,
    bybit,
    coinbase_advanced,
    kraken,
}

/// Every registered venue, by id.
pub fn all() -> &'static [&'static Spec] {
    ALL
}

/// The venue with this id, such as `coinbase-advanced`.
pub fn find(id: &str) -> Option<&'static Spec> {
    ALL.iter().copied().find(|spec| spec.id == id)
}
