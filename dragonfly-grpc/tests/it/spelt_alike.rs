//! The server program where a venue spells two instruments alike, or has two names for one.

use std::path::PathBuf;

use dragonfly_grpc::proto::v1::{Book, LegState};
use dragonfly_sim::{Recorded, Recording, Sim};

use super::{
    bench::{run, soon},
    server_program::{CLOSED, Program, book_with, connect, refused},
};

/// Bybit's spot and linear markets, each at a path of its own; both have a BTCUSDT.
fn markets() -> (Sim, [String; 2]) {
    let recording = |name: &str| {
        let captures = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../dragonfly-feeds/tests/captures"
        );
        Recording::open(format!("{captures}/bybit/20260809_ws_v5_{name}.jsonl.zst")).unwrap()
    };
    let sim = ["spot", "linear"].iter().fold(Sim::builder(), |sim, name| {
        sim.venue(Recorded::new("bybit", recording(name)))
    });
    let sim = sim.start().unwrap();
    let (root, _) = sim.endpoint("bybit").unwrap().rsplit_once('/').unwrap();
    let urls = ["spot", "linear"].map(|name| format!("{root}/{name}"));
    (sim, urls)
}

/// A file with the simulator's certificate; removed when the test is over.
struct CaFile(PathBuf);

impl CaFile {
    fn of(sim: &Sim, test: &str) -> Self {
        let name = format!("dragonfly-{}-{test}.pem", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, sim.ca_pem()).unwrap();
        Self(path)
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// The program with Bybit's spot and perpetual books, each at an address of its own.
fn server(ca: &CaFile, spot: &str, perpetual: &str) -> Program {
    Program::start(&[
        "--bind",
        "127.0.0.1:0",
        "--venues",
        "bybit:BTC-USDT,bybit:BTC-USDT-PERP",
        "--endpoint",
        &format!("bybit:BTC-USDT={spot}"),
        "--endpoint",
        &format!("bybit:BTC-USDT-PERP={perpetual}"),
        "--tls-ca",
        ca.0.to_str().unwrap(),
    ])
}

/// Each leg's symbol and state, in the order of symbols; all are spelt alike.
fn legs(book: &Book) -> Vec<(&str, LegState)> {
    let leg = |leg: &dragonfly_grpc::proto::v1::Leg| {
        assert_eq!((&*leg.venue, &*leg.native_symbol), ("bybit", "BTCUSDT"));
    };
    book.legs.iter().for_each(leg);
    let mut legs: Vec<_> = book
        .legs
        .iter()
        .map(|leg| (&*leg.symbol, leg.state()))
        .collect();
    legs.sort_by_key(|leg| leg.0);
    legs
}

/// The symbols of the legs that have levels in the book.
fn with_levels(book: &Book) -> Vec<&str> {
    let levels = book.bids.iter().chain(&book.asks);
    let mut symbols: Vec<_> = levels.map(|l| &*book.legs[l.leg as usize].symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

const SPOT: &str = "BTC-USDT";
const PERPETUAL: &str = "BTC-USDT-PERP";

#[test]
fn spot_and_perpetual_are_two_legs_that_both_are_live() {
    let (sim, [spot, linear]) = markets();
    let ca = CaFile::of(&sim, "both-live");
    let mut program = server(&ca, &spot, &linear);
    let address = program.address();
    run(async {
        let channel = connect(&address).await;
        let book = soon(book_with(&channel, LegState::Live, 2)).await;
        let live = LegState::Live;
        assert_eq!(legs(&book), [(SPOT, live), (PERPETUAL, live)]);
        assert_eq!(book.live_legs, 2);
    });
    program.hears(" live: 2 of 2 venues venue=bybit");
}

#[test]
fn one_of_them_that_is_down_neither_hides_nor_is_hidden() {
    for is_spot_up in [true, false] {
        let (sim, [spot, linear]) = markets();
        let ca = CaFile::of(&sim, "one-down");
        let (spot, linear, up, down) = if is_spot_up {
            (&*spot, CLOSED, SPOT, PERPETUAL)
        } else {
            (CLOSED, &*linear, PERPETUAL, SPOT)
        };
        let mut program = server(&ca, spot, linear);
        let address = program.address();
        program.hears(&format!("symbol={down} state=down"));
        run(async {
            let channel = connect(&address).await;
            let book = soon(book_with(&channel, LegState::Live, 1)).await;
            let state = |symbol| {
                if symbol == up {
                    LegState::Live
                } else {
                    LegState::Down
                }
            };
            assert_eq!(
                legs(&book),
                [SPOT, PERPETUAL].map(|symbol| (symbol, state(symbol)))
            );
            assert_eq!(with_levels(&book), [up]);
        });
    }
}

#[test]
fn two_names_of_one_book_are_refused_and_so_are_two_books_at_one_address() {
    refused(
        &[
            "--venues",
            "coinbase-advanced:BTC-USD,coinbase-advanced:BTC-USDC",
        ],
        &[
            "coinbase-advanced",
            "BTC-USD and BTC-USDC",
            "one book",
            "name it once",
        ],
    );
    refused(
        &["--venues", "bybit:BTC-USDT,bybit:btcusdt"],
        &["bybit", "BTC-USDT", "twice"],
    );
    let endpoint = format!("bybit={CLOSED}");
    let both = "bybit:BTC-USDT,bybit:BTC-USDT-PERP";
    refused(
        &["--venues", both, "--endpoint", &endpoint],
        &[
            "bybit",
            "BTC-USDT and BTC-USDT-PERP",
            CLOSED,
            "--endpoint bybit:BTC-USDT-PERP=URL",
        ],
    );
    refused(
        &[
            "--venues",
            both,
            "--endpoint",
            "bybit:ETH-USDT=wss://127.0.0.1:1/",
        ],
        &[
            "--endpoint",
            "\"bybit:ETH-USDT\"",
            "bybit:BTC-USDT, bybit:BTC-USDT-PERP",
        ],
    );
    refused(
        &["--venues", both, "--endpoint", "bybit:?=wss://127.0.0.1:1/"],
        &["--endpoint", "bybit:?", "BASE-QUOTE"],
    );
}
