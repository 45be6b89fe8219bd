//! Layer 4 of Dragonfly: the consolidated book over venues, and the liquidity summed by price.
//!
//! Both take part in [`BookEvent`](dragonfly_core::market::BookEvent)s only: they know no venue, no
//! protocol and no service. Only books that are `Live` enter; every view says which books it rests
//! on, and when none is `Live` it is empty and says that.

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

mod bbo;
#[doc(hidden)]
pub mod bench;
mod legs;
mod liquidity;
mod merge;
mod top;

pub use bbo::Bbo;
pub use liquidity::Liquidity;
