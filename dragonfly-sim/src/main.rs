//! `dragonfly-sim`: recorded venues to point a bot or a server at.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use dragonfly_sim::{Pace, Recorded, Recording, Sim, SimError};

/// Recorded venues behind real WebSocket and TLS on loopback.
///
/// Speaks each venue's own protocol and plays real recordings, so that a bot or a server can be
/// tried without a network, against the same messages every time.
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
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    /// A venue and the recording it plays (.jsonl or .jsonl.zst); may be given several times.
    /// The same venue again plays the recordings one after the other.
    #[arg(long = "venue", value_name = "VENUE=FILE", required = true, value_parser = venue)]
    venues: Vec<(String, PathBuf)>,

    /// How many times faster than recorded to play; 0.5 is half as fast.
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,

    /// Write the certificate authority clients have to trust to this file (PEM).
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,

    /// Where to listen: the first venue on this port, each further one on the next; port 0 picks
    /// free ports. Loopback addresses only.
    #[arg(long, value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,
}

fn venue(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((venue, file)) if !venue.is_empty() && !file.is_empty() => {
            Ok((venue.to_owned(), PathBuf::from(file)))
        }
        _ => Err("expected VENUE=FILE, such as bybit=spot.jsonl.zst".to_owned()),
    }
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
    let Command::Serve(options) = cli.command;
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
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

fn serve(options: &Serve) -> Result<(), String> {
    let said = |error: SimError| error.to_string();
    let mut builder = Sim::builder().bind(options.bind);
    for (venue, file) in &options.venues {
        let capture = Recording::open(file).map_err(said)?;
        let recorded = Recorded::new(venue, capture).pace(Pace::Speed(options.speed));
        builder = builder.venue(recorded);
    }
    let sim = builder.start().map_err(said)?;
    if let Some(path) = &options.ca_out {
        std::fs::write(path, sim.ca_pem())
            .map_err(|error| format!("{}: cannot be written: {error}", path.display()))?;
    }
    for (venue, endpoint) in sim.endpoints() {
        println!("{venue} {endpoint}");
    }
    sim.join();
    Ok(())
}
