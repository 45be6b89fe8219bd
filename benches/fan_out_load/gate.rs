//! What clients that do not read cost those that do: the promise that a slow client hurts nobody.
//!
//! 150 subscribers alone, and the same 150 beside 50 that read nothing, in turns. A machine that others
//! use disturbs both alike; the median of the turns is what counts, and the processor's time beside it.

use dragonfly_benches::report;
use dragonfly_core::clock::Clock;
use serde_json::json;

use super::{Load, Outcome, USUAL};

pub(crate) const TURNS: usize = 7;
const HEALTHY: usize = 150;
const STALLED: usize = 50;

/// Long enough for the buffers of those that do not read to be full when it is measured.
const LOAD: Load = Load {
    subscribers: HEALTHY,
    connections: HEALTHY,
    rate: 500,
    warm_up: 3,
    seconds: 1,
    ..USUAL
};

pub(crate) fn run(arguments: &[String]) {
    let start = Clock::monotonic();
    let mut alone = Vec::new();
    let mut beside = Vec::new();
    println!("| stalled | p50 us | p99 us | skipped | us of processor an update | server MiB |");
    println!("|{}", "---:|".repeat(6));
    for _ in 0..TURNS {
        alone.push(turn(0));
        beside.push(turn(STALLED));
    }
    let p99 = |outcome: &Outcome| outcome.seen.p99_us as f64;
    let (p99_ratio, p99_alone, p99_beside) = compare(&alone, &beside, p99);
    let (cpu_ratio, cpu_alone, cpu_beside) = compare(&alone, &beside, cpu_us);
    let sum = |of: fn(&Outcome) -> u64| alone.iter().chain(&beside).map(of).sum::<u64>();
    let missed = sum(|outcome| outcome.seen.skipped);
    let wrong = sum(|outcome| outcome.seen.stalled_wrong);
    let told = sum(|outcome| outcome.seen.stalled_skipped);
    let held: Vec<f64> = alone.iter().zip(&beside).map(held_kib).collect();
    println!("p99 x {p99_ratio:.2}, processor x {cpu_ratio:.2}");
    let is_broken = missed > 0 || wrong > 0 || told == 0;
    report::write_result(
        arguments,
        &json!({
            "check": "r8",
            "title": "Slow clients: 150 healthy subscribers beside 50 that read nothing",
            "promises": ["R8"],
            "command": "cargo bench -p dragonfly-benches --bench fan_out_load -- --gate",
            "seconds": start.mono().0 as f64 / 1e9,
            "updates": sum(|outcome| outcome.published),
            "compared": sum(|outcome| outcome.seen.messages),
            "violations": missed + wrong,
            "figures": {
                "healthy p99 beside 50 stalled": format!("{p99_ratio:.2} x the p99 without them"),
                "healthy p99": format!("{p99_alone:.0} us alone, {p99_beside:.0} us beside them"),
                "processor for an update": format!(
                    "{cpu_alone:.0} us alone, {cpu_beside:.0} us beside them ({cpu_ratio:.2} x)"
                ),
                "memory for a stalled client": format!("{:.0} KiB", median(held)),
                "updates skipped for the stalled, all of them told": told.to_string(),
                "updates skipped for the healthy": missed.to_string(),
            },
        }),
    );
    assert!(
        !is_broken,
        "skipped: {missed} of the healthy, {told} told, {wrong} wrong"
    );
}

fn turn(stalled: usize) -> Outcome {
    let outcome = super::run(Load { stalled, ..LOAD });
    println!(
        "| {stalled} | {} | {} | {} | {:.0} | {:.1} |",
        outcome.seen.p50_us,
        outcome.seen.p99_us,
        outcome.seen.skipped,
        cpu_us(&outcome),
        outcome.resident_mib,
    );
    outcome
}

/// What the server used of the processor for one update to all, in us.
fn cpu_us(outcome: &Outcome) -> f64 {
    outcome.server_core * LOAD.seconds as f64 * 1e6 / outcome.published.max(1) as f64
}

/// What the second takes beyond the first for each that stalled, in KiB.
fn held_kib((alone, beside): (&Outcome, &Outcome)) -> f64 {
    (beside.resident_mib - alone.resident_mib).max(0.0) * 1_024.0 / STALLED as f64
}

/// The median of the ratios turn by turn, and the median of each.
pub(crate) fn compare(
    alone: &[Outcome],
    beside: &[Outcome],
    of: impl Fn(&Outcome) -> f64,
) -> (f64, f64, f64) {
    let pairs = alone.iter().zip(beside);
    let ratios = pairs
        .map(|(alone, beside)| of(beside) / of(alone))
        .collect();
    let alone = alone.iter().map(&of).collect();
    let beside = beside.iter().map(&of).collect();
    (median(ratios), median(alone), median(beside))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
