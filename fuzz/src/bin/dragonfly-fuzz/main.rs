//! `dragonfly-fuzz`: every reader of bytes under millions of inputs, each held to its bounds.
//!
//! Inputs are a function of the seed and their number, so that the same command tries the same
//! inputs. An input that breaks something is made smaller, written to a file and printed with the
//! command that tries it again.

mod campaign;
mod reduce;
mod report;
mod single;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Run every reader of bytes in Dragonfly on inputs nobody would send.
///
/// An execution fails when something panics, when it takes more than 100 ms of a processor, or when
/// it holds more memory at a time than 16 times its input and 1 MiB.
#[derive(Parser)]
#[command(
    name = "dragonfly-fuzz",
    after_help = "Examples:\n  dragonfly-fuzz --executions 10000000\n  \
                  dragonfly-fuzz --only kraken --input failure.bin"
)]
struct Options {
    /// How many inputs are tried in all, spread over the targets.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    executions: u64,

    /// What the inputs are drawn from.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Only these targets, which share all executions.
    #[arg(long, value_name = "TARGET,..", value_delimiter = ',')]
    only: Vec<String>,

    /// How many inputs are tried at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,

    /// Try this input alone, of the one target that --only names.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Write each input into this file before it is tried, on one thread: what is in it after the
    /// whole process died is what it died of.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Where to write inputs that break something.
    #[arg(long, value_name = "FOLDER", default_value = "fuzz/failures")]
    failures: PathBuf,

    /// Write what came out as one JSON object.
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,

    /// Write the corpus into this folder, a folder a target and a file an input, as libFuzzer
    /// reads it, and stop.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,

    /// List the targets and stop.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Does what was asked for; true when nothing broke.
fn run(options: &Options) -> Result<bool, String> {
    let targets = single::targets(&options.only)?;
    if options.list {
        for target in targets {
            println!("{:18} {}", target.name, target.about);
        }
        return Ok(true);
    }
    if let Some(folder) = &options.export {
        return single::export(&targets, folder);
    }
    if let Some(path) = &options.input {
        return single::input(&targets, path);
    }
    let outcome = campaign::run(&targets, options)?;
    report::print(&outcome);
    if let Some(path) = &options.result {
        report::write(&outcome, options, path)?;
    }
    Ok(outcome.failures() == 0)
}
