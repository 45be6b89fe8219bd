//! Where books are shown: a terminal that is redrawn, or lines one after another.

use std::io::{self, Write};

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_grpc::client::{Disconnect, View};

use crate::{
    json,
    options::{Format, Options},
    table,
};

/// The output and what it shows.
pub(crate) struct Screen {
    server: String,
    format: Format,
    depth: usize,
    /// The table is redrawn in place.
    redraws: bool,
    clock: Clock,
    /// The newest view and when it came; none while it cannot be trusted.
    newest: Option<(View, Nanos)>,
    told_waiting: bool,
}

impl Screen {
    pub(crate) fn new(options: &Options, redraws: bool, clock: Clock) -> Self {
        Self {
            server: options.server.clone(),
            format: options.format,
            depth: options.depth.into(),
            redraws,
            clock,
            newest: None,
            told_waiting: false,
        }
    }

    /// The connection is there; its first view follows.
    pub(crate) fn connected(&self) {
        if !self.redraws {
            eprintln!("connected to {}", self.server);
        }
    }

    /// No book can be trusted until the connection is back.
    pub(crate) fn disconnected(&mut self, why: &Disconnect) -> io::Result<()> {
        self.newest = None;
        let server = &self.server;
        if self.redraws {
            let text = format!("No book: {server}: {why}.\nTrying again until Ctrl-C.\n");
            return paint(&text);
        }
        eprintln!("{server}: {why}; no book until it is back, trying again");
        Ok(())
    }

    /// Shows a view.
    pub(crate) fn view(&mut self, view: View) -> io::Result<()> {
        match self.format {
            Format::Json => write(&json::line(&view)),
            Format::Table if self.redraws => {
                self.newest = Some((view, self.clock.mono()));
                self.redraw()
            }
            Format::Table => write(&format!("{}\n", table::draw(&view, self.depth, Nanos(0)))),
        }
    }

    /// With `--once`: says once what is waited for.
    pub(crate) fn waiting(&mut self, view: &View) {
        if !std::mem::replace(&mut self.told_waiting, true) {
            eprintln!(
                "{}; waiting for one",
                table::none_live(view).replace('\n', "; ")
            );
        }
    }

    /// Draws the newest view again, older.
    pub(crate) fn redraw(&self) -> io::Result<()> {
        match &self.newest {
            Some((view, at)) if self.redraws => {
                let age = self.clock.mono().since(*at);
                paint(&table::draw(view, self.depth, age))
            }
            _ => Ok(()),
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes over what is on the terminal: from the top, clearing the rest of each line and below.
fn paint(text: &str) -> io::Result<()> {
    let lines = text.replace('\n', "\x1b[K\r\n");
    write(&format!("\x1b[H{lines}\x1b[J"))
}
