//! What the two programs share; no part of the library's interface.

mod log;
mod table;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::error::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use log::{Log, Open};
pub use table::{draw, none_live};

/// Says in one line what is wrong with a command line; help and version are as they are.
pub fn explain(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // Whoever asked for help does not read it.
        write(&error.to_string()).ok();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let wanted = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more");
    let line: Vec<&str> = lines.filter(wanted).collect();
    complain(format_args!("{} (see --help)", line.join("; ")));
    ExitCode::from(2)
}

/// Ctrl-C and SIGTERM, caught from here on.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Catches them.
    ///
    /// # Errors
    /// When the system lets none be caught.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Writes a line to standard error.
///
/// Where it cannot be written, on a disk that is full or to a reader that has left, it is lost: that is
/// no reason to end.
pub fn complain(line: fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{line}").ok();
}

/// Writes to standard output at once.
///
/// # Errors
/// When nobody reads it any more.
pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes over what is on the terminal: from the top, clearing the rest of each line and below.
///
/// # Errors
/// When nobody reads it any more.
pub fn paint(text: &str) -> io::Result<()> {
    let lines = text.replace('\n', "\x1b[K\r\n");
    write(&format!("\x1b[H{lines}\x1b[J"))
}
