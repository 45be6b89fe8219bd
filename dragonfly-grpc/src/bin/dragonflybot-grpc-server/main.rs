//! The server program: combines the order books of several venues and serves them over gRPC.

mod build;
mod demo;
mod options;
mod report;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use dragonfly_core::run::{Stopper, Threads};
use dragonfly_grpc::{TOKIO, program};
use tracing_subscriber::EnvFilter;

use self::options::{LogFormat, Options};

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;
/// A wrong option, or something it names that cannot be had.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return program::explain(&error),
    };
    let draws = options.demo && std::io::stdout().is_terminal();
    start_log(&options, draws);
    let (flow, address, sim) = match build::flow(&options) {
        Ok(parts) => parts,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    // First, so that what the flow says comes after it.
    tracing::info!(%address, "serving gRPC");
    let running = match flow.launch(Threads::from(options.threads)) {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    stop_on_signal(running.stopper());
    if options.demo {
        demo::show(address, draws, options.depth);
    }
    let outcome = running.join();
    drop(sim);
    match outcome {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error; `RUST_LOG` chooses what, by default everything but details.
fn start_log(options: &Options, draws: bool) {
    let usual = if draws { "error" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match options.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Ctrl-C and SIGTERM stop the flow, which tells its clients; a second one ends the process at once.
fn stop_on_signal(stopper: Stopper) {
    let wait = move || {
        (TOKIO.run)(Box::pin(async {
            if program::stop_signal().await.is_err() {
                tracing::warn!("signals cannot be caught: stopping will not be orderly");
                return;
            }
            tracing::info!("stopping; once more to end at once");
            stopper.stop();
            if program::stop_signal().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        }));
    };
    let started = std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait);
    if let Err(error) = started {
        tracing::warn!(%error, "signals cannot be caught: stopping will not be orderly");
    }
}
