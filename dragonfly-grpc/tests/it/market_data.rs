//! The schema with provenance.

use dragonfly_core::market::{BookState, Cause, Symbol};
use dragonfly_grpc::proto::v1::{
    Book, LegCause, LegState, ListStreamsRequest, StreamBookRequest, StreamKind,
    StreamLiquidityRequest,
};
use tonic::{Code, Streaming};

use super::bench::{Bench, book, dead, deep, leg, liquidity, run, soon};

async fn subscribe(bench: &Bench, request: StreamBookRequest) -> Streaming<Book> {
    let mut client = bench.market_data().await;
    soon(client.stream_book(request))
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<Book>) -> Book {
    soon(stream.message()).await.unwrap().unwrap()
}

fn symbol(symbol: &str) -> StreamBookRequest {
    StreamBookRequest {
        symbol: symbol.into(),
        ..StreamBookRequest::default()
    }
}

#[test]
fn a_book_says_which_venues_it_rests_on_and_how_they_are() {
    run(async {
        let mut bench = Bench::new();
        let bids = [("0.068240010000000001", "12.50", 1)];
        let mut view = book(7, &bids, &[("0.06824", "170000000000000000", 0)]);
        let silent = leg("kraken", BookState::Gap, Cause::SequenceGap);
        view.legs.note(&silent);
        bench.publish(&[view]);
        let book = next(&mut subscribe(&bench, symbol("")).await).await;
        assert_eq!(
            (book.symbol.as_str(), book.seq, book.skipped),
            ("ETH-BTC", 7, 0)
        );
        assert_eq!(book.bids[0].price, "0.068240010000000001", "every digit");
        assert_eq!((book.bids[0].qty.as_str(), book.bids[0].leg), ("12.5", 1));
        assert_eq!(book.asks[0].qty, "170000000000000000");
        assert_eq!(
            (book.crossed, book.locked, book.live_legs),
            (true, false, 2)
        );
        assert_eq!(book.ts_recv_ns, 1_700_000_000_000_000_002);
        assert!(book.ts_emit_ns > book.ts_recv_ns);
        let venues: Vec<&str> = book.legs.iter().map(|l| l.venue.as_str()).collect();
        assert_eq!(venues, ["binance", "bitstamp", "kraken"]);
        let gap = &book.legs[2];
        assert_eq!(
            (gap.state(), gap.cause()),
            (LegState::Gap, LegCause::SequenceGap)
        );
        assert_eq!((gap.epoch, gap.seq), (3, 1_234_567_890_123));
        assert_eq!(
            (gap.symbol.as_str(), gap.native_symbol.as_str()),
            ("ETH-BTC", "ethbtc")
        );
        assert_eq!(gap.ts_venue_ns, 1_700_000_000_000_000_001);
        assert_eq!(gap.ts_recv_ns, 1_700_000_000_000_000_002);
    });
}

#[test]
fn the_first_message_comes_at_once_whatever_is_known() {
    run(async {
        let mut bench = Bench::new();
        let mut early = subscribe(&bench, symbol("eth/btc")).await;
        let mut other = subscribe(&bench, symbol("BTC-USDT")).await;
        let nothing = next(&mut early).await;
        assert_eq!((nothing.symbol.as_str(), nothing.seq), ("ETH-BTC", 0));
        assert!(nothing.legs.is_empty() && nothing.bids.is_empty() && nothing.live_legs == 0);
        bench.publish(&[dead(1)]);
        let told = next(&mut early).await;
        assert_eq!((told.seq, told.live_legs, told.bids.len()), (1, 0, 0));
        assert_eq!(told.legs[0].cause(), LegCause::Disconnected);
        assert_eq!(told.legs[1].state(), LegState::Stale);
        let late = next(&mut subscribe(&bench, symbol("ETH-BTC")).await).await;
        assert_eq!((late.seq, late.legs.len()), (1, 2));
        // Who asked for another symbol gets that one and nothing else.
        let mut view = book(40, &[], &[]);
        view.symbol = Symbol::new("BTC-USDT").unwrap();
        bench.publish(&[view]);
        assert_eq!(next(&mut other).await.seq, 0);
        assert_eq!(next(&mut other).await.symbol, "BTC-USDT");
    });
}

#[test]
fn subscribers_of_one_depth_share_one_encoding() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let stats = bench.server.stats();
        assert_eq!(stats.encoded(), 0, "nobody asked for it");
        let mut streams = Vec::new();
        for i in 0..20 {
            let depth = if i < 15 { 0 } else { 20 };
            let request = StreamBookRequest {
                depth,
                ..symbol("ethbtc")
            };
            streams.push((depth, subscribe(&bench, request).await));
        }
        assert_eq!((stats.encoded(), stats.subscribers()), (2, 20));
        bench.publish(&[deep(2), deep(3)]);
        assert_eq!(stats.encoded(), 6, "two views in two depths");
        for (depth, stream) in &mut streams {
            for seq in 1..=3 {
                let book = next(stream).await;
                let levels = if *depth == 0 { 10 } else { 20 };
                assert_eq!(
                    (book.seq, book.bids.len(), book.asks.len()),
                    (seq, levels, levels)
                );
            }
        }
        assert_eq!(
            (stats.published(), stats.sent(), stats.encoded()),
            (3, 60, 6)
        );
    });
}

#[test]
fn liquidity_is_a_stream_of_its_own() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        bench.publish_liquidity(&[liquidity(9)]);
        let mut client = bench.market_data().await;
        let request = StreamLiquidityRequest::default();
        let mut stream = soon(client.stream_liquidity(request))
            .await
            .unwrap()
            .into_inner();
        let view = soon(stream.message()).await.unwrap().unwrap();
        assert_eq!((view.seq, view.bids[0].qty.as_str()), (9, "3.5"));
        assert_eq!(view.asks[0].qty, "0.000000000000000001");
        let list = soon(client.list_streams(ListStreamsRequest {}))
            .await
            .unwrap();
        let list = list.into_inner().streams;
        let kinds: Vec<_> = list
            .iter()
            .map(|s| (s.kind(), s.seq, s.live_legs))
            .collect();
        assert_eq!(
            kinds,
            [(StreamKind::Book, 1, 2), (StreamKind::Liquidity, 9, 1)]
        );
        assert_eq!(
            (list[0].symbol.as_str(), list[0].legs[1].venue.as_str()),
            ("ETH-BTC", "bitstamp")
        );
    });
}

#[test]
fn a_wrong_request_is_refused_with_what_would_be_right() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut client = bench.market_data().await;
        let unknown = soon(client.stream_book(symbol("BTC-USDT")))
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert_eq!(
            unknown.message(),
            "no stream of \"BTC-USDT\"; this server has: ETH-BTC"
        );
        let deeper = StreamBookRequest {
            depth: 21,
            ..symbol("")
        };
        let deeper = soon(client.stream_book(deeper)).await.unwrap_err();
        assert_eq!(deeper.code(), Code::InvalidArgument);
        assert!(deeper.message().contains("1 to 20"), "{deeper}");
        let long = soon(client.stream_book(symbol(&"x".repeat(50))))
            .await
            .unwrap_err();
        assert!(long.message().contains("at most 39 fit"), "{long}");
        let huge = soon(client.stream_book(symbol(&"x".repeat(70_000))))
            .await
            .unwrap_err();
        assert_eq!(huge.code(), Code::ResourceExhausted);
        assert_eq!(bench.server.stats().refused(), 4);
    });
}
