//! Any recording through the live decoders and books: the books it ends with, a line of JSON each.
//!
//! `cargo run --release --example replay -- --venue VENUE FILE...` reads `.jsonl` and `.jsonl.zst`;
//! several files are one recording. What is wrong in them is named on standard error.

use std::{io::Write as _, process::ExitCode};

use anyhow::{Result, ensure};
use dragonfly::{clients::capture, feeds::VenueReplay, market::Level};
use serde_json::json;

/// How many faults are listed; further ones are only counted.
const LISTED: u64 = 20;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &args[..] {
        [option, venue, files @ ..] if option == "--venue" => replay(venue, files),
        _ => Err(anyhow::anyhow!("say --venue VENUE FILE...")),
    };
    if let Err(error) = outcome {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn replay(venue: &str, names: &[String]) -> Result<()> {
    let (mut replay, mut faults) = (VenueReplay::new(venue, 10)?, 0);
    ensure!(!names.is_empty(), "name a recording after --venue {venue}");
    let files = names
        .iter()
        .map(capture::open)
        .collect::<Result<Vec<_>, _>>()?;
    for file in files {
        replay.play_file(file, &mut |fault| {
            faults += 1;
            if faults <= LISTED {
                eprintln!("{fault}");
            }
        })?;
    }
    eprintln!("{}", replay.counts());
    for book in replay.books() {
        let (stats, depth) = (book.sync.stats(), book.sync.depth(10));
        let text = |l: &Level| [l.price.to_string(), l.qty.to_string()];
        let side = |levels: &[Level]| levels.iter().map(text).collect::<Vec<_>>();
        let line = json!({
            "venue": venue, "symbol": book.symbol.as_str(), "native_symbol": book.native_symbol.as_str(),
            "state": book.sync.state().name(), "messages": stats.updates, "gaps": stats.gaps,
            "checksum_failures": stats.checksum_failures, "bids": side(&depth.bids), "asks": side(&depth.asks),
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}
