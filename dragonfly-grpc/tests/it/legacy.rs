//! The original schema, byte for byte.

use bytes::Bytes;
use dragonfly_core::market::ConsolidatedBook;
use dragonfly_grpc::proto::orderbook::{Empty, Level, Summary};
use prost::Message;
use tonic::{Request, Streaming, client::Grpc, codegen::http::uri::PathAndQuery};

use super::bench::{Bench, Raw, book, dead, deep, run, soon};

/// The messages of `BookSummary`, undecoded.
async fn summaries(bench: &Bench) -> Streaming<Bytes> {
    let mut client = Grpc::new(bench.channel().await);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/orderbook.OrderbookAggregator/BookSummary");
    soon(client.server_streaming(Request::new(Vec::new()), path, Raw))
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<Bytes>) -> Bytes {
    soon(stream.message()).await.unwrap().unwrap()
}

fn level(exchange: &str, price: f64, amount: f64) -> Level {
    Level {
        exchange: exchange.into(),
        price,
        amount,
    }
}

#[test]
fn the_bytes_are_those_of_any_other_protobuf_library() {
    run(async {
        let mut bench = Bench::new();
        let mut stream = summaries(&bench).await;
        assert_eq!(next(&mut stream).await, "", "nothing is known yet");
        let bids = [
            ("0.06824001", "12.5", 1),
            ("0.06824", "3", 0),
            ("0.06823", "0.1", 0),
        ];
        let asks = [("0.06824", "0.00000001", 0), ("0.068241", "1000000", 1)];
        bench.publish(&[book(1, &bids, &asks)]);
        let expected = Summary {
            // One exact subtraction and then one rounding, not the difference of two doubles.
            spread: -0.000_000_01,
            bids: vec![
                level("bitstamp", 0.068_240_01, 12.5),
                level("binance", 0.068_24, 3.0),
                level("binance", 0.068_23, 0.1),
            ],
            asks: vec![
                level("binance", 0.068_24, 0.000_000_01),
                level("bitstamp", 0.068_241, 1_000_000.0),
            ],
        };
        assert_eq!(next(&mut stream).await, expected.encode_to_vec());
    });
}

#[test]
fn the_bytes_do_not_change_between_versions() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[book(1, &[("2", "0.5", 0)], &[("3", "4", 1)])]);
        let mut stream = summaries(&bench).await;
        let mut golden = vec![0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        golden.extend([0x12, 27, 0x0a, 7]);
        golden.extend(b"binance");
        golden.extend([
            0x11, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x19, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f,
        ]);
        golden.extend([0x1a, 28, 0x0a, 8]);
        golden.extend(b"bitstamp");
        golden.extend([
            0x11, 0, 0, 0, 0, 0, 0, 8, 0x40, 0x19, 0, 0, 0, 0, 0, 0, 0x10, 0x40,
        ]);
        assert_eq!(next(&mut stream).await, golden);
    });
}

#[test]
fn ten_levels_a_side_and_every_update_of_a_batch() {
    run(async {
        let mut bench = Bench::new();
        let mut stream = bench.legacy().await;
        let mut stream = soon(stream.book_summary(Empty {}))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            soon(stream.message()).await.unwrap(),
            Some(Summary::default())
        );
        bench.publish(&(1..=50).map(deep).collect::<Vec<_>>());
        for seq in 1..=50 {
            let summary = soon(stream.message()).await.unwrap().unwrap();
            assert_eq!((summary.bids.len(), summary.asks.len()), (10, 10));
            assert_eq!(summary.bids[0].amount, f64::from(seq));
        }
    });
}

#[test]
fn when_nothing_is_live_one_empty_summary_says_so() {
    run(async {
        let mut bench = Bench::new();
        let one: &[_] = &[("2", "1", 0)];
        bench.publish(&[book(1, one, &[])]);
        let mut stream = summaries(&bench).await;
        let first = Summary::decode(next(&mut stream).await).unwrap();
        assert_eq!(
            (first.spread, first.bids.len()),
            (0.0, 1),
            "no spread with one side"
        );
        let views: Vec<ConsolidatedBook> = vec![dead(2), dead(3), dead(4), book(5, one, one)];
        bench.publish(&views);
        assert_eq!(next(&mut stream).await, "", "withdrawn");
        let back = Summary::decode(next(&mut stream).await).unwrap();
        assert_eq!(back.asks.len(), 1, "and not told again before it is back");
    });
}
