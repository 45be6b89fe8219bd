//! The server program: combines the order books of several venues and serves them over gRPC.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic where nothing can be written"
)]

mod build;
mod demo;
mod options;
mod report;
mod watch;

use std::{
    io::IsTerminal,
    process::ExitCode,
    sync::{Arc, OnceLock, mpsc::sync_channel},
};

use clap::Parser;
use dragonfly_core::run::Stopper;
use dragonfly_grpc::{TOKIO, program};
use tracing_subscriber::EnvFilter;

use self::{
    build::Parts,
    options::{LogFormat, Options},
};

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
    let parts = match build::parts(&options) {
        Ok(parts) => parts,
        Err(error) => {
            program::complain(format_args!("error: {error:#}"));
            return ExitCode::from(USAGE);
        }
    };
    run(&options, parts, draws)
}

/// Runs the flow to its end.
fn run(options: &Options, parts: Parts, draws: bool) -> ExitCode {
    let address = parts.address;
    let stopper = Arc::new(OnceLock::new());
    stop_on_signal(stopper.clone());
    // First, so that what the flow says comes after it.
    tracing::info!(%address, "serving gRPC");
    if let Some(probes) = &parts.probes {
        tracing::info!(address = %probes.local_addr(), "answering /livez and /readyz");
    }
    let running = match parts.flow.launch(options.run()) {
        Ok(running) => running,
        Err(error) => {
            program::complain(format_args!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // It was empty: nothing else sets it.
    stopper.set(running.stopper()).ok();
    watch::start(&running, parts.health, parts.probes);
    if options.demo {
        demo::show(address, draws, options.depth);
    }
    let outcome = running.join();
    drop(parts.sim);
    match outcome {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            program::complain(format_args!("error: {error}"));
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
        // What the log cannot take, on a disk that is full, it would say on standard error or panic.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match options.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Ctrl-C and SIGTERM stop the flow, which tells its clients; a second one ends the process at once.
///
/// When this returns they are caught, so that no moment of a started flow can be cut short by one.
fn stop_on_signal(stopper: Arc<OnceLock<Stopper>>) {
    let (caught, ready) = sync_channel(1);
    let wait = move || {
        (TOKIO.run)(Box::pin(async {
            let Ok(mut signals) = program::StopSignals::catch() else {
                return;
            };
            // The other end waits for it.
            caught.send(()).ok();
            signals.next().await;
            // The flow is being started, or this process is about to end.
            let stopper = stopper.wait();
            tracing::info!("stopping; once more to end at once");
            stopper.stop();
            signals.next().await;
            std::process::exit(INTERRUPTED);
        }));
    };
    let thread = std::thread::Builder::new().name("signals".into());
    if thread.spawn(wait).is_err() || ready.recv().is_err() {
        tracing::warn!("signals cannot be caught: stopping will not be orderly");
    }
}
