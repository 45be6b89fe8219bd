//! The consolidated book by a scan: for every level of the view, the head of every leg is looked at.

use std::cmp::Ordering;

use dragonfly_core::market::{
    BookEvent, BookState, ConsolidatedBook, Depth, Ladder, Legs, Level, MAX_LEGS, VenueLevel,
};

/// Keeps the newest image of every leg, and merges all of them for every event.
pub(crate) struct LinearScan {
    depth: usize,
    legs: Legs,
    depths: Vec<Depth>,
    by_name: Vec<u8>,
    view: ConsolidatedBook,
    is_dirty: bool,
}

impl LinearScan {
    pub(crate) fn new(depth: usize) -> Self {
        Self {
            depth,
            legs: Legs::default(),
            depths: Vec::new(),
            by_name: Vec::new(),
            view: ConsolidatedBook::default(),
            is_dirty: false,
        }
    }

    pub(crate) fn apply(&mut self, event: &BookEvent) {
        let Some(index) = self.legs.note(event) else {
            return;
        };
        if index == self.depths.len() {
            self.depths.push(Depth::default());
            self.by_name.push(u8::try_from(index).unwrap_or(0));
            let legs = &self.legs;
            self.by_name.sort_by_key(|leg| {
                legs.id((*leg).into())
                    .map(|id| (id.venue, id.native_symbol, id.symbol))
            });
        }
        let is_live = event.state == BookState::Live;
        self.depths[index] = if is_live {
            event.depth
        } else {
            Depth::default()
        };
        self.view.symbol = event.symbol;
        self.view.ts_recv = self.view.ts_recv.max(event.ts_recv);
        self.is_dirty = true;
    }

    pub(crate) fn publish(&mut self) -> Option<ConsolidatedBook> {
        if !std::mem::take(&mut self.is_dirty) {
            return None;
        }
        self.view.seq += 1;
        let [bids, asks] = self.sides();
        Some(ConsolidatedBook {
            bids,
            asks,
            legs: self.legs.clone(),
            ..self.view.clone()
        })
    }

    /// Both sides of the view, without anything else of it.
    pub(crate) fn sides(&self) -> [Ladder<VenueLevel>; 2] {
        [
            self.side(|depth| &depth.bids, |a, b| a > b),
            self.side(|depth| &depth.asks, |a, b| a < b),
        ]
    }

    fn side(
        &self,
        side: impl Fn(&Depth) -> &[Level],
        better: impl Fn(i128, i128) -> bool,
    ) -> Ladder<VenueLevel> {
        let mut heads = [(0_u8, [].as_slice()); MAX_LEGS];
        let mut count = 0;
        for &leg in &self.by_name {
            let levels = side(&self.depths[usize::from(leg)]);
            if !levels.is_empty() {
                heads[count] = (leg, levels);
                count += 1;
            }
        }
        let before = |a: &Level, b: &Level| match a.price.cmp(&b.price) {
            Ordering::Equal => a.qty > b.qty,
            _ => better(a.price.units(), b.price.units()),
        };
        let mut ladder = Ladder::default();
        while count > 0 && ladder.len() < self.depth {
            let mut best = 0;
            for at in 1..count {
                if before(&heads[at].1[0], &heads[best].1[0]) {
                    best = at;
                }
            }
            let (leg, levels) = heads[best];
            let Level { price, qty } = levels[0];
            ladder.push(VenueLevel { price, qty, leg });
            heads[best].1 = &levels[1..];
            if levels.len() == 1 {
                heads.copy_within(best + 1..count, best);
                count -= 1;
            }
        }
        ladder
    }
}
