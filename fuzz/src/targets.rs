//! The targets: who reads bytes, and what must hold whatever they are.

#![allow(
    clippy::expect_used,
    reason = "a target says by a panic what does not hold"
)]

mod captures;
mod decode;
mod early;
mod feed;
mod frames;
mod json;
mod requests;
mod rig;
mod sim;
mod upgrade;
mod views;

use crate::Words;

/// One reader of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name; that of its corpus, too.
    pub name: &'static str,
    /// What is read.
    pub about: &'static str,
    /// Reads an input, and panics when something does not hold.
    pub run: fn(&[u8]),
    /// The language of its inputs.
    pub words: Words,
    /// How many of all executions it gets, in relation to the others: few where one takes long.
    pub share: u32,
}

impl Target {
    /// How much memory an execution may hold at a time, in bytes: 16 times its input, and 1 MiB.
    pub fn allowed(&self, input: usize) -> u64 {
        // TOML is the one language that is not read by the project's own code or byte by byte. Its
        // parser keeps every token; what it reads is the operator's own, and of 64 KiB at the most.
        let times = if self.words == Words::Toml { 512 } else { 16 };
        times * input as u64 + (1 << 20)
    }
}

/// Finds a target by its name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs the target of this name, as the programs under `libfuzzer` do.
///
/// # Panics
/// When there is no such target, or when it finds something.
pub fn run(name: &str, input: &[u8]) {
    let target = find(name).unwrap_or_else(|| panic!("no target {name}"));
    (target.run)(input);
}

macro_rules! targets {
    ($($name:literal $words:ident $share:literal $run:expr, $about:literal;)*) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target {
            name: $name,
            about: $about,
            run: $run,
            words: Words::$words,
            share: $share,
        }),*];
    };
}

targets! {
    "binance" Json 60 |b| decode::decode("binance", false, b), "the decoder of Binance";
    "binance_diffs" Json 60 |b| decode::decode("binance", true, b), "the decoder of Binance's channel of changes";
    "bitstamp" Json 60 |b| decode::decode("bitstamp", false, b), "the decoder of Bitstamp";
    "bitstamp_diffs" Json 60 |b| decode::decode("bitstamp", true, b), "the decoder of Bitstamp's channel of changes";
    "bybit" Json 60 |b| decode::decode("bybit", false, b), "the decoder of Bybit";
    "coinbase_advanced" Json 60 |b| decode::decode("coinbase-advanced", false, b), "the decoder of Coinbase Advanced";
    "kraken" Json 60 |b| decode::decode("kraken", false, b), "the decoder of Kraken";
    "acknowledge" Json 60 decode::acknowledge, "every venue's answers to subscriptions";
    "decimal" Json 60 decode::decimal, "decimal text, both ways, against each other";
    "json" Json 60 json::json, "any JSON by the cursor, wide and byte by byte, against serde_json";
    "simd" Json 20 decode::simd, "levels and messages in wide registers against byte by byte";
    "early" Json 30 early::early, "messages that are read while they arrive, against the same in whole";
    "feed" Json 30 feed::feed, "several messages through a venue's whole feed, in parts and in whole";
    "capture" Json 30 captures::capture, "the capture reader, and what is written of it again";
    "capture_zstd" Json 20 captures::compressed, "the same from a compressed file";
    "replay" Json 15 captures::replay, "a recording through a venue's feed and books";
    "recording" Json 20 sim::recording, "the recordings of the simulator";
    "plan" Toml 10 sim::plan, "the simulator's plans of faults";
    "ledger" Json 20 sim::ledger, "ledgers and views, and the oracle's verdict on them";
    "frames" Frames 60 frames::frames, "WebSocket frames in pieces, in whole, and by tungstenite";
    "upgrade" Http 15 upgrade::upgrade, "the answer to a WebSocket upgrade, and frames behind it, over TCP";
    "http2" Http2 15 requests::http2, "an HTTP/2 client of the gRPC server, frame by frame, over TCP";
    "request" Protobuf 15 requests::request, "the body of each call of the gRPC server, over TCP";
    "view" Protobuf 30 views::view, "the answers of a gRPC server to the client";
}
