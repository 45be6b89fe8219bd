//! `dragonfly-sim`: venues to point a bot or a server at, and the product's own trial by fault.

mod check;
mod fuzz;
mod model;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Simulated venues, and an oracle that knows the right book.
///
/// `serve` plays recordings behind real WebSocket and TLS, so that a bot or a server can be tried
/// without a network, against the same messages every time. `fuzz` runs the product's own feeds and
/// aggregators against generated markets and faults, each run out of a seed; `check` judges what was
/// written down of a run.
#[derive(Parser)]
#[command(name = "dragonfly-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve recordings until stopped; prints where to connect.
    ///
    /// Connections are encrypted with a certificate made at start: give clients the authority that
    /// --ca-out writes. When a recording ends its connection is closed, and the next connection
    /// plays it from the start.
    #[command(
        after_help = "Venues: binance, bitstamp, bybit, coinbase-advanced, kraken\n\n\
        Example:\n  dragonfly-sim serve --venue bybit=spot.jsonl.zst --speed 2 --ca-out ca.pem"
    )]
    Serve(serve::Serve),
    /// Run the product in simulated worlds that go wrong, one for each seed, and judge what it shows.
    ///
    /// Prints a line for each seed that fails, with the command that shows it again and the fewest
    /// faults it takes, and a summary. Exits with 1 if any seed failed.
    #[command(after_help = "Example:\n  dragonfly-sim fuzz --seeds 0..500")]
    Fuzz(fuzz::Fuzz),
    /// Hold the state machines alone against a model, by lists of operations, one for each case.
    ///
    /// Prints for each case that fails the command that shows it again and the shortest list of
    /// operations found, and a summary. Exits with 1 if any case failed, or if in 100 cases or more
    /// anything of the catalogue never happened.
    #[command(after_help = "Example:\n  dragonfly-sim model --updates 15000000")]
    Model(model::Model),
    /// Judge a ledger and the views a client was shown, both as `fuzz --out` writes them.
    ///
    /// Exits with 1 if any rule was broken.
    Check(check::Check),
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
        Command::Serve(options) => serve::serve(&options).map(|()| true),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Model(options) => model::model(&options),
        Command::Check(options) => check::check(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => refuse(&format!("error: {reason}")),
    }
}

/// Says in one line what is wrong with the input.
fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::from(2)
}

fn first_paragraph(text: &str) -> String {
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
