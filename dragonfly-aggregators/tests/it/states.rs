//! What a reader of the view notices when venues come and go.

use dragonfly_aggregators::{Bbo, Liquidity};
use dragonfly_core::{
    market::{BookEvent, BookState, Cause, Depth, Ladder, Level, Symbol, Venue},
    stage::Aggregator,
};

fn book(venue: &str, bid: &str, ask: &str) -> BookEvent {
    let side = |price: &str| {
        [Level::new(price.parse().unwrap(), "1".parse().unwrap())]
            .into_iter()
            .collect()
    };
    BookEvent {
        venue: Venue::new(venue).unwrap(),
        symbol: Symbol::new("ETH-BTC").unwrap(),
        native_symbol: Symbol::new("ethbtc").unwrap(),
        epoch: 1,
        state: BookState::Live,
        cause: Cause::Image,
        depth: Depth {
            bids: side(bid),
            asks: side(ask),
        },
        ..BookEvent::default()
    }
}

fn down(venue: &str) -> BookEvent {
    let (state, cause) = (BookState::Down, Cause::Disconnected);
    BookEvent {
        state,
        cause,
        depth: Depth::default(),
        ..book(venue, "1", "2")
    }
}

#[test]
fn a_dead_venue_leaves_the_book_at_once_and_the_view_says_so() {
    let mut bbo = Bbo::top(10);
    bbo.apply(&book("kraken", "10", "11"));
    bbo.apply(&book("binance", "9", "12"));
    let view = bbo.publish().unwrap();
    assert_eq!(view.bids[0].price.to_string(), "10");
    bbo.apply(&down("kraken"));
    let view = bbo.publish().unwrap();
    assert_eq!(
        (view.bids.len(), view.bids[0].price.to_string()),
        (1, "9".into())
    );
    let states: Vec<_> = view
        .legs
        .iter()
        .map(|(id, s)| (id.venue.to_string(), s.state))
        .collect();
    assert_eq!(
        states,
        [
            ("kraken".into(), BookState::Down),
            ("binance".into(), BookState::Live)
        ]
    );
    bbo.apply(&down("binance"));
    let view = bbo.publish().unwrap();
    assert!(view.bids.is_empty() && view.asks.is_empty() && view.legs.live() == 0);
    assert_eq!(view.seq, 3);
}

#[test]
fn crossed_and_locked_venues_are_flagged_not_hidden() {
    let mut bbo = Bbo::top(10);
    bbo.apply(&book("a", "10", "11"));
    bbo.apply(&book("b", "11", "12"));
    let view = bbo.publish().unwrap();
    assert!(view.is_locked() && !view.is_crossed());
    bbo.apply(&book("b", "11.5", "12"));
    let view = bbo.publish().unwrap();
    assert!(view.is_crossed() && !view.is_locked());
    assert_eq!(view.bids[0].price.to_string(), "11.5");
    assert_eq!(view.asks[0].price.to_string(), "11");
}

#[test]
fn a_view_over_equivalent_symbols_has_the_name_it_was_given() {
    let mut bbo = Bbo::top(1).named(Symbol::new("BTC-USD*").unwrap());
    let mut liquidity = Liquidity::levels(1);
    bbo.apply(&book("a", "1", "2"));
    liquidity.apply(&book("a", "1", "2"));
    assert_eq!(bbo.publish().unwrap().symbol, "BTC-USD*");
    assert_eq!(liquidity.publish().unwrap().symbol, "ETH-BTC");
}

#[test]
fn a_leg_too_many_is_left_out_and_the_others_stay_right() {
    let mut bbo = Bbo::top(10);
    for i in 0..24 {
        bbo.apply(&book(&format!("v{i:02}"), "1", "2"));
    }
    assert_eq!(bbo.publish().unwrap().legs.len(), 24);
    bbo.apply(&book("v99", "1.5", "1.6"));
    assert!(bbo.publish().is_none());
    bbo.apply(&book("v03", "1.4", "1.7"));
    assert_eq!(bbo.publish().unwrap().bids[0].price.to_string(), "1.4");
}

