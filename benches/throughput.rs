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

use dragonfly_benches::{
    loopback::{Packing, pin_to},
    report::Report,
};
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
    let mut report = Report::new("throughput", !is_test);
    pin_to(0);
    if wants("layers") {
        by_layer(effort, &mut report);
    }
    if wants("instruments") {
        by_instruments(effort, &mut report);
    }
    if wants("venues") {
        by_venues(effort, &mut report);
    }
    if wants("rate") {
        at_a_rate(effort, &mut report);
    }
    report.finish();
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

fn by_layer(effort: Effort, report: &mut Report) {
    let mut most = 0.0_f64;
    for (name, packing) in PACKINGS
        .into_iter()
        .filter(|(name, _)| is_asked_for("--packing", name))
    {
        report.line(format_args!("\n### Socket to aggregator, {name}\n"));
        report.line("| read as far as | messages/s | ns of a core a message | of it this layer | messages/s and core |");
        report.line("|---|---:|---:|---:|---:|");
        let mut before = 0.0;
        for (layer, run) in layers::ALL
            .into_iter()
            .filter(|(name, _)| is_asked_for("--layer", name))
        {
            let figure = best(effort.runs, || run(packing, effort.messages));
            report.line(format_args!(
                "| {layer} | {:.0} | {:.0} | {:+.0} | {:.0} |",
                figure.rate,
                figure.cpu,
                figure.cpu - before,
                1e9 / figure.cpu,
            ));
            before = figure.cpu;
            if layer == layers::WHOLE {
                most = most.max(1e9 / figure.cpu);
            }
        }
    }
    report.figure("throughput_books_per_second_and_core", most);
}

fn by_instruments(effort: Effort, report: &mut Report) {
    report.line("\n### Instruments, over one connection and over ten\n");
    report.line("| instruments | connections | messages/s | ns of a core a message | lost |");
    report.line("|---:|---:|---:|---:|---:|");
    for (instruments, connections) in [(1, 1), (10, 1), (100, 1), (1_000, 1), (1_000, 10)] {
        let load = flow::Load::new(1, connections, instruments, effort.messages);
        let figure = best(effort.runs, || flow::run(&load));
        report.line(format_args!(
            "| {instruments} | {connections} | {:.0} | {:.0} | {} |",
            figure.rate, figure.cpu, figure.lost
        ));
    }
}

fn by_venues(effort: Effort, report: &mut Report) {
    report.line("\n### Venues of one instrument, a connection each\n");
    report.line("| venues | messages/s | ns of a core a message | lost |");
    report.line("|---:|---:|---:|---:|");
    for venues in [1, 2, 5, 10, 20] {
        let load = flow::Load::new(venues, venues, 1, effort.messages);
        let figure = best(effort.runs, || flow::run(&load));
        report.line(format_args!(
            "| {venues} | {:.0} | {:.0} | {} |",
            figure.rate, figure.cpu, figure.lost
        ));
    }
}

fn at_a_rate(effort: Effort, report: &mut Report) {
    report.line("\n### 1,000 instruments over 10 connections at a rate\n");
    report.line("| messages/s sent | messages | received | sequence gaps | conflated | ns of a core a message |");
    report.line("|---:|---:|---:|---:|---:|---:|");
    for rate in [10_000, 100_000, 200_000] {
        let mut load = flow::Load::new(1, 10, 1_000, effort.messages);
        load.rate = Some(rate);
        let figure = flow::run(&load);
        report.line(format_args!(
            "| {rate} | {} | {} | {} | {} | {:.0} |",
            figure.sent, figure.received, figure.gaps, figure.lost, figure.cpu
        ));
    }
}
