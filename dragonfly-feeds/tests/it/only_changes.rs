//! A listener that emits only changes emits what it would behind `Changed`, whatever happens to it.

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{BookListener, Decoded, Decoder, FeedError, Link, Listener},
    market::{
        BookEvent, BookRules, BookUpdate, Cause, Level, Price, Qty, SequenceRule, Symbol,
        UpdateKind, Venue,
    },
};
use dragonfly_feeds::decorate::Changed;
use proptest::prelude::*;

use super::replay::sym;

/// One update, in a message of its own.
#[derive(Clone, Debug)]
struct Said {
    kind: UpdateKind,
    book: u8,
    /// How far the venue's count goes on; backwards or not at all, too.
    advance: i64,
    levels: Vec<(bool, u8, u8)>,
    window: Option<usize>,
}

/// What happens to the listener.
#[derive(Clone, Debug)]
enum Happening {
    Said(Said),
    /// The last message of the book comes again, with or without a new number.
    Again(u8, bool),
    Garbage,
    Link(Link),
    Wait(u64),
}

/// Takes whatever the script put there as the message.
struct Scripted(std::sync::mpsc::Receiver<BookUpdate>);

impl Decoder for Scripted {
    fn decode(
        &mut self,
        _: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let Ok(said) = self.0.try_recv() else {
            return Err(FeedError::malformed("garbage", b"", 0));
        };
        let wanted = update.wanted;
        *update = BookUpdate { wanted, ..said };
        apply(update);
        Ok(Decoded::Book)
    }
}

fn native(book: u8) -> Symbol {
    sym(["one", "two", "six"][usize::from(book % 3)])
}

