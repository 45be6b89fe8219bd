//! Property: any interleaving of any number of venues gives the model's book, decimal-exact.

use std::collections::BTreeMap;

use dragonfly_aggregators::{Bbo, Liquidity};
use dragonfly_core::{
    market::{BookEvent, BookState, Depth, Level, Price, Qty, Symbol, Venue},
    stage::Aggregator,
};
use proptest::prelude::*;

/// A venue's book as text pairs: what the naive models work on.
type Side = BTreeMap<u32, u32>;

#[derive(Clone, Debug)]
struct Told {
    venue: u8,
    is_live: bool,
    bids: Side,
    asks: Side,
}

fn told(venues: u8) -> impl Strategy<Value = Told> {
    let side = || proptest::collection::btree_map(1_u32..40, 1_u32..4, 0..22);
    (0..venues, prop::bool::weighted(0.8), side(), side()).prop_map(
        |(venue, is_live, bids, asks)| Told {
            venue,
            is_live,
            bids,
            asks,
        },
    )
}

fn venue_name(venue: u8) -> String {
    // Not in numeric order, so that the order of names and of arrival differ.
    format!("v{}", (venue * 7 + 3) % 20)
}

fn level((price, qty): (&u32, &u32)) -> Level {
    Level::new(
        format!("0.{price:03}").parse().unwrap(),
        format!("{qty}.5").parse().unwrap(),
    )
}

fn event(told: &Told) -> BookEvent {
    let state = if told.is_live {
        BookState::Live
    } else {
        BookState::Stale
    };
    let depth = Depth {
        bids: told.bids.iter().rev().map(level).collect(),
        asks: told.asks.iter().map(level).collect(),
    };
    BookEvent {
        venue: Venue::new(&venue_name(told.venue)).unwrap(),
        symbol: Symbol::new("ETH-BTC").unwrap(),
        native_symbol: Symbol::new("ethbtc").unwrap(),
        state,
        depth: if told.is_live {
            depth
        } else {
            Depth::default()
        },
        ..BookEvent::default()
    }
}

/// Every level of the live venues, sorted by the documented rule.
fn brute_force(last: &BTreeMap<u8, Told>, bids: bool) -> Vec<(Price, Qty, String)> {
    let mut all = Vec::new();
    for told in last.values().filter(|told| told.is_live) {
        // A venue's image carries its best 20.
        let best: Vec<_> = if bids {
            told.bids.iter().rev().take(20).collect()
        } else {
            told.asks.iter().take(20).collect()
        };
        all.extend(
            best.into_iter()
                .map(level)
                .map(|l| (l.price, l.qty, venue_name(told.venue))),
        );
    }
    all.sort_by(|a, b| {
        let price = if bids { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
        price.then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2))
    });
    all
}

fn summed(all: &[(Price, Qty, String)], depth: usize) -> Vec<(Price, Qty)> {
    let mut sums: Vec<(Price, Qty)> = Vec::new();
    for (price, qty, _) in all {
        match sums.last_mut() {
            Some(last) if last.0 == *price => last.1 = last.1.checked_add(*qty).unwrap(),
            _ => sums.push((*price, *qty)),
        }
    }
    sums.truncate(depth);
    sums
}

proptest! {
    #[test]
    fn any_interleaving_gives_the_models_book(
        events in proptest::collection::vec(told(20), 1..60),
        depth in 1_usize..=20,
    ) {
        let (mut bbo, mut liquidity) = (Bbo::top(depth), Liquidity::levels(depth));
        let mut last = BTreeMap::new();
        for told in events {
            step(&mut bbo, &mut liquidity, &mut last, told, depth)?;
        }
    }

    /// Books that move as books do: what is kept from event to event must stay right however little,
    /// or however far to one side, they move.
    #[test]
    fn books_that_move_step_by_step_give_the_models_book(
        venues in 1_u8..=20,
        moves in proptest::collection::vec((0_u8..20, movement()), 1..120),
        depth in 1_usize..=20,
    ) {
        let (mut bbo, mut liquidity) = (Bbo::top(depth), Liquidity::levels(depth));
        let mut last: BTreeMap<u8, Told> = BTreeMap::new();
        for (venue, movement) in moves {
            let venue = venue % venues;
            let told = last.get(&venue).cloned().unwrap_or_else(|| Told {
                venue,
                is_live: true,
                bids: (0..12).map(|i| (500 - 2 * i, 1)).collect(),
                asks: (0..12).map(|i| (510 + 2 * i, 1)).collect(),
            });
            step(&mut bbo, &mut liquidity, &mut last, moved(told, &movement), depth)?;
        }
    }
}

