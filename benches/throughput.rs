//! Messages a second from the socket to the aggregator, and what each layer takes of a core.
//!
//! A sender on another core writes Binance `depth20` images of 1.2 KB that were encrypted
//! beforehand; the rows of the first table read them one layer further each, so that the difference
//! of two rows is the share of a layer. The other tables hold the whole way to 1 to 1,000
//! instruments, to 2 to 20 venues, and to a rate, and say what was lost. Processor time counts the
//! system's share and not what other programs take. `--test` runs everything
//! once, and briefly; `--only`, `--packing` and `--layer` choose tables and rows by a part of their names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod throughput {
    pub(crate) mod flow;
    pub(crate) mod layers;
    pub(crate) mod meter;
}

use dragonfly_benches::loopback::{Packing, pin_to};
use throughput::{flow, layers, meter::Figure};

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    messages: usize,
    runs: usize,
}

const PACKINGS: [(&str, Packing); 3] = [
    (
        "a record a message, a write a record",
        Packing {
            messages_a_record: 1,
            records_a_write: 1,
        },
    ),
    (
        "a record a message, 50 a write",
        Packing {
            messages_a_record: 1,
            records_a_write: 50,
        },
    ),
    (
        "13 messages a record, 4 records a write",
        Packing {
            messages_a_record: 13,
            records_a_write: 4,
        },
    ),
];

fn main() {
    // Cargo says `--bench` when it is to be measured, and nothing when it runs tests.
    let given = |option: &str| std::env::args().any(|argument| argument == option);
    let is_test = given("--test") || !given("--bench");
    let wants = |table: &str| is_asked_for("--only", table);
    let effort = if is_test {
        Effort {
            messages: 2_000,
            runs: 1,
        }
    } else {
        Effort {
            messages: 200_000,
            runs: 5,
        }
    };
    pin_to(0);
    if wants("layers") {
        by_layer(effort);
    }
    if wants("instruments") {
        by_instruments(effort);
    }
    if wants("venues") {
        by_venues(effort);
    }
    if wants("rate") {
        at_a_rate(effort);
    }
}

/// Whether an option such as `--only rate` names it, or is not given.
fn is_asked_for(option: &str, name: &str) -> bool {
    let given = std::env::args().skip_while(|argument| argument != option);
    given
        .into_iter()
        .nth(1)
        .is_none_or(|part| name.contains(&part))
}

/// The run with the least processor time a message.
fn best(runs: usize, run: impl Fn() -> Figure) -> Figure {
    let figures = (0..runs).map(|_| run());
    figures.min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
}

fn by_layer(effort: Effort) {
    for (name, packing) in PACKINGS
        .into_iter()
        .filter(|(name, _)| is_asked_for("--packing", name))
    {
        println!("\n### {name}\n");
        println!(
            "| read as far as | messages/s | ns of a core a message | of it this layer | messages/s and core |"
        );
        println!("|---|---:|---:|---:|---:|");
        let mut before = 0.0;
        for (layer, run) in layers::ALL
            .into_iter()
            .filter(|(name, _)| is_asked_for("--layer", name))
        {
            let figure = best(effort.runs, || run(packing, effort.messages));
            println!(
                "| {layer} | {:.0} | {:.0} | {:+.0} | {:.0} |",
                figure.rate,
                figure.cpu,
                figure.cpu - before,
                1e9 / figure.cpu,
            );
            before = figure.cpu;
        }
    }
}

fn by_instruments(effort: Effort) {
    println!("\n### Instruments, over one connection and over ten\n");
    println!("| instruments | connections | messages/s | ns of a core a message | lost |");
    println!("|---:|---:|---:|---:|---:|");
    for (instruments, connections) in [(1, 1), (10, 1), (100, 1), (1_000, 1), (1_000, 10)] {
        let load = flow::Load::new(1, connections, instruments, effort.messages);
        let figure = best(effort.runs, || flow::run(&load));
        println!(
            "| {instruments} | {connections} | {:.0} | {:.0} | {} |",
            figure.rate, figure.cpu, figure.lost
        );
    }
}

fn by_venues(effort: Effort) {
    println!("\n### Venues of one instrument, a connection each\n");
    println!("| venues | messages/s | ns of a core a message | lost |");
    println!("|---:|---:|---:|---:|");
    for venues in [1, 2, 5, 10, 20] {
        let load = flow::Load::new(venues, venues, 1, effort.messages);
        let figure = best(effort.runs, || flow::run(&load));
        println!(
            "| {venues} | {:.0} | {:.0} | {} |",
            figure.rate, figure.cpu, figure.lost
        );
    }
}

fn at_a_rate(effort: Effort) {
    println!("\n### 1,000 instruments over 10 connections at a rate\n");
    println!(
        "| messages/s sent | messages | received | sequence gaps | conflated | ns of a core a message |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for rate in [10_000, 100_000, 200_000] {
        let mut load = flow::Load::new(1, 10, 1_000, effort.messages);
        load.rate = Some(rate);
        let figure = flow::run(&load);
        println!(
            "| {rate} | {} | {} | {} | {} | {:.0} |",
            figure.sent, figure.received, figure.gaps, figure.lost, figure.cpu
        );
    }
}
