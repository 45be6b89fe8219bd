//! What is said and written of the views of a run.

use super::digest::Digest;
use crate::oracle::{Leg, Shelf, View};

/// Lets a view into the digest of its run.
pub(super) fn mix(digest: &mut Digest, view: &View) {
    digest.bytes(view.stream.as_bytes());
    digest.word(view.seq);
    for leg in &view.legs {
        digest.bytes(leg.state.as_bytes());
        digest.word(u64::from(leg.epoch));
        digest.word(leg.seq);
    }
    for level in view.bids.iter().chain(&view.asks) {
        digest.bytes(level.price.as_bytes());
        digest.bytes(level.qty.as_bytes());
    }
}

/// A view in a line.
pub(super) fn words(view: &View) -> String {
    let leg = |leg: &Leg| format!("{} {} {}:{}", leg.symbol, leg.state, leg.epoch, leg.seq);
    let legs: Vec<String> = view.legs.iter().map(leg).collect();
    let best = |side: &[Shelf]| match side.first() {
        Some(level) => format!("{} x {}", level.price, level.qty),
        None => "-".to_owned(),
    };
    let (bid, ask) = (best(&view.bids), best(&view.asks));
    format!(
        "{} {}: {bid} | {ask} ({})",
        view.stream,
        view.seq,
        legs.join(", ")
    )
}
