//! What a venue at fault costs the others: from the receipt of a healthy venue's message to the client,
//! beside a venue that is sound, one that sends garbage, and one whose adapter panics, in turns.

use dragonfly_benches::report;
use dragonfly_core::clock::Clock;
use serde_json::json;

use super::{
    Load, Outcome, USUAL,
    gate::{TURNS, compare},
    neighbour::Neighbour::{self, Garbage, Panics, Sound},
};

const LOAD: Load = Load {
    subscribers: 20,
    connections: 20,
    rate: 400,
    ..USUAL
};

pub(crate) fn run(arguments: &[String]) {
    let start = Clock::monotonic();
    // The panics are meant: they need not be told.
    std::panic::set_hook(Box::new(|_| {}));
    println!("| neighbour | p50 us | p99 us | skipped |\n|---|---:|---:|---:|");
    let mut outcomes: [Vec<Outcome>; 3] = Default::default();
    for _ in 0..TURNS {
        for (outcomes, neighbour) in outcomes.iter_mut().zip([Sound, Garbage, Panics]) {
            outcomes.push(turn(neighbour));
        }
    }
    let [sound, garbage, panics] = &outcomes;
    let p99 = |outcome: &Outcome| outcome.seen.p99_us as f64;
    let (of_garbage, alone_us, garbage_us) = compare(sound, garbage, p99);
    let (of_panics, _, panics_us) = compare(sound, panics, p99);
    let all = || outcomes.iter().flatten();
    let skipped: u64 = all().map(|outcome| outcome.seen.skipped).sum();
    println!("p99 x {of_garbage:.2} beside garbage, x {of_panics:.2} beside panics");
    report::write_result(
        arguments,
        &json!({
            "check": "r10",
            "title": "Isolation: a healthy venue beside one that sends garbage or panics",
            "promises": ["R10"],
            "command": "cargo bench -p dragonfly-benches --bench fan_out_load -- --isolation",
            "seconds": start.mono().0 as f64 / 1e9,
            "updates": all().map(|outcome| outcome.published).sum::<u64>(),
            "compared": all().map(|outcome| outcome.seen.messages).sum::<u64>(),
            "violations": skipped,
            "figures": {
                "p99 from receipt to client, beside a sound venue": format!("{alone_us:.0} us"),
                "beside 1,000 messages of garbage a second":
                    format!("{garbage_us:.0} us, {of_garbage:.2} x"),
                "beside an adapter that panics eight times a second":
                    format!("{panics_us:.0} us, {of_panics:.2} x"),
            },
        }),
    );
}

fn turn(neighbour: Neighbour) -> Outcome {
    let outcome = super::run(Load {
        seconds: 1,
        neighbour: Some(neighbour),
        ..LOAD
    });
    let seen = outcome.seen;
    println!(
        "| {neighbour:?} | {} | {} | {} |",
        seen.p50_us, seen.p99_us, seen.skipped
    );
    outcome
}
