//! `dragonfly-sim`: venues to point a bot or a server at, and the product's own trial by fault.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic where nothing can be written"
)]

mod check;
mod drill;
mod fuzz;
mod ledger_file;
mod model;
mod replay;
mod report;
mod serve;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::terminal::complain;

/// Simulated venues, and an oracle that knows the right book.
///
/// `serve` makes markets and speaks for them as real venues do, over WebSocket and TLS, and fails as
/// a plan wants it, so that a bot or a server can be tried against an outage. `replay` plays
/// recordings in the same way, the same messages every time. `fuzz` runs the product's own feeds and
/// aggregators against generated markets and faults, each run out of a seed, `drill` its release
/// programs over real sockets, and `model` its state machines alone; `check` judges what was written
/// down of a run, and `report` makes a page of what all of them found.
#[derive(Parser)]
#[command(name = "dragonfly-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What `check` reads.
const VIEWS: &str = r#"Views, one a line and oldest first:
  {"at":1500000000,"stream":"book","kind":"consolidated","depth":10,"seq":1,"legs":[{"venue":"bybit","symbol":"BTCUSDT","epoch":1,"seq":42,"state":"live"}],"bids":[{"price":"100.5","qty":"2","leg":0}],"asks":[{"price":"101","qty":"1","leg":0}]}
at: when it was shown, in ns of the ledger's own times, whose first line (began) says which UTC they are.
stream: a name of your own; seq counts its views. depth: how many levels a side, up to 20.
kind: consolidated, the best levels of all live legs, each with its leg; or aggregated, their quantities
  summed by price, without legs.
legs: the books it rests on. seq is the venue's number of the last message applied: lastUpdateId,
  microtimestamp, u, sequence_num; Kraken: 0 for the snapshot, and then the count of the updates. epoch
  counts how often the book began anew. state: live, or anything else for a leg that takes no part.

Example:
  dragonfly-sim check --ledger ledger.jsonl --views views.jsonl --real-time"#;

#[derive(Subcommand)]
enum Command {
    /// Serve generated markets until stopped, with the faults of a plan; prints where to connect.
    ///
    /// Each line names a venue, where it is and its symbols, as clients have to spell them.
    /// Connections are encrypted with a certificate made at start: give clients the authority that
    /// --ca-out writes.
    ///
    /// Only order books carry data: Binance SYMBOL@depth5, 10 or 20, with @100ms or without; Bitstamp
    /// order_book_SYMBOL; Bybit orderbook.1, 50, 200 or 1000; Coinbase level2 (and heartbeats); Kraken
    /// book. Other channels of the venues are acknowledged and stay silent.
    ///
    /// At the end it prints how often each fault fired. It exits with 1 if a fault of the plan never
    /// did, if a client took a wrong certificate, or if the ledger could not be written.
    #[command(
        after_help = "Venues: binance, bitstamp, bybit, coinbase-advanced, kraken\n\n\
        Example:\n  dragonfly-sim serve --venues bybit,kraken --instruments BTC-USDT \
        --plan dragonfly-sim/plans/outages.toml --for 300 --ca-out ca.pem"
    )]
    Serve(serve::Serve),
    /// Play recordings until stopped; prints where to connect.
    ///
    /// Connections are encrypted with a certificate made at start: give clients the authority that
    /// --ca-out writes. When a recording ends its connection is closed, and the next connection
    /// plays it from the start.
    #[command(
        after_help = "Venues: binance, bitstamp, bybit, coinbase-advanced, kraken\n\n\
        Example:\n  dragonfly-sim replay --venue bybit=spot.jsonl.zst --speed 2 --ca-out ca.pem"
    )]
    Replay(replay::Replay),
    /// Run the product in simulated worlds that go wrong, one for each seed, and judge what it shows.
    ///
    /// Prints a line for each seed that fails, with the command that shows it again and the fewest
    /// faults it takes, and a summary. Exits with 1 if any seed failed.
    #[command(after_help = "Example:\n  dragonfly-sim fuzz --seeds 0..500")]
    Fuzz(fuzz::Fuzz),
    /// Run the release programs against generated venues over real sockets, with faults of venues,
    /// sockets and processes, and judge what their clients show.
    ///
    /// Exits with 1 if any run failed, and says where its ledger, views and logs are.
    #[command(
        after_help = "Example:\n  dragonfly-sim drill --server target/release/dragonflybot-grpc-server \
        --client target/release/dragonflybot-grpc-client --for 360"
    )]
    Drill(drill::Drill),
    /// Hold the state machines alone against a model, by lists of operations, one for each case.
    ///
    /// Prints for each case that fails the command that shows it again and the shortest list of
    /// operations found, and a summary. Exits with 1 if any case failed, or if in 100 cases or more
    /// anything of the catalogue never happened.
    #[command(after_help = "Example:\n  dragonfly-sim model --updates 15000000")]
    Model(model::Model),
    /// Judge a ledger and the views a client was shown, both as `fuzz --out` writes them.
    ///
    /// Those that `drill --out` or `serve --ledger` writes are of real time: use --real-time.
    ///
    /// Exits with 1 if any rule was broken.
    #[command(after_help = VIEWS)]
    Check(check::Check),
    /// Make one page for users of what all checks found.
    #[command(
        after_help = "Example:\n  dragonfly-sim report t0.json t1.json --commit 1a2b3c --out RELIABILITY.md"
    )]
    Report(report::Report),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&first_paragraph(&error.to_string())),
        Err(help) => {
            // Nobody is left to tell if standard output is closed.
            help.print().ok();
            return ExitCode::SUCCESS;
        }
    };
    let done = match cli.command {
        Command::Serve(options) => serve::serve(&options),
        Command::Replay(options) => replay::replay(&options).map(|()| true),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Drill(options) => drill::drill(&options),
        Command::Model(options) => model::model(&options),
        Command::Check(options) => check::check(&options),
        Command::Report(options) => report::report(&options).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => refuse(&format!("error: {reason}")),
    }
}

/// Says in one line what is wrong with the input.
fn refuse(reason: &str) -> ExitCode {
    complain!("{reason}");
    ExitCode::from(2)
}

fn first_paragraph(text: &str) -> String {
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
