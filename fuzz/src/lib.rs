//! What the fuzz targets do with their input, and what must hold whatever it is.

mod early;
mod frames;

use dragonfly_core::{
    feed::Decoded,
    market::{BookUpdate, Price, Qty},
};
use dragonfly_feeds::venue::{self, Subscription};

pub use early::early;
pub use frames::frames;

/// Decodes `bytes` as a message of the venue `id`, or of its channel of changes, and shows them to
/// its subscriber as an answer.
///
/// # Panics
/// When the venue is not registered, when a level cannot be, or when the decoder says one thing and
/// does another.
pub fn decode(id: &str, diffs: bool, bytes: &[u8]) {
    let spec = venue::find(id).expect("the venue is registered");
    let wanted = Subscription::default();
    let make = match spec.diffs {
        Some(channel) if diffs => channel.decoder,
        _ => spec.decoder,
    };
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut applied = 0;
    let decoded = make(&wanted).decode(&mut bytes.to_vec(), &mut update, &mut |update| {
        applied += 1;
        for level in update.bids.iter().chain(&update.asks) {
            assert!(level.price > Price::ZERO && level.qty >= Qty::ZERO);
        }
    });
    assert_eq!(applied > 0, decoded == Ok(Decoded::Book));
    (spec.subscriber)(&wanted).acknowledge(bytes);
}

/// Parses `text` as a number in every way there is.
///
/// # Panics
/// When printing does not give back the number, or when the two ways to parse disagree.
pub fn decimal(text: &[u8]) {
    let parsed = Price::parse(text);
    if let Ok(price) = parsed {
        assert_eq!(price.to_string().parse(), Ok(price));
    }
    if let Some((price, decimals, len)) = Price::parse_prefix(text) {
        assert_eq!(
            Price::parse_with_decimals(&text[..len]),
            Ok((price, decimals))
        );
    }
}
