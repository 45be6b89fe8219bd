//! How many instructions the hot shapes take, counted by callgrind, which other programs on the
//! machine do not touch.
//!
//! Only Dragonfly's own code is counted; `README.md` says how to compare. Each shape is done
//! [`ROUNDS`] times within what is counted, after a warm-up that is not; the generated table divides.
//! Callgrind stands in for a processor with AVX2 and without AVX-512.
//!
//! ```sh
//! cargo install gungraun-runner --version 0.20.0   # and valgrind, from the system's packages
//! cargo bench -p dragonfly-benches --bench instructions
//! ```
//!
//! Where the runner or valgrind is missing nothing is counted, and that is said. With `--test` each
//! shape is done once, without either.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

#[path = "instructions/shapes.rs"]
mod shapes;

use std::{
    env,
    process::{Command, Stdio},
};

use dragonfly_benches::ROUNDS;
use shapes::Work;

/// Makes a benchmark of each shape, and a list of all.
macro_rules! count {
    ($($(#[$attribute:meta])* $shape:ident;)*) => {
        /// In a module of its own, because the harness wants to be the program's `main`.
        mod counted {
            use gungraun::prelude::*;

            use super::{ROUNDS, Work, shapes};

            $(
                #[library_benchmark]
                #[bench::dragonfly(shapes::warm(shapes::$shape()))]
                fn $shape(mut work: Work) -> Work {
                    for _ in 0..ROUNDS {
                        work();
                    }
                    work
                }
            )*

            library_benchmark_group!(name = count, benchmarks = [$($shape),*]);
            main!(library_benchmark_groups = count);

            pub(super) fn run() {
                main();
            }
        }

        const SHAPES: &[(&str, fn() -> Work)] = &[$((stringify!($shape), shapes::$shape)),*];
    };
}

count! {
    binance_depth20_top10;
    bitstamp_100_top10;
    bybit_delta;
    coinbase_update;
    kraken_update;
    unchanged_top_binance;
    unchanged_top_bitstamp;
    pair_eight_decimals;
    pair_short;
    bbo_2x10;
    bbo_5x10;
    bbo_20x10;
    book_1000_set_near_top;
    book_1000_remove_insert_near_top;
    hop_spsc_u64;
    hop_mpsc_u64;
    hop_spmc_u64;
    hop_mpmc_u64;
    hop_latest_u64;
    hop_channel_u64;
    hop_spsc_book_event;
    hop_mpsc_book_event;
    hop_spmc_book_event;
    hop_mpmc_book_event;
    hop_latest_book_event;
    hop_channel_book_event;
    view_2x10;
}

fn main() {
    let is_test = env::args().any(|argument| argument == "--test");
    let by_runner = env::args().nth(1).as_deref() == Some("--gungraun-run");
    if is_test {
        for (name, shape) in SHAPES {
            shape()();
            println!("{name}: done once");
        }
    } else if by_runner || can_count() {
        counted::run();
    }
}

/// Whether the programs that count are there.
fn can_count() -> bool {
    let runner = env::var("GUNGRAUN_RUNNER").unwrap_or_else(|_| "gungraun-runner".to_owned());
    let missing: Vec<&str> = [runner.as_str(), "valgrind"]
        .into_iter()
        .filter(|program| !is_there(program))
        .collect();
    if !missing.is_empty() {
        println!(
            "instructions are not counted: {} not found",
            missing.join(" and ")
        );
    }
    missing.is_empty()
}

/// Whether a program can be started.
fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
