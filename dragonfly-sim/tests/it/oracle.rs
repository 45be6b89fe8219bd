//! The oracle: each of its rules finds what was broken by hand, and nothing in what is right.

use dragonfly_sim::{
    ledger::{self, Record},
    oracle::{Kind, Limits, Oracle, Rule, View},
};
use serde_json::json;

const SECOND: u64 = 1_000_000_000;

/// What `venue` said at `at`: bids and asks of one level each, or none for an empty text.
fn said(at: u64, venue: &str, (stream, seq): (u64, u64), bid: &str, ask: &str) -> Record {
    let side = |level: &str| -> Vec<Vec<String>> {
        let level: Vec<String> = level.split_whitespace().map(str::to_owned).collect();
        level.chunks(2).map(<[String]>::to_vec).collect()
    };
    let line = json!({
        "record": "entry", "at": at, "socket": u32::from(venue == "b"), "venue": venue, "symbol": "X",
        "stream": stream, "seq": seq, "is_whole": seq == 1, "bids": side(bid), "asks": side(ask),
    });
    let records = ledger::read(venue, line.to_string().as_bytes());
    records.unwrap().remove(0)
}

fn heard(at: u64, socket: u32) -> Record {
    let line = json!({"record": "heard", "at": at, "socket": socket}).to_string();
    ledger::read("heard", line.as_bytes()).unwrap().remove(0)
}

fn looked(at: u64) -> Record {
    let line = json!({"record": "looked", "at": at}).to_string();
    ledger::read("looked", line.as_bytes()).unwrap().remove(0)
}

/// A view of legs (venue, state, epoch, seq) and levels (side, price, quantity, leg).
fn view(
    at: u64,
    seq: u64,
    legs: &[(&str, &str, u32, u64)],
    levels: &[(char, &str, &str, usize)],
) -> View {
    let mut view = View::new(at, "bbo", Kind::Consolidated, 2, seq);
    for (venue, state, epoch, number) in legs {
        view.leg(venue, "X", state, *epoch, *number);
    }
    for (side, price, qty, leg) in levels {
        view.level(
            *side == 'b',
            (*price).to_owned(),
            (*qty).to_owned(),
            Some(*leg),
        );
    }
    view
}

/// Two venues that have said what they have, and an oracle that knows.
fn oracle() -> Oracle {
    let mut oracle = Oracle::new(Limits::default());
    oracle.record(said(10, "a", (1, 1), "9 1 8 1", "11 1"));
    oracle.record(said(10, "b", (1, 1), "9.0 1.00", "12 5"));
    oracle
}

const LIVE: [(&str, &str, u32, u64); 2] = [("a", "live", 1, 1), ("b", "live", 1, 1)];
const RIGHT: [(char, &str, &str, usize); 4] = [
    ('b', "9", "1", 0),
    ('b', "9", "1", 1),
    ('a', "11", "1", 0),
    ('a', "12", "5", 1),
];

fn rules(oracle: &Oracle) -> Vec<Rule> {
    oracle
        .violations()
        .iter()
        .map(|violation| violation.rule)
        .collect()
}

#[test]
fn what_is_right_is_left_alone() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    oracle.record(said(20, "a", (1, 2), "9 1 8 2", "11 1"));
    let next = [("a", "live", 1, 2), ("b", "live", 1, 1)];
    oracle.view(view(20, 2, &next, &RIGHT));
    oracle.view(view(
        21,
        3,
        &[("a", "gap", 1, 2), ("b", "live", 1, 1)],
        &[RIGHT[1], RIGHT[3]],
    ));
    oracle.record(said(30, "a", (2, 1), "7 1", "11 1"));
    let again = [("a", "live", 2, 1), ("b", "live", 1, 1)];
    let levels = [
        ('b', "9", "1", 1),
        ('b', "7", "1", 0),
        ('a', "11", "1", 0),
        ('a', "12", "5", 1),
    ];
    oracle.view(view(30, 4, &again, &levels));
    oracle.record(looked(30 + SECOND));
    assert_eq!(oracle.violations(), []);
    assert_eq!(oracle.is_settled("bbo", "a", "X"), Ok(()));
    assert_eq!(oracle.judged().legs, 7);
}

