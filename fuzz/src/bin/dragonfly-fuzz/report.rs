//! What came out of a campaign, for people and for programs.

use std::{path::Path, time::Duration};

use dragonfly_sim::report;

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
    let title = "Every reader of bytes: at most 100 ms and 16 x input + 1 MiB, and no panic";
    let mut result = report::Result::new("fuzz", title).shows(&["R5", "S2"]);
    let (executions, seed) = (options.executions, options.seed);
    result.command = format!("dragonfly-fuzz --executions {executions} --seed {seed}");
    if !options.only.is_empty() {
        result.command += &format!(" --only {}", options.only.join(","));
    }
    result.seconds = outcome.time.as_duration().as_secs_f64();
    result.violations = outcome.failures();
    let mut note = |name: &str, figure: String| result.figures.insert(name.to_owned(), figure);
    note("R5: executions", outcome.executions().to_string());
    for (target, tally) in &outcome.targets {
        let (executions, slowest) = (tally.executions, tally.worst.cpu.as_micros());
        let (rate, memory) = (rate(tally), tally.worst.memory);
        let figure = format!(
            "{executions} executions, {rate:.0} per CPU second, at most {slowest} us and {memory} bytes"
        );
        note(target.name, figure);
    }
    result.write(path).map_err(|error| error.to_string())
}