fn said() -> impl Strategy<Value = Said> {
    let kind = prop_oneof![
        2 => Just(UpdateKind::Image),
        1 => Just(UpdateKind::Snapshot),
        8 => Just(UpdateKind::Delta),
    ];
    let advance = prop_oneof![12 => Just(1), 1 => -2_i64..4];
    // Bids below and asks above 100, but for a few that cross.
    let level = (any::<bool>(), 0_u8..24, 0_u8..3);
    let levels = proptest::collection::vec(level, 0..6);
    let window = prop_oneof![20 => Just(None), 1 => (1_usize..9).prop_map(Some)];
    (kind, 0_u8..3, advance, levels, window).prop_map(|(kind, book, advance, levels, window)| {
        Said {
            kind,
            book,
            advance,
            levels,
            window,
        }
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    let link = prop_oneof![
        4 => Just(Link::Up),
        1 => Just(Link::Down(Cause::Disconnected)),
        1 => Just(Link::Refused(None)),
        1 => (0_u8..3).prop_map(|book| Link::Refused(Some(native(book)))),
    ];
    prop_oneof![
        40 => said().prop_map(Happening::Said),
        6 => (0_u8..3, any::<bool>()).prop_map(|(book, is_new)| Happening::Again(book, is_new)),
        1 => Just(Happening::Garbage),
        2 => link.prop_map(Happening::Link),
        2 => (0_u64..7).prop_map(Happening::Wait),
    ]
}

fn update(said: &Said, seq: u64) -> BookUpdate {
    let mut update = BookUpdate {
        kind: said.kind,
        symbol: native(said.book),
        first: seq,
        last: seq,
        prev: seq.checked_sub(1),
        window: said.window,
        ..BookUpdate::default()
    };
    for &(is_bid, ticks, qty) in &said.levels {
        let ticks = i128::from(ticks);
        let price = if is_bid { 101 - ticks } else { 99 + ticks };
        let level = Level::new(Price::from_units(price), Qty::from_units(qty.into()));
        if is_bid {
            update.bids.push(level);
        } else {
            update.asks.push(level);
        }
    }
    if said.kind == UpdateKind::Image {
        update
            .bids
            .sort_by_key(|level| std::cmp::Reverse(level.price));
        update.bids.dedup_by_key(|level| level.price);
        update.asks.sort_by_key(|level| level.price);
        update.asks.dedup_by_key(|level| level.price);
    }
    update
}

fn sequence() -> impl Strategy<Value = SequenceRule> {
    prop_oneof![
        Just(SequenceRule::None),
        Just(SequenceRule::Increasing),
        Just(SequenceRule::Next { restart: Some(7) }),
        Just(SequenceRule::Span),
        Just(SequenceRule::Previous),
        Just(SequenceRule::Connection),
    ]
}

/// Everything the listener emits, one list a happening.
fn emitted<L: Listener<Event = BookEvent>>(
    decorate: impl FnOnce(BookListener<Scripted>) -> L,
    (sequence, depth, books): (SequenceRule, usize, u8),
    happenings: &[Happening],
) -> Vec<Vec<BookEvent>> {
    let (say, heard) = std::sync::mpsc::sync_channel(1);
    let rules = BookRules {
        sequence,
        sync_buffer: 4,
        ..BookRules::default()
    };
    let symbols = (0..books).map(|book| (sym("A-B"), native(book)));
    let venue = Venue::new("venue").unwrap();
    let listener = BookListener::new(venue, Scripted(heard), rules, depth, symbols);
    let mut listener = decorate(listener);
    let (mut now, mut seqs) = (Now::default(), [10_u64; 3]);
    let mut last: [Option<BookUpdate>; 3] = Default::default();
    let mut out = Vec::new();
    for happening in happenings {
        let mut events = Vec::new();
        let mut emit = |event| events.push(event);
        now.utc = UtcNanos(now.utc.0 + 1);
        let mut message = None;
        match happening {
            Happening::Said(said) => {
                let book = usize::from(said.book);
                seqs[book] = seqs[book].saturating_add_signed(said.advance);
                last[book] = Some(update(said, seqs[book]));
                message = Some(last[book].clone());
            }
            Happening::Again(book, is_new) => {
                let book = usize::from(*book);
                if let Some(again) = &mut last[book] {
                    seqs[book] += u64::from(*is_new);
                    (again.first, again.last) = (seqs[book], seqs[book]);
                    again.prev = seqs[book].checked_sub(1);
                    message = Some(last[book].clone());
                }
            }
            Happening::Garbage => message = Some(None),
            Happening::Link(link) => listener.on_link(*link, now, &mut emit),
            Happening::Wait(seconds) => {
                now.mono = now.mono + Nanos::from_secs(*seconds);
                while listener.on_deadline(now, &mut emit).is_some() {}
            }
        }
        if let Some(message) = message {
            message
                .into_iter()
                .for_each(|update| say.send(update).unwrap());
            let _refused = listener.on_message(&mut [], now, &mut emit);
        }
        out.push(events);
    }
    out
}

proptest! {
    #[test]
    fn it_emits_what_it_would_behind_the_decorator(
        sequence in sequence(),
        depth in 1_usize..8,
        books in 1_u8..=3,
        happenings in proptest::collection::vec(happening(), 0..150),
    ) {
        let mut all = vec![Happening::Link(Link::Started), Happening::Link(Link::Up)];
        all.extend(happenings);
        let kind = (sequence, depth, books);
        let inside = emitted(BookListener::only_changes, kind, &all);
        let around = emitted(Changed::new, kind, &all);
        for (at, happening) in all.iter().enumerate() {
            prop_assert_eq!(&inside[at], &around[at], "{}: {:?}", at, happening);
        }
    }
}

/// The script reaches what it is to compare: events that pass, and updates that are no news.
#[test]
fn the_script_has_both_news_and_none() {
    let said = |kind, ticks: u8, qty: u8| {
        let levels = (0..5_u8).flat_map(|i| [(true, ticks + i, qty), (false, ticks + i, qty)]);
        Happening::Said(Said {
            kind,
            book: 0,
            advance: 1,
            levels: levels.collect(),
            window: None,
        })
    };
    let all = [
        Happening::Link(Link::Up),
        said(UpdateKind::Snapshot, 2, 1),
        said(UpdateKind::Delta, 9, 1),
        said(UpdateKind::Delta, 2, 2),
    ];
    let kind = (SequenceRule::Next { restart: None }, 3, 1);
    let counts = |events: Vec<Vec<BookEvent>>| events.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(
        counts(emitted(BookListener::only_changes, kind, &all)),
        [1, 1, 0, 1]
    );
    assert_eq!(counts(emitted(|l| l, kind, &all)), [1, 1, 1, 1]);
}
