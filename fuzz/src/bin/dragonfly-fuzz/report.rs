//! What came out of a campaign, for people and for programs.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::json;

use crate::{
    Options,
    campaign::{Outcome, Tally},
};

/// Prints a line a target, and the sum.
pub(crate) fn print(outcome: &Outcome) {
    println!("target              executions   per CPU second   slowest    most memory");
    for (target, tally) in &outcome.targets {
        println!(
            "{:18} {:11} {:16.0} {:6} us {:10} bytes{}",
            target.name,
            tally.executions,
            rate(tally),
            tally.worst.cpu.as_micros(),
            tally.worst.memory,
            failures(tally)
        );
    }
    let cpu: Duration = outcome.targets.iter().map(|(_, tally)| tally.cpu).sum();
    println!(
        "{} executions in {} s, {} s of processors for the readers themselves, {} failures",
        outcome.executions(),
        outcome.time.0 / 1_000_000_000,
        cpu.as_secs(),
        outcome.failures()
    );
}

fn rate(tally: &Tally) -> f64 {
    tally.executions as f64 / tally.cpu.as_secs_f64().max(1e-9)
}

fn failures(tally: &Tally) -> String {
    let failures = tally.failures.iter();
    failures
        .map(|(key, count)| format!("\n    {count} x {key}"))
        .collect()
}

/// Writes the outcome as one JSON object.
pub(crate) fn write(outcome: &Outcome, options: &Options, path: &Path) -> Result<(), String> {
    let mut figures = BTreeMap::new();
    for (target, tally) in &outcome.targets {
        let (executions, slowest) = (tally.executions, tally.worst.cpu.as_micros());
        let rate = rate(tally);
        let figure = format!(
            "{executions} executions, {rate:.0} per CPU second, at most {slowest} us and {} bytes",
            tally.worst.memory
        );
        figures.insert(target.name.to_owned(), figure);
    }
    figures.insert("executions".to_owned(), outcome.executions().to_string());
    let result = json!({
        "check": "fuzz",
        "title": "Every reader of bytes: no panic, no more than 100 ms, no more than 16 x input + 1 MiB",
        "promises": ["R5", "S2"],
        "command": format!(
            "dragonfly-fuzz --executions {} --seed {}", options.executions, options.seed
        ),
        "seconds": outcome.time.as_duration().as_secs_f64(),
        "violations": outcome.failures(),
        "figures": figures,
    });
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::write(path, format!("{result:#}\n")).map_err(said)
}
