//! One book of a listener.

use super::{
    super::{
        book::{Book, Cause},
        kind::{Kind, Tally},
        setup::Rules,
    },
    Told,
};

/// A book, and what is known of it besides.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) book: Book,
    pub(super) touched: u64,
    pub(super) since: u64,
    pub(super) doubted: Option<(u64, Cause)>,
    pub(super) in_vain: u32,
    /// How often it was refused since it was last live.
    pub(super) refusals: u32,
    /// When so many asks in a row are allowed again.
    pub(super) rested_at: u64,
    pub(super) told: Option<Told>,
    pub(super) stamps: (Option<u64>, u64),
    /// Whether the book had an empty side when it was last live, and fewer levels than are shown.
    pub(super) was_short: (bool, bool),
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self {
            book: Book::new(),
            touched: 0,
            since: 0,
            doubted: None,
            in_vain: 0,
            refusals: 0,
            rested_at: 0,
            told: None,
            stamps: (None, 0),
            was_short: (false, false),
        }
    }

    /// Notes what there is to be seen of its size.
    pub(super) fn note_size(&mut self, rules: &Rules, tally: &mut Tally) {
        let (bids, asks) = (&self.book.bids.levels, &self.book.asks.levels);
        let least = bids.len().min(asks.len());
        let is_short = (least == 0, least < rules.depth);
        if is_short.0 && !self.was_short.0 {
            tally.note(Kind::EmptySide);
        }
        if is_short.1 && !self.was_short.1 {
            tally.note(Kind::FewLevels);
        }
        self.was_short = is_short;
    }
}
