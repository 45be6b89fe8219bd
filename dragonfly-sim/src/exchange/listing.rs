//! One instrument at an exchange: its market and how the venue numbers what it says of it.

use std::borrow::Cow;

use crate::{fault::Kind, market::Market};

/// One instrument at an exchange.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The venue's own symbol, the first it had.
    pub(crate) native: String,
    pub(crate) market: Market,
    /// False once it has been delisted.
    pub(crate) is_listed: bool,
    /// Whether it goes on under another symbol.
    pub(crate) is_renamed: bool,
    /// Nothing is sent of it before this time in ns.
    pub(crate) frozen_until: u64,
    /// How often the venue's count has begun.
    pub(crate) generation: u64,
    /// What the venue's number is ahead of the market's count of changes.
    offset: u64,
    /// How far the venue's time stamps are behind its clock, in us.
    behind_us: u64,
    /// The last change's time stamp, which grows with each.
    pub(crate) stamp_us: u64,
}

impl Listing {
    /// A listing whose numbers begin at `first`.
    pub(crate) const fn new(native: String, market: Market, first: u64, utc: u64) -> Self {
        Self {
            native,
            market,
            is_listed: true,
            is_renamed: false,
            frozen_until: 0,
            generation: 0,
            offset: first,
            behind_us: 0,
            stamp_us: utc / 1_000,
        }
    }

    /// The symbol it is traded under.
    pub(crate) fn symbol(&self) -> Cow<'_, str> {
        match self.is_renamed {
            false => Cow::Borrowed(&self.native),
            true if self.native.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(format!("X{}", self.native))
            }
            true => Cow::Owned(format!("x{}", self.native)),
        }
    }

    /// Whether there is anything to be had under its first symbol.
    pub(crate) const fn is_known(&self) -> bool {
        self.is_listed && !self.is_renamed
    }

    /// The venue's number of the book as it is.
    pub(crate) const fn number(&self) -> u64 {
        self.offset.wrapping_add(self.market.version)
    }

    /// Stamps a change that happened at `utc` ns.
    pub(crate) fn stamp(&mut self, utc: u64) {
        let at = (utc / 1_000).saturating_sub(self.behind_us);
        self.stamp_us = at.max(self.stamp_us + 1);
    }

    /// The venue's count and its time stamps begin again, lower.
    pub(crate) fn recount(&mut self, by_us: u64) {
        self.generation += 1;
        // A venue's numbers begin with 1.
        let lower = (self.number() / 3).max(1);
        self.offset = lower.wrapping_sub(self.market.version);
        self.behind_us += by_us;
        self.stamp_us = self.stamp_us.saturating_sub(by_us);
    }

    /// Lets happen to the instrument what the venue has power over, from `now` to `until` in ns.
    pub(crate) fn hurt(&mut self, kind: Kind, is_bid: bool, now: u64, until: u64) {
        let market = &mut self.market;
        match kind {
            Kind::Frozen => self.frozen_until = until,
            Kind::Delisted => self.is_listed = false,
            Kind::Renamed => self.is_renamed = true,
            Kind::Crossed => market.cross(until),
            Kind::Thin => market.thin(until),
            Kind::EmptySide => market.empty_side(is_bid, until),
            Kind::Halted => market.halt(until),
            _ => market.burst(until, now),
        }
        if !matches!(
            kind,
            Kind::Frozen | Kind::Delisted | Kind::Renamed | Kind::Halted
        ) {
            market.hurry(now);
        }
    }
}
