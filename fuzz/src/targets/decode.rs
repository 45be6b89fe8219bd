//! Decoders, acknowledgements and numbers.

use dragonfly_core::{
    feed::{Ack, Ask, Decoded, Decoder, FeedError, Subscriber},
    market::{BookUpdate, Price, Qty, Symbol},
};
use dragonfly_feeds::{
    json::{Cursor, simd},
    venue::{self, Spec, Subscription},
};

/// The venue that the first byte of an input chooses, and the rest.
pub(super) fn choice(input: &[u8]) -> Option<(&'static Spec, &[u8])> {
    let (first, rest) = input.split_first()?;
    let venues = venue::all();
    Some((venues[usize::from(*first) % venues.len()], rest))
}

/// Decodes `bytes` as a message of the venue `id`, or of its channel of changes.
pub(super) fn decode(id: &str, diffs: bool, bytes: &[u8]) {
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
}

/// Shows the answers in `input`, one a line, to a subscriber of the venue that its first byte
/// chooses. It can refuse no more than what it was asked for.
pub(super) fn acknowledge(input: &[u8]) {
    let Some((spec, rest)) = choice(input) else {
        return;
    };
    let wanted = ["BTCUSDT", "btcusd", "BTC-USD", "BTC/USD", "ETH/USD"];
    let wanted = wanted.map(|native| Symbol::new(native).expect("a symbol"));
    let mut subscriber = (spec.subscriber)(&Subscription::new(wanted, 10));
    subscriber.subscribe(Ask::All, &mut |_| {});
    subscriber.subscribe(Ask::Again(wanted[0]), &mut |_| {});
    for answer in rest.split(|byte| *byte == b'\n') {
        if let Ack::Rejected {
            symbol: Some(symbol),
            reason,
        } = subscriber.acknowledge(answer)
        {
            // Two hundred bytes of its own words, each three where it is no text.
            assert!(!symbol.is_empty() && reason.len() <= 600);
        }
    }
}

/// What decoding a message comes to, and the updates in it.
type Outcome = (Result<Decoded, FeedError>, Vec<String>);

/// Reads what follows the first byte, which chooses the venue, in every way there is: in wide registers
/// and byte by byte, compared with what is expected and in general, for the first time and once more.
pub(super) fn simd(bytes: &[u8]) {
    let Some((first, message)) = bytes.split_first() else {
        return;
    };
    let levels = || {
        let (mut cursor, mut levels) = (Cursor::new(message), Vec::new());
        let read = cursor.pairs(&mut levels, usize::from(*first));
        (read.map(|decimals| (levels, decimals)), cursor.position())
    };
    assert_eq!(levels(), simd::plainly(levels));
    let spec = venue::all()[usize::from(*first) % venue::all().len()];
    let fresh = || (spec.decoder)(&Subscription::default());
    let mut decoder = fresh();
    let first = updates(&mut decoder, message);
    assert_eq!(first, simd::plainly(|| updates(&mut fresh(), message)));
    let spaced = [b" ", message].concat();
    let general = updates(&mut fresh(), &spaced);
    assert_eq!((first.0.is_ok(), &first.1), (general.0.is_ok(), &general.1));
    if spec.id != "kraken" {
        // Kraken's decoder learns the depth of a book, which shows.
        assert_eq!(first, updates(&mut decoder, message));
    }
}

fn updates(decoder: &mut Box<dyn Decoder>, message: &[u8]) -> Outcome {
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut updates = Vec::new();
    let decoded = decoder.decode(&mut message.to_vec(), &mut update, &mut |update| {
        updates.push(format!("{update:?}"));
        update.clear();
    });
    (decoded, updates)
}

/// Parses `text` as a number in every way there is: printing gives back the number, and the two ways
/// to parse agree.
pub(super) fn decimal(text: &[u8]) {
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
