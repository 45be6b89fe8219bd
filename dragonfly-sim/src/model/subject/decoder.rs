//! A decoder for the lines of the model's venues: what a venue's decoder does, for a dialect that
//! has every field there is.

use dragonfly_core::{
    clock::UtcNanos,
    feed::{Decoded, Decoder, FeedError},
    market::{BookUpdate, Level, Price, Qty, Symbol, UpdateKind},
};

use super::{super::setup::book_name, name};

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines {
    symbols: Vec<Symbol>,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            symbols: (0..8).map(|book| name(&book_name(book))).collect(),
        }
    }

    fn read(&self, line: &str, update: &mut BookUpdate) -> Option<()> {
        let mut parts = line.split(';');
        let mut head = parts.next()?.split_ascii_whitespace();
        let book: usize = head.next()?.parse().ok()?;
        update.symbol = *self.symbols.get(book)?;
        update.kind = match head.next()? {
            "image" => UpdateKind::Image,
            "snapshot" => UpdateKind::Snapshot,
            _ => UpdateKind::Delta,
        };
        let mut number = || -> Option<Option<u64>> {
            let text = head.next()?;
            if text == "-" {
                return Some(None);
            }
            text.parse().ok().map(Some)
        };
        update.first = number()?.unwrap_or(0);
        update.last = number()?.unwrap_or(0);
        update.prev = number()?;
        update.connection_seq = number()?;
        update.checksum = number()?.and_then(|sum| u32::try_from(sum).ok());
        update.window = number()?.and_then(|window| usize::try_from(window).ok());
        update.ts_venue = number()?.map(UtcNanos);
        let (bids, asks) = (parts.next()?, parts.next()?);
        let BookUpdate {
            bids: bid_levels,
            asks: ask_levels,
            price_decimals,
            qty_decimals,
            ..
        } = update;
        for (text, levels) in [(bids, bid_levels), (asks, ask_levels)] {
            for level in text.split(',').filter(|level| !level.is_empty()) {
                let (price, qty) = level.split_once(' ')?;
                let (price, decimals) = Price::parse_with_decimals(price.as_bytes()).ok()?;
                *price_decimals = decimals.max(*price_decimals);
                let (qty, decimals) = Qty::parse_with_decimals(qty.as_bytes()).ok()?;
                *qty_decimals = decimals.max(*qty_decimals);
                levels.push(Level::new(price, qty));
            }
        }
        Some(())
    }
}

impl Decoder for Lines {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let text = str::from_utf8(message).unwrap_or_default();
        if let Some(count) = text.strip_prefix('~') {
            return Ok(Decoded::Other {
                connection_seq: count.parse().ok(),
            });
        }
        for line in text.lines() {
            update.clear();
            if self.read(line, update).is_none() {
                return Err(FeedError::malformed(
                    "not a line of the model",
                    line.as_bytes(),
                    0,
                ));
            }
            apply(update);
        }
        Ok(Decoded::Book)
    }
}
