//! `check`: the oracle on files.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use dragonfly_sim::{
    ledger::{self, Record},
    oracle::{Limits, Oracle, View},
};
use serde::de::DeserializeOwned;

use crate::terminal::say;

#[derive(clap::Args)]
pub(crate) struct Check {
    /// What the venues said, as JSON lines.
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,

    /// What a client was shown, as JSON lines.
    #[arg(long, value_name = "FILE")]
    views: PathBuf,

    /// How much later than its message a view may come, in ms.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    view_delay: u64,

    /// Judge what `drill` wrote down, of programs on a machine that may be busy.
    #[arg(long, conflicts_with = "view_delay")]
    real_time: bool,
}

/// Judges; true when all is well.
pub(crate) fn check(args: &Check) -> Result<bool, String> {
    let records: Vec<Record> = read(&args.ledger)?;
    let views: Vec<View> = read(&args.views)?;
    if views.is_empty() {
        let views = args.views.display();
        return Err(format!("{views}: holds no view: there is nothing to judge"));
    }
    let mut limits = Limits::default();
    limits.view_delay = args.view_delay.saturating_mul(1_000_000);
    if args.real_time {
        limits = Limits::real_time();
    }
    let mut oracle = Oracle::new(limits);
    let mut views = views.into_iter().peekable();
    for record in records {
        // Of one moment what was said comes first, then what was shown, and then the look around.
        let before = match record {
            Record::Looked { at } => at.saturating_add(1),
            _ => record.at(),
        };
        while let Some(view) = views.next_if(|view| view.at < before) {
            oracle.view(view);
        }
        oracle.record(record);
    }
    views.for_each(|view| oracle.view(view));
    for violation in oracle.violations() {
        say!("{violation}");
    }
    let judged = oracle.judged();
    say!(
        "{} updates, {} views, {} live legs compared, {} violations",
        judged.entries,
        judged.views,
        judged.legs,
        oracle.violations().len()
    );
    Ok(oracle.violations().is_empty())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, String> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
    ledger::read(&name, BufReader::new(file)).map_err(|error| error.to_string())
}
