//! Who takes part in a view: the legs, how they are, and the order in which they win ties.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within lists of a fixed length, and ranks below their number; held to a merge by brute force"
)]

use std::hash::BuildHasher as _;

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookEvent, Legs, MAX_LEGS, NameHash, Symbol},
};

/// What both aggregators keep of their input besides the levels.
#[derive(Debug, Default)]
pub(crate) struct LegBooks {
    /// A hash of each leg's venue and native symbol: to compare one number a leg where there are
    /// many. Legs may share it; their whole keys are compared then.
    hashes: Vec<u64>,
    /// The legs in the order of their names: of two equal levels the first leg here comes first.
    pub(crate) by_name: Vec<u8>,
    /// The place of each leg in that order.
    pub(crate) ranks: Vec<u8>,
    /// When the newest message of any leg was read.
    pub(crate) ts_recv: UtcNanos,
    overflowing: bool,
    /// What the view is called; by default as the leg that reported first.
    pub(crate) name: Option<Symbol>,
    seq: u64,
    is_dirty: bool,
}

/// The leg of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    pub(crate) leg: u8,
    /// It has not reported before: the order has changed.
    pub(crate) is_new: bool,
}

impl LegBooks {
    /// Takes over how the event's leg is; one there is no room for is left out.
    #[inline]
    pub(crate) fn note(&mut self, legs: &mut Legs, event: &BookEvent) -> Option<Noted> {
        let hash = NameHash.hash_one((event.venue, event.native_symbol));
        let mut alike = (0..).zip(&self.hashes).filter(|(_, known)| **known == hash);
        let known = alike.find(|(leg, _)| legs.refresh(*leg, event));
        let (leg, is_new) = match known {
            Some((leg, _)) => (leg, false),
            _ => self.note_unknown(legs, event, hash)?,
        };
        self.ts_recv = self.ts_recv.max(event.ts_recv);
        self.is_dirty = true;
        let leg = u8::try_from(leg).ok()?;
        Some(Noted { leg, is_new })
    }

    #[cold]
    fn note_unknown(
        &mut self,
        legs: &mut Legs,
        event: &BookEvent,
        hash: u64,
    ) -> Option<(usize, bool)> {
        let Some(leg) = legs.note(event) else {
            if !std::mem::replace(&mut self.overflowing, true) {
                tracing::error!(
                    venue = %event.venue, symbol = %event.symbol,
                    "left out: a view rests on at most {MAX_LEGS} books",
                );
            }
            return None;
        };
        let is_new = leg == self.hashes.len();
        if is_new {
            self.hashes.push(hash);
            self.rank(legs);
        }
        Some((leg, is_new))
    }

    /// The sequence of the next view, if there is anything new to show in it.
    #[inline]
    pub(crate) fn next_seq(&mut self) -> Option<u64> {
        if !std::mem::take(&mut self.is_dirty) {
            return None;
        }
        self.seq += 1;
        Some(self.seq)
    }

    /// What the view is called.
    pub(crate) fn symbol(&self, legs: &Legs) -> Symbol {
        let first = legs.id(0).map(|leg| leg.symbol);
        self.name.or(first).unwrap_or_default()
    }

    fn rank(&mut self, legs: &Legs) {
        let name = |&leg: &u8| {
            let id = legs.id(leg.into());
            id.map(|id| (id.venue, id.native_symbol, id.symbol))
        };
        let mut order: Vec<u8> = (0..=u8::MAX).take(self.hashes.len()).collect();
        order.sort_by_key(name);
        self.ranks = vec![0; order.len()];
        for (rank, leg) in (0..).zip(&order) {
            self.ranks[usize::from(*leg)] = rank;
        }
        self.by_name = order;
    }
}
