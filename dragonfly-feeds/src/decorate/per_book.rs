//! What a decorator remembers of each book.

#![allow(
    clippy::indexing_slicing,
    reason = "the index names places of books that were added, and none is ever taken out"
)]

use std::collections::HashMap;

use dragonfly_core::market::{BookEvent, LegId, NameHash};

/// One value a book, found by the book's events.
#[derive(Debug)]
pub(super) struct PerBook<T> {
    index: HashMap<LegId, usize, NameHash>,
    keys: Vec<LegId>,
    values: Vec<T>,
    /// The book of the last event: often that of the next one, too.
    last: usize,
}

impl<T> Default for PerBook<T> {
    fn default() -> Self {
        Self {
            index: HashMap::default(),
            keys: Vec::new(),
            values: Vec::new(),
            last: 0,
        }
    }
}

impl<T> PerBook<T> {
    /// The value of the event's book, made by `new` where the book is new.
    #[inline]
    pub(super) fn of(&mut self, event: &BookEvent, new: impl FnOnce() -> T) -> &mut T {
        let last = self.keys.get(self.last);
        if !last.is_some_and(|key| key.is_of(event)) {
            self.last = *self.index.entry(event.key()).or_insert(self.keys.len());
        }
        if self.last == self.keys.len() {
            self.keys.push(event.key());
            self.values.push(new());
        }
        &mut self.values[self.last]
    }

    /// Every book's value, in the order in which they first came.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }
}
