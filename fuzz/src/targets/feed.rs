//! A venue's whole feed: state machine, subscriber, listener, decoder and books.

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{BookListener, Decoder, Feed, Subscriber, Verdict},
    market::{BookEvent, BookState, Cause, Symbol, Venue},
};
use dragonfly_feeds::venue::{Spec, Subscription};

use super::decode::choice;

/// The native symbols that the corpus is about, whichever the venue.
const NATIVES: [&str; 8] = [
    "BTCUSDT", "BTC-USD", "ETH-USD", "BTC/USD", "btcusd", "nknusdt", "XBT/USD", "ETHUSDT",
];

/// Plays the messages in `input`, one a line, to the feed of the venue that the first byte chooses.
/// The second byte says where messages are cut to be shown in part, and how much time passes between
/// them. What is shown as live can be traded on: prices in order, no quantity missing, not crossed.
pub(super) fn feed(input: &[u8]) {
    let Some((spec, [second, rest @ ..])) = choice(input) else {
        return;
    };
    let mut feed = open(spec);
    let mut now = Now {
        mono: Nanos::from_secs(1),
        utc: UtcNanos(1),
    };
    feed.on_start(now, &mut check);
    feed.on_open(now, &mut check);
    pump(&mut feed, now.mono);
    for message in rest.split(|byte| *byte == b'\n') {
        let verdict = hear(&mut feed, *second, message, now);
        if let Verdict::Close(cause) = verdict {
            assert_ne!(cause, Cause::Panicked);
            feed.on_down(cause, now, &mut check);
            now.mono = now.mono + Nanos::from_secs(1);
            feed.on_open(now, &mut check);
        }
        now.mono = now.mono + Nanos::from_millis(u64::from(*second) * 10);
        if feed.deadline().is_some_and(|due| due <= now.mono) {
            feed.on_deadline(now, &mut check);
        }
        pump(&mut feed, now.mono);
    }
    feed.on_down(Cause::Stopped, now, &mut check);
}

type Books = BookListener<Box<dyn Decoder>>;

fn open(spec: &'static Spec) -> Feed<Box<dyn Subscriber>, Books> {
    let natives = NATIVES.map(|native| Symbol::new(native).expect("a symbol"));
    let wanted = Subscription::new(natives, 10);
    let (decoder, subscriber) = ((spec.decoder)(&wanted), (spec.subscriber)(&wanted));
    let unify = (spec.unify)("");
    let symbols = natives.map(|native| (unify(&native), native));
    let venue = Venue::new(spec.id).expect("a venue");
    let books = BookListener::new(venue, decoder, (spec.rules)(), 10, symbols);
    Feed::new(spec.id, subscriber, books, (spec.policy)())
}

fn hear(feed: &mut Feed<Box<dyn Subscriber>, Books>, cut: u8, message: &[u8], now: Now) -> Verdict {
    if message.len() >= feed.early() {
        let cut = usize::from(cut) * message.len() / 256;
        if feed.on_part(&message[..cut], now, &mut check) != Verdict::Continue {
            return Verdict::Close(Cause::BadMessages);
        }
    }
    let heard = feed.on_message(&mut message.to_vec(), now, &mut check);
    heard.unwrap_or(Verdict::Continue)
}

/// Takes what the feed wants to send.
fn pump(feed: &mut Feed<Box<dyn Subscriber>, Books>, now: Nanos) {
    for _ in 0..64 {
        if feed.request(now).is_none() {
            break;
        }
    }
}

fn check(event: BookEvent) {
    let (bids, asks) = (&event.depth.bids, &event.depth.asks);
    if event.state != BookState::Live {
        assert!(bids.is_empty() && asks.is_empty());
        return;
    }
    assert!(bids.windows(2).all(|pair| pair[0].price > pair[1].price));
    assert!(asks.windows(2).all(|pair| pair[0].price < pair[1].price));
    let levels = bids.iter().chain(asks.iter());
    assert!(levels.into_iter().all(|level| level.qty.units() > 0));
    if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
        assert!(bid.price <= ask.price);
    }
}
