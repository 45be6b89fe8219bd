//! How long decoding takes, by message shape. Run by hand:
//! `cargo test -p dragonfly-feeds --release --test it bench_decode -- --ignored --nocapture`.

use dragonfly_core::market::BookUpdate;
use dragonfly_feeds::venue::{self, Subscription};

use super::{books, capture::received};

#[test]
#[ignore = "prints times, asserts nothing"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn bench_decode() {
    let longest = |lines: &[super::capture::Line]| {
        let longest = lines.iter().max_by_key(|l| l.msg.len());
        longest.unwrap().msg.clone()
    };
    let bybit = received("bybit/20260809_ws_v5_spot");
    let coinbase = received("coinbase-advanced/20260809_ws_advanced_btcusd_ethusd");
    let delta = bybit.iter().filter(|l| l.msg.contains(r#""type":"delta""#));
    let update = coinbase.iter().filter(|l| {
        l.msg.contains(r#""l2_data""#)
            && l.msg.contains(r#""type":"update""#)
            && l.msg.len() < 3_000
    });
    let kraken = books::kraken_v2();
    for (id, what, message) in [
        (
            "binance",
            "depth20",
            books::binance_images()[100].msg.clone(),
        ),
        ("bitstamp", "order_book", longest(&books::bitstamp_images())),
        ("bybit", "snapshot 200", longest(&bybit)),
        (
            "bybit",
            "delta",
            delta.max_by_key(|l| l.msg.len()).unwrap().msg.clone(),
        ),
        ("coinbase-advanced", "snapshot", longest(&coinbase)),
        (
            "coinbase-advanced",
            "update",
            update.max_by_key(|l| l.msg.len()).unwrap().msg.clone(),
        ),
        ("kraken", "snapshot 1000", longest(&kraken)),
        ("kraken", "update", kraken[5_000].msg.clone()),
    ] {
        let mut decoder = (venue::find(id).unwrap().decoder)(&Subscription::default());
        let mut update = BookUpdate {
            wanted: 10,
            ..BookUpdate::default()
        };
        let mut bytes = message.into_bytes();
        let rounds = (200_000_000 / bytes.len()).clamp(40, 300_000);
        let mut levels = 0;
        let mut times = Vec::new();
        for _ in 0..40 {
            let start = std::time::Instant::now();
            for _ in 0..rounds / 40 {
                update.clear();
                levels = 0;
                let decoded = decoder.decode(&mut bytes, &mut update, &mut |u| {
                    levels += u.bids.len() + u.asks.len();
                });
                assert!(decoded.is_ok());
            }
            times.push(start.elapsed().as_nanos() / (rounds as u128 / 40));
        }
        times.sort_unstable();
        let len = bytes.len();
        println!(
            "{id} {what}: {len} bytes, {levels} levels, median {} ns, best {} ns",
            times[20], times[0]
        );
    }
}