#[test]
fn levels_out_of_order_are_left_out_and_leave_nothing_behind() {
    let mut bbo = Bbo::top(2);
    let prices = |prices: &[&str]| -> Ladder {
        let level = |p: &&str| Level::new(p.parse().unwrap(), "1".parse().unwrap());
        prices.iter().map(level).collect()
    };
    for venue in ["a", "b", "c"] {
        bbo.apply(&book(venue, "10", "20"));
    }
    let mut wrong = book("b", "10", "20");
    wrong.depth.bids = prices(&["8", "99", "7"]);
    wrong.depth.asks = prices(&["21", "21", "22"]);
    bbo.apply(&wrong);
    let view = bbo.publish().unwrap();
    assert_eq!(
        view.bids.iter().map(|l| l.price.to_string()).max().unwrap(),
        "10"
    );
    bbo.apply(&down("a"));
    bbo.apply(&down("c"));
    let view = bbo.publish().unwrap();
    let shown: Vec<_> = view.bids.iter().map(|l| l.price.to_string()).collect();
    assert_eq!((shown, view.asks.len()), (vec!["8".to_owned()], 1));
    bbo.apply(&book("b", "10", "20"));
    assert_eq!(bbo.publish().unwrap().bids[0].price.to_string(), "10");
}

/// The perpetual of a venue that spells it as its spot market.
fn perpetual(book: BookEvent) -> BookEvent {
    BookEvent {
        symbol: Symbol::new("ETH-BTC-PERP").unwrap(),
        ..book
    }
}

#[test]
fn two_books_that_a_venue_spells_alike_are_two_legs() {
    let (mut bbo, mut liquidity) = (Bbo::top(10), Liquidity::levels(10));
    let mut shown = |event: &BookEvent| {
        bbo.apply(event);
        liquidity.apply(event);
        let (view, sums) = (bbo.publish().unwrap(), liquidity.publish().unwrap());
        assert_eq!(view.legs, sums.legs);
        let legs = view.legs.iter();
        let legs: Vec<_> = legs
            .map(|(id, s)| format!("{} {}", id.symbol, s.state))
            .collect();
        let bids = view.bids.iter();
        let bids: Vec<_> = bids.map(|l| format!("{} of {}", l.price, l.leg)).collect();
        let sums: Vec<_> = sums.bids.iter().map(|l| l.price.to_string()).collect();
        (legs, bids, sums)
    };
    let told = |legs: &[&str], bids: &[&str], sums: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        (owned(legs), owned(bids), owned(sums))
    };
    // The perpetual first, so that the order of arrival is not that of the names.
    assert_eq!(
        shown(&perpetual(book("bybit", "9", "12"))),
        told(&["ETH-BTC-PERP live"], &["9 of 0"], &["9"])
    );
    assert_eq!(
        shown(&book("bybit", "10", "11")),
        told(
            &["ETH-BTC-PERP live", "ETH-BTC live"],
            &["10 of 1", "9 of 0"],
            &["10", "9"]
        )
    );
    // Of two levels that are alike in all but the unified name, that name decides.
    assert_eq!(
        shown(&perpetual(book("bybit", "10", "11"))).1,
        ["10 of 1", "10 of 0"]
    );
    assert_eq!(
        shown(&down("bybit")),
        told(
            &["ETH-BTC-PERP live", "ETH-BTC down"],
            &["10 of 0"],
            &["10"]
        )
    );
    // News of the one does not bring the other back.
    assert_eq!(
        shown(&perpetual(book("bybit", "8", "13"))),
        told(&["ETH-BTC-PERP live", "ETH-BTC down"], &["8 of 0"], &["8"])
    );
    assert_eq!(
        shown(&perpetual(down("bybit"))),
        told(&["ETH-BTC-PERP down", "ETH-BTC down"], &[], &[])
    );
    assert_eq!(
        shown(&book("bybit", "10", "11")),
        told(
            &["ETH-BTC-PERP down", "ETH-BTC live"],
            &["10 of 1"],
            &["10"]
        )
    );
}
