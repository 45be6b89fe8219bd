//! Bugs in what is read out of a message.

use std::collections::HashMap;

use dragonfly_core::{
    feed::{Decoded, Decoder, FeedError},
    market::{BookUpdate, Level, Price, Qty, Symbol, UpdateKind},
};

use super::Plant;

/// A decoder whose updates are not what they were.
pub(super) struct Spoiled {
    plant: Plant,
    decoder: Box<dyn Decoder>,
    books: HashMap<Symbol, Book>,
}

/// What is remembered of a book.
#[derive(Default)]
struct Book {
    last: u64,
    behind: u64,
    has_begun: bool,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Spoiled {
    pub(super) fn new(plant: Plant, decoder: Box<dyn Decoder>) -> Self {
        Self {
            plant,
            decoder,
            books: HashMap::new(),
        }
    }
}

impl Decoder for Spoiled {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let Self {
            plant,
            decoder,
            books,
        } = self;
        decoder.decode(message, update, &mut |update| {
            spoil(*plant, books.entry(update.symbol).or_default(), update);
            apply(update);
        })
    }
}

fn spoil(plant: Plant, book: &mut Book, update: &mut BookUpdate) {
    let is_change = update.kind == UpdateKind::Delta;
    match plant {
        Plant::NoTruncation => update.window = update.window.map(|_| usize::MAX),
        Plant::SwappedSides => std::mem::swap(&mut update.bids, &mut update.asks),
        Plant::KeptZero if is_change => {
            update.bids.retain(|level| !level.qty.is_zero());
            update.asks.retain(|level| !level.qty.is_zero());
        }
        Plant::Float => {
            let levels = update.bids.iter_mut().chain(&mut update.asks);
            levels.for_each(round);
        }
        Plant::LastForgotten if is_change => {
            if update.bids.len() > 1 {
                update.bids.pop();
            }
            if update.asks.len() > 1 {
                update.asks.pop();
            }
        }
        Plant::OneSide if is_change => update.asks.clear(),
        Plant::MergedSnapshot
            if update.kind == UpdateKind::Snapshot
                && std::mem::replace(&mut book.has_begun, true)
                && update.last == book.last + 1 =>
        {
            update.kind = UpdateKind::Delta;
        }
        Plant::NotCleared if update.kind == UpdateKind::Snapshot => {
            let (bids, asks) = (update.bids.clone(), update.asks.clone());
            join(&mut update.bids, &book.bids);
            join(&mut update.asks, &book.asks);
            (book.bids, book.asks) = (bids, asks);
        }
        Plant::PlusTwo => plus_two(book, update),
        _ => {}
    }
    book.last = update.last;
}

/// Puts what was there before where there is nothing now.
fn join(new: &mut Vec<Level>, old: &[Level]) {
    for level in old {
        if !new.iter().any(|known| known.price == level.price) {
            new.push(*level);
        }
    }
}

fn plus_two(book: &mut Book, update: &mut BookUpdate) {
    if update.kind != UpdateKind::Delta {
        book.behind = 0;
        return;
    }
    if update.last == book.last + book.behind + 2 {
        book.behind += 1;
    }
    update.last -= book.behind;
    update.first = update.last;
}

fn round(level: &mut Level) {
    let rounded = |text: String| {
        text.parse::<f64>()
            .map(|number| number.to_string())
            .unwrap_or(text)
    };
    let price = Price::parse(rounded(level.price.to_string()).as_bytes());
    let qty = Qty::parse(rounded(level.qty.to_string()).as_bytes());
    level.price = price.unwrap_or(level.price);
    level.qty = qty.unwrap_or(level.qty);
}
