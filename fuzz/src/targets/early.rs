//! Messages in parts and in whole, through the listener of a venue.

use dragonfly_core::{
    clock::Now,
    feed::{BookListener, Decoder, Link, Listener},
    market::{BookEvent, BookState, Cause, Symbol},
};
use dragonfly_feeds::venue::{self, Subscription};

/// Shows a message to the listeners of the venues that read early.
pub(super) fn early(input: &[u8]) {
    of_venue("bitstamp", "btcusd", input);
    of_venue("coinbase-advanced", "BTC-USD", input);
}

/// Shows all but the first two bytes of `input` to two listeners to the book `native` of the venue
/// `id`: to one in whole, to the other also cut where the first two bytes say. What the second shows
/// is what the first shows, or withdrawn.
fn of_venue(id: &str, native: &str, input: &[u8]) {
    let [first, second, message @ ..] = input else {
        return;
    };
    let mut cuts = [first, second].map(|cut| usize::from(*cut) * (message.len() + 1) / 256);
    cuts.sort_unstable();
    let [mut plain, mut parted] = [0, 0].map(|_| listener(id, native));
    let mut shown = Vec::<BookEvent>::new();
    for cut in cuts {
        parted.on_part(&message[..cut], Now::default(), &mut |event| {
            shown.push(event)
        });
    }
    assert!(shown.len() < 2 && shown.iter().all(|event| event.state == BookState::Live));
    let heard = [&mut plain, &mut parted]
        .map(|listener| listener.on_message(&mut message.to_vec(), Now::default(), &mut |_| {}));
    assert_eq!(heard[0], heard[1]);
    let [plain, parted] = [&plain, &parted].map(|listener| &listener.books()[0].sync);
    let is_withdrawn = !shown.is_empty() && parted.cause() == Cause::BadMessages;
    let is_same = plain.state() == parted.state() && plain.depth(10) == parted.depth(10);
    assert!(is_same || is_withdrawn);
}

fn listener(id: &str, native: &str) -> BookListener<Box<dyn Decoder>> {
    let spec = venue::find(id).expect("the venue is registered");
    let native: Symbol = native.parse().expect("a symbol");
    let decoder = (spec.decoder)(&Subscription::new([native], 10));
    let venue = spec.id.parse().expect("a venue");
    let mut listener = BookListener::new(venue, decoder, (spec.rules)(), 10, [(native, native)]);
    listener.on_link(Link::Up, Now::default(), &mut |_| {});
    listener
}
