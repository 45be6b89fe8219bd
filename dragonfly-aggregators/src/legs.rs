//! The newest image of every leg, and the order in which legs win ties.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookEvent, BookState, Depth, Legs, Level, MAX_LEGS, Symbol},
};

/// What both aggregators keep of their input.
#[derive(Debug, Default)]
pub(crate) struct LegBooks {
    pub(crate) legs: Legs,
    /// The image of each leg; empty unless it is `Live`.
    depths: Vec<Depth>,
    /// The legs in the order of their names: of two equal levels the first leg here comes first.
    by_name: Vec<u8>,
    /// When the newest message of any leg was read.
    pub(crate) ts_recv: UtcNanos,
    overflowing: bool,
    /// What the view is called; by default as the leg that reported first.
    pub(crate) name: Option<Symbol>,
    seq: u64,
    is_dirty: bool,
}

impl LegBooks {
    /// Takes an event in; one of a leg there is no room for is left out.
    pub(crate) fn apply(&mut self, event: &BookEvent) {
        let Some(index) = self.legs.note(event) else {
            if !std::mem::replace(&mut self.overflowing, true) {
                tracing::error!(
                    venue = %event.venue, symbol = %event.native_symbol,
                    "left out: a view rests on at most {MAX_LEGS} books",
                );
            }
            return;
        };
        if index == self.depths.len() {
            self.depths.push(Depth::default());
            self.rank();
        }
        let is_live = event.state == BookState::Live;
        self.depths[index] = if is_live {
            event.depth
        } else {
            Depth::default()
        };
        self.ts_recv = self.ts_recv.max(event.ts_recv);
        self.is_dirty = true;
    }

    /// The sequence of the next view, if there is anything new to show in it.
    pub(crate) fn next_seq(&mut self) -> Option<u64> {
        if !std::mem::take(&mut self.is_dirty) {
            return None;
        }
        self.seq += 1;
        Some(self.seq)
    }

    /// What the view is called.
    pub(crate) fn symbol(&self) -> Symbol {
        let first = self.legs.id(0).map(|leg| leg.symbol);
        self.name.or(first).unwrap_or_default()
    }

    fn rank(&mut self) {
        let name = |&leg: &u8| {
            self.legs
                .id(leg.into())
                .map(|id| (id.venue, id.native_symbol))
        };
        let mut order: Vec<u8> = (0..=u8::MAX).take(self.depths.len()).collect();
        order.sort_by_key(name);
        self.by_name = order;
    }

    /// Visits the levels of one side over all `Live` legs, best first, until `visit` says stop.
    ///
    /// A k-way merge of sorted lists: `better(a, b)` is true when `a` is strictly better than `b`;
    /// of equal levels the one of the first leg by name comes first.
    #[inline]
    pub(crate) fn merge(
        &self,
        side: impl Fn(&Depth) -> &[Level],
        better: impl Fn(&Level, &Level) -> bool,
        mut visit: impl FnMut(u8, &Level) -> bool,
    ) {
        let mut heads = [(0_u8, [].as_slice()); MAX_LEGS];
        let mut count = 0;
        for &leg in &self.by_name {
            let levels = side(&self.depths[usize::from(leg)]);
            if !levels.is_empty() {
                heads[count] = (leg, levels);
                count += 1;
            }
        }
        while count > 0 {
            let mut best = 0;
            for at in 1..count {
                if better(&heads[at].1[0], &heads[best].1[0]) {
                    best = at;
                }
            }
            let (leg, levels) = heads[best];
            if !visit(leg, &levels[0]) {
                return;
            }
            heads[best].1 = &levels[1..];
            if levels.len() == 1 {
                // Kept in the order of names: a swap would break ties wrongly.
                heads.copy_within(best + 1..count, best);
                count -= 1;
            }
        }
    }
}
