//! Aggregated liquidity: the quantity at each price, summed over all venues.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within lists of a fixed length, and ranks below their number; held to a merge by brute force"
)]

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
    /// What was published last, but for the sides that have changed since.
    view: AggregatedBook,
}

impl Liquidity {
    /// Publishes the best `depth` prices a side: 1 to [`MAX_DEPTH`], the nearest of them otherwise.
    pub fn levels(depth: usize) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        Self {
            depth,
            books: LegBooks::default(),
            images: Vec::new(),
            view: AggregatedBook::default(),
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
        let Self {
            depth,
            books,
            images,
            view,
        } = self;
        let Some(noted) = books.note(&mut view.legs, event) else {
            return;
        };
        if noted.is_new {
            images.push(Depth::default());
            view.symbol = books.symbol(&view.legs);
        }
        let new = match event.state {
            BookState::Live => &event.depth,
            _ => &Depth::default(),
        };
        let image = &mut images[usize::from(noted.leg)];
        let (new_bids, new_asks) = (image.bids != new.bids, image.asks != new.asks);
        *image = *new;
        let legs = || {
            let order = books.by_name.iter();
            order.filter_map(|leg| images.get(usize::from(*leg)))
        };
        if new_bids {
            let sides = legs().map(|image| image.bids.as_slice());
            view.bids = sum(sides, *depth, |a, b| a.price > b.price);
        }
        if new_asks {
            let sides = legs().map(|image| image.asks.as_slice());
            view.asks = sum(sides, *depth, |a, b| a.price < b.price);
        }
    }

    fn publish(&mut self) -> Option<AggregatedBook> {
        self.view.seq = self.books.next_seq()?;
        self.view.ts_recv = self.books.ts_recv;
        Some(self.view.clone())
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
