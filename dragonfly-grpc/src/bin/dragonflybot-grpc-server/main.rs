//! The server program: combines the order books of several venues and serves them over gRPC.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic where nothing can be written"
)]

mod build;
mod demo;
mod files;
mod options;
mod report;
mod watch;

use std::{
    env::{self, VarError},
    io::{self, IsTerminal},
    process::ExitCode,
    sync::{Arc, OnceLock, mpsc::sync_channel},
};

use clap::Parser;
use dragonfly_core::run::Stopper;
use dragonfly_grpc::{
    TOKIO,
    program::{self, Log},
};
use tracing_subscriber::EnvFilter;

use self::{
    build::Parts,
    options::{LogFormat, Options},
};

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;
/// A wrong option, or something it names that cannot be had.
const USAGE: u8 = 2;
/// What stands in the log where it could not be written as fast as it came.
const LOST: &str = "lines of the log are missing here: it was not read in time";

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return program::explain(&error),
    };
    let draws = options.demo && io::stdout().is_terminal();
    let log = match start_log(&options, draws) {
        Ok(log) => log,
        Err(error) => {
            program::complain(format_args!("error: no thread for the log: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let _open = log.clone().until_dropped();
    let parts = match build::parts(&options) {
        Ok(parts) => parts,
        Err(error) => {
            log.say(&format!("error: {error:#}"));
            return ExitCode::from(USAGE);
        }
    };
    run(&options, parts, draws, &log)
}

/// Runs the flow to its end.
fn run(options: &Options, parts: Parts, draws: bool, log: &Log) -> ExitCode {
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
            log.say(&format!("error: {error}"));
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
            log.say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error; `RUST_LOG` chooses what, by default everything but details. No thread
/// waits for what it says to be written.
fn start_log(options: &Options, draws: bool) -> io::Result<Log> {
    let log = Log::start(match options.log_format {
        LogFormat::Text => lost_text,
        LogFormat::Json => lost_json,
    })?;
    log.take_panics();
    let usual = if draws { "error" } else { "info" };
    let (filter, wrong) = match chosen() {
        Ok(filter) => (filter, None),
        Err(wrong) => (None, Some(wrong)),
    };
    let filter = filter.unwrap_or_else(|| EnvFilter::new(usual));
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would be said on standard error itself.
        .log_internal_errors(false)
        .with_writer(move || writer.clone());
    match options.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
    if let Some(wrong) = wrong {
        tracing::warn!("RUST_LOG is not used: {wrong}");
    }
    Ok(log)
}

/// What `RUST_LOG` asks for, if it is set.
fn chosen() -> Result<Option<EnvFilter>, String> {
    match env::var(EnvFilter::DEFAULT_ENV) {
        Ok(text) => EnvFilter::try_new(&text)
            .map(Some)
            .map_err(|error| format!("{text:?}: {error}")),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn lost_text(count: u64) -> String {
    format!("WARN {count} {LOST}")
}

fn lost_json(count: u64) -> String {
    format!(r#"{{"level":"WARN","fields":{{"message":"{count} {LOST}","lost":{count}}}}}"#)
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
            // The log holds up nobody, and its last line is that all has stopped.
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
