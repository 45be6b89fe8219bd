//! `replay`: recorded venues behind real WebSocket and TLS.

use std::{net::SocketAddr, path::PathBuf};

use dragonfly_sim::{Pace, Recorded, Recording, Sim, SimError};

use crate::terminal::say;

#[derive(clap::Args)]
pub(crate) struct Replay {
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

/// Plays until stopped.
pub(crate) fn replay(options: &Replay) -> Result<(), String> {
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
        say!("{venue} {endpoint}");
    }
    sim.join();
    Ok(())
}