#[test]
fn a_level_nobody_said_is_found() {
    for wrong in [
        ('b', "9", "1.00000001", 0),
        ('b', "9.01", "1", 0),
        ('b', "8", "1", 0),
    ] {
        let mut oracle = oracle();
        let mut levels = RIGHT;
        levels[0] = wrong;
        oracle.view(view(10, 1, &LIVE, &levels));
        assert_eq!(rules(&oracle), [Rule::Truth], "{wrong:?}");
    }
}

#[test]
fn a_number_nobody_said_is_found_and_so_is_one_of_before_the_restart() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &[("a", "live", 1, 2), LIVE[1]], &RIGHT));
    assert_eq!(rules(&oracle), [Rule::Truth]);

    let mut oracle = self::oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    oracle.record(said(20, "a", (2, 1), "7 1", "11 1"));
    // The client says that its book has begun again, and shows the old one.
    oracle.view(view(20, 2, &[("a", "live", 2, 1), LIVE[1]], &RIGHT));
    assert_eq!(rules(&oracle), [Rule::Truth]);
}

#[test]
fn what_has_not_arrived_yet_cannot_be_shown() {
    let mut oracle = oracle();
    oracle.view(view(9, 1, &LIVE, &RIGHT));
    assert_eq!(rules(&oracle), [Rule::Truth, Rule::Truth]);
}

#[test]
fn a_wrong_merge_is_found() {
    let tied = [RIGHT[1], RIGHT[0], RIGHT[2], RIGHT[3]];
    let without = [RIGHT[0], RIGHT[2], RIGHT[3]];
    let cut = [RIGHT[0], RIGHT[1], RIGHT[2]];
    let worse = [RIGHT[0], ('b', "8", "1", 0), RIGHT[2], RIGHT[3]];
    for levels in [&tied[..], &without, &cut, &worse] {
        let mut oracle = oracle();
        oracle.view(view(10, 1, &LIVE, levels));
        assert_eq!(rules(&oracle), [Rule::Merge], "{levels:?}");
    }
}

#[test]
fn a_leg_that_is_not_live_takes_no_part() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &[("a", "gap", 1, 1), LIVE[1]], &RIGHT));
    assert_eq!(rules(&oracle), [Rule::Merge]);
}

#[test]
fn sums_are_checked_to_the_last_digit() {
    for (sum, is_right) in [
        ("2", true),
        ("2.00", true),
        ("1", false),
        ("2.000000000000000001", false),
    ] {
        let mut oracle = oracle();
        let mut view = View::new(10, "liquidity", Kind::Aggregated, 1, 1);
        view.leg("a", "X", "live", 1, 1);
        view.leg("b", "X", "live", 1, 1);
        view.level(true, "9".into(), sum.into(), None);
        view.level(false, "11".into(), "1".into(), None);
        oracle.view(view);
        assert_eq!(oracle.violations().is_empty(), is_right, "{sum}");
    }
}

#[test]
fn an_epoch_or_a_number_that_goes_back_is_found() {
    for back in [("a", "gap", 1, 0), ("a", "gap", 0, 5)] {
        let mut oracle = oracle();
        oracle.view(view(10, 1, &LIVE, &RIGHT));
        oracle.view(view(11, 2, &[back, LIVE[1]], &[RIGHT[1], RIGHT[3]]));
        assert_eq!(rules(&oracle), [Rule::Order], "{back:?}");
    }
}