/// What happens to one venue's book.
#[derive(Clone, Debug)]
enum Movement {
    /// The same book once more.
    Again,
    /// Every price goes up or down; `.1` says which sides take part.
    Shift(i32, u8),
    /// A level of one side has a new quantity; zero takes it away.
    Level(bool, u32, u32),
    /// The venue can or cannot be trusted.
    Live(bool),
}

fn movement() -> impl Strategy<Value = Movement> {
    prop_oneof![
        1 => Just(Movement::Again),
        // Rather down than up, so that levels leave the bids' best and come into the asks' best.
        4 => (-5_i32..=3, 1_u8..=3).prop_map(|(ticks, sides)| Movement::Shift(ticks, sides)),
        6 => (any::<bool>(), 0_u32..40, 0_u32..4)
            .prop_map(|(is_bid, at, qty)| Movement::Level(is_bid, at, qty)),
        1 => prop::bool::weighted(0.7).prop_map(Movement::Live),
    ]
}

fn moved(mut told: Told, movement: &Movement) -> Told {
    match *movement {
        Movement::Again => {}
        Movement::Shift(ticks, sides) => {
            let shift = |side: &Side| {
                let up = |(price, qty): (&u32, &u32)| (price.saturating_add_signed(ticks), *qty);
                side.iter().map(up).collect::<Side>()
            };
            if sides & 1 != 0 {
                told.bids = shift(&told.bids);
            }
            if sides & 2 != 0 {
                told.asks = shift(&told.asks);
            }
        }
        Movement::Level(is_bid, at, qty) => {
            let best = told.bids.keys().next_back().copied().unwrap_or(500);
            let (side, price) = if is_bid {
                (&mut told.bids, (best + 2).saturating_sub(at))
            } else {
                let best = told.asks.keys().next().copied().unwrap_or(510);
                (&mut told.asks, best.saturating_sub(2) + at)
            };
            if qty == 0 {
                side.remove(&price);
            } else {
                side.insert(price, qty);
            }
        }
        Movement::Live(is_live) => told.is_live = is_live,
    }
    told
}

/// Tells both aggregators and the model, and compares every level.
fn step(
    bbo: &mut Bbo,
    liquidity: &mut Liquidity,
    last: &mut BTreeMap<u8, Told>,
    told: Told,
    depth: usize,
) -> Result<(), TestCaseError> {
    let event = event(&told);
    last.insert(told.venue, told);
    bbo.apply(&event);
    liquidity.apply(&event);
    let view = bbo.publish().unwrap();
    prop_assert!(bbo.publish().is_none());
    let sums = liquidity.publish().unwrap();
    for (is_bid, levels, summed_levels) in [
        (true, &view.bids, &sums.bids),
        (false, &view.asks, &sums.asks),
    ] {
        let all = brute_force(last, is_bid);
        let got: Vec<_> = levels
            .iter()
            .map(|l| {
                let leg = view.legs.id(l.leg.into()).unwrap();
                (l.price, l.qty, leg.venue.to_string())
            })
            .collect();
        prop_assert_eq!(&got[..], &all[..all.len().min(depth)]);
        let got: Vec<_> = summed_levels.iter().map(|l| (l.price, l.qty)).collect();
        prop_assert_eq!(got, summed(&all, depth));
    }
    let live = last.values().filter(|told| told.is_live).count();
    prop_assert_eq!(view.legs.live(), live);
    prop_assert_eq!(view.legs.len(), last.len());
    Ok(())
}
