//! Where books are shown: a terminal that is redrawn, or lines one after another.

use std::io;

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_grpc::{
    client::{Disconnect, View},
    program::{complain, draw, none_live, paint, write},
};

use crate::{
    json,
    options::{Format, Options},
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
    /// The last line of JSON is a view, which a reader takes for the current one.
    shows_line: bool,
    /// The last table that was written is a view.
    shows_table: bool,
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
            shows_line: false,
            shows_table: false,
        }
    }

    /// The connection is there; its first view follows.
    pub(crate) fn connected(&self) {
        if !self.redraws {
            complain(format_args!("connected to {}", self.server));
        }
    }

    /// No book can be trusted until the connection is back.
    pub(crate) fn disconnected(&mut self, why: &Disconnect) -> io::Result<()> {
        self.newest = None;
        if std::mem::take(&mut self.shows_line) {
            write(&json::lost_line(why))?;
        }
        let server = &self.server;
        if self.redraws {
            let text = format!("No book: {server}: {why}.\nTrying again until Ctrl-C.\n");
            return paint(&text);
        }
        if std::mem::take(&mut self.shows_table) {
            write(&format!("No book: {server}: {why}\n\n"))?;
        }
        complain(format_args!(
            "{server}: {why}; no book until it is back, trying again"
        ));
        Ok(())
    }

    /// Shows a view.
    pub(crate) fn view(&mut self, view: View) -> io::Result<()> {
        match self.format {
            Format::Json => {
                self.shows_line = true;
                write(&json::line(&view))
            }
            Format::Table if self.redraws => {
                self.newest = Some((view, self.clock.mono()));
                self.redraw()
            }
            Format::Table => {
                self.shows_table = true;
                write(&format!("{}\n", draw(&view, self.depth, Nanos(0))))
            }
        }
    }

    /// The user has seen enough: what stays on the terminal is from now on old.
    pub(crate) fn interrupted(&self) -> io::Result<()> {
        if self.redraws && self.newest.is_some() {
            return write("\nStopped: the book above is not updated any more.\n");
        }
        Ok(())
    }

    /// With `--once`: says once what is waited for.
    pub(crate) fn waiting(&mut self, view: &View) {
        if !std::mem::replace(&mut self.told_waiting, true) {
            complain(format_args!(
                "{}; waiting for one",
                none_live(view).replace('\n', "; ")
            ));
        }
    }

    /// Draws the newest view again, older.
    pub(crate) fn redraw(&self) -> io::Result<()> {
        match &self.newest {
            Some((view, at)) if self.redraws => {
                let age = self.clock.mono().since(*at);
                paint(&draw(view, self.depth, age))
            }
            _ => Ok(()),
        }
    }
}