#[test]
fn a_leg_nothing_was_heard_of_may_not_stay_live() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    oracle.record(heard(4 * SECOND, 1));
    oracle.record(looked(5 * SECOND));
    assert_eq!(oracle.violations(), []);
    oracle.record(looked(6 * SECOND));
    assert_eq!(
        rules(&oracle),
        [Rule::Freshness],
        "only the connection that is silent"
    );
    for at in 1..14 {
        oracle.record(heard(at * 5 * SECOND, 1));
    }
    oracle.record(looked(65 * SECOND));
    assert_eq!(
        rules(&oracle),
        [Rule::Freshness; 2],
        "a minute without a message of its own"
    );
}

#[test]
fn an_update_that_is_not_shown_is_found() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    oracle.record(said(SECOND, "a", (1, 2), "9 2 8 1", "11 1"));
    oracle.record(looked(SECOND));
    assert_eq!(oracle.violations(), [], "it may take a moment");
    oracle.record(looked(SECOND + SECOND / 10));
    assert_eq!(rules(&oracle), [Rule::Freshness]);
    assert!(
        oracle
            .is_settled("bbo", "a", "X")
            .unwrap_err()
            .starts_with("shows seq 1")
    );
}

#[test]
fn a_leg_that_stands_still_while_its_book_never_rests_is_found() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    for seq in 2..12 {
        let at = SECOND + seq * SECOND / 50;
        let bids = format!("9 {seq} 8 1");
        oracle.record(said(at, "a", (1, seq), &bids, "11 1"));
        oracle.record(looked(at));
    }
    assert_eq!(rules(&oracle), [Rule::Freshness]);
    let what = oracle.violations()[0].to_string();
    assert!(what.contains("seq 2 arrived 60 ms ago"), "{what}");
    let settled = |by| oracle.is_settled_since("bbo", "a", "X", by).is_ok();
    assert!(settled(SECOND) && !settled(2 * SECOND));
}

#[test]
fn a_leg_that_is_heard_of_may_not_turn_stale() {
    let mut oracle = oracle();
    oracle.view(view(10, 1, &LIVE, &RIGHT));
    oracle.view(view(
        SECOND,
        2,
        &[("a", "stale", 1, 1), LIVE[1]],
        &[RIGHT[1], RIGHT[3]],
    ));
    assert_eq!(rules(&oracle), [Rule::Freshness]);
}

#[test]
fn a_crossed_book_may_not_be_live() {
    let mut oracle = Oracle::new(Limits::default());
    oracle.record(said(10, "a", (1, 1), "12 1", "11 1"));
    let levels = [('b', "12", "1", 0), ('a', "11", "1", 0)];
    oracle.view(view(10, 1, &LIVE[..1], &levels));
    assert_eq!(rules(&oracle), [Rule::Crossed]);
}

#[test]
fn a_client_is_shown_what_was_published_and_told_what_it_was_not_shown() {
    let published = [
        view(10, 1, &LIVE, &RIGHT),
        view(11, 2, &LIVE, &RIGHT),
        view(12, 3, &LIVE, &RIGHT),
    ];
    let copy = |of: usize, skipped| {
        let mut view = published[of].clone();
        view.client = "slow".into();
        view.skipped = skipped;
        view
    };
    let mut other = copy(2, 1);
    other.bids[0].qty = "7".into();
    for (copies, is_right) in [
        (vec![copy(0, 0), copy(2, 1)], true),
        (vec![copy(0, 0), copy(2, 0)], false),
        (vec![copy(0, 0), copy(2, 2)], false),
        (vec![copy(2, 0), copy(1, 0)], false),
        (vec![copy(0, 0), other], false),
    ] {
        let mut oracle = oracle();
        published.iter().for_each(|view| oracle.view(view.clone()));
        copies.into_iter().for_each(|view| oracle.view(view));
        let found = rules(&oracle);
        assert_eq!(found.is_empty(), is_right, "{found:?}");
        assert!(found.iter().all(|rule| *rule == Rule::Subsequence));
    }
    let mut oracle = oracle();
    oracle.view(published[0].clone());
    oracle.view(published[2].clone());
    assert_eq!(
        rules(&oracle),
        [Rule::Subsequence],
        "a published view is missing"
    );
}
