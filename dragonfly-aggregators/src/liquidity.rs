//! Aggregated liquidity: the quantity at each price, summed over all venues.

use dragonfly_core::{
    market::{
        AggregatedBook, BookEvent, BookState, Depth, Ladder, Level, MAX_DEPTH, MAX_LEGS, Symbol,
    },
    stage::Aggregator,
};

use crate::legs::LegBooks;

/// Folds the books of many venues into one [`AggregatedBook`]: levels of equal price are one.
///
/// The view is exact as far down as every venue's image reaches; a price beyond the worst level of
/// one venue's image has no share of that venue.
#[derive(Debug)]
pub struct Liquidity {
    depth: usize,
    books: LegBooks,
    /// The image of each leg; empty unless it is `Live`.
    images: Vec<Depth>,
    /// The view of each side, until an image changes that side.
    bids: Option<Ladder>,
    asks: Option<Ladder>,
}

impl Liquidity {
    /// Publishes the best `depth` prices a side: 1 to [`MAX_DEPTH`], the nearest of them otherwise.
    pub fn levels(depth: usize) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        Self {
            depth,
            books: LegBooks::default(),
            images: Vec::new(),
            bids: None,
            asks: None,
        }
    }

    /// Names the view; by default it has the symbol of the leg that reported first.
    #[must_use]
    pub fn named(mut self, symbol: Symbol) -> Self {
        self.books.name = Some(symbol);
        self
    }
}

impl Aggregator for Liquidity {
    type Input = BookEvent;
    type Output = AggregatedBook;

    fn apply(&mut self, event: &BookEvent) {
        let Some(noted) = self.books.note(event) else {
            return;
        };
        if noted.leg >= self.images.len() {
            self.images.resize_with(noted.leg + 1, Depth::default);
        }
        let image = &mut self.images[noted.leg];
        let new = match event.state {
            BookState::Live => &event.depth,
            _ => &Depth::default(),
        };
        if image.bids != new.bids {
            (image.bids, self.bids) = (new.bids, None);
        }
        if image.asks != new.asks {
            (image.asks, self.asks) = (new.asks, None);
        }
    }

    fn publish(&mut self) -> Option<AggregatedBook> {
        let seq = self.books.next_seq()?;
        let (images, order, depth) = (&self.images, &self.books.by_name, self.depth);
        let legs = || order.iter().filter_map(|leg| images.get(usize::from(*leg)));
        let sum_bids = || {
            sum(legs().map(|i| i.bids.as_slice()), depth, |a, b| {
                a.price > b.price
            })
        };
        let sum_asks = || {
            sum(legs().map(|i| i.asks.as_slice()), depth, |a, b| {
                a.price < b.price
            })
        };
        Some(AggregatedBook {
            symbol: self.books.symbol(),
            seq,
            bids: *self.bids.get_or_insert_with(sum_bids),
            asks: *self.asks.get_or_insert_with(sum_asks),
            legs: self.books.legs.clone(),
            ts_recv: self.books.ts_recv,
        })
    }

    fn name(&self) -> String {
        format!("liquidity {} levels", self.depth)
    }
}

/// The best `depth` prices over all legs.
fn sum<'a>(
    legs: impl Iterator<Item = &'a [Level]>,
    depth: usize,
    better: impl Fn(&Level, &Level) -> bool,
) -> Ladder {
    let mut ladder = Ladder::default();
    let mut sum: Option<Level> = None;
    visit(legs, better, |level| {
        match &mut sum {
            Some(open) if open.price == level.price => {
                // Quantities are bounded far below the range of the sum.
                open.qty = open.qty.checked_add(level.qty).unwrap_or(open.qty);
                return true;
            }
            _ => {}
        }
        sum.replace(*level).is_none_or(|done| {
            ladder.push(done);
            ladder.len() < depth
        })
    });
    if let Some(done) = sum.filter(|_| ladder.len() < depth) {
        ladder.push(done);
    }
    ladder
}

/// Visits the levels of one side over all legs, best first, until `visit` says stop: a k-way merge
/// of sorted lists.
fn visit<'a>(
    legs: impl Iterator<Item = &'a [Level]>,
    better: impl Fn(&Level, &Level) -> bool,
    mut visit: impl FnMut(&Level) -> bool,
) {
    let mut heads = [[].as_slice(); MAX_LEGS];
    let mut count = 0;
    for (head, levels) in heads
        .iter_mut()
        .zip(legs.filter(|levels| !levels.is_empty()))
    {
        *head = levels;
        count += 1;
    }
    while count > 0 {
        let mut best = 0;
        for at in 1..count {
            if better(&heads[at][0], &heads[best][0]) {
                best = at;
            }
        }
        let levels = heads[best];
        if !visit(&levels[0]) {
            return;
        }
        heads[best] = &levels[1..];
        if levels.len() == 1 {
            heads.copy_within(best + 1..count, best);
            count -= 1;
        }
    }
}
