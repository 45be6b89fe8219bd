//! The client program: shows the consolidated book of a server.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic where nothing can be written"
)]

mod json;
mod options;
mod screen;

use std::{
    io::{self, ErrorKind, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use dragonfly_core::clock::Clock;
use dragonfly_grpc::{
    Client, Policy, TOKIO,
    client::{Disconnect, Event, Subscription},
    program,
    proto::v1::Book,
};
use futures_util::future::{Either, select};

use self::{
    options::{Format, Options},
    screen::Screen,
};

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;
/// A wrong option.
const USAGE: u8 = 2;

/// Why the program ends.
enum End {
    /// Everything asked for was shown, or nobody reads any more.
    Done,
    Interrupted,
    /// One line that says why.
    Failed(String),
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return program::explain(&error),
    };
    let client = match Client::builder(&options.server).build() {
        Ok(client) => client,
        Err(error) => {
            program::complain(format_args!("error: --server: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    // Stands where nothing ran.
    let mut end = Ok(End::Failed(
        "the system lets no runtime start (is there a file descriptor left?)".into(),
    ));
    (TOKIO.run)(Box::pin(async { end = run(&options, &client).await }));
    match end {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => ExitCode::from(INTERRUPTED),
        Ok(End::Failed(why)) => {
            program::complain(format_args!("error: {why}"));
            ExitCode::FAILURE
        }
        // The reader has seen enough, as `head` has.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            program::complain(format_args!("error: cannot write: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Shows events until the user or an error ends it.
async fn run(options: &Options, client: &Client) -> io::Result<End> {
    let is_terminal = io::stdout().is_terminal();
    let redraws = is_terminal && options.format == Format::Table && !options.once;
    let selection = client.book(&options.symbol).depth(options.depth.into());
    let policy = match options.max_per_second {
        Some(rate) => Policy::AtMost(rate),
        // More is not seen by anybody.
        None if redraws => Policy::AtMost(10),
        None => Policy::EveryUpdate,
    };
    let mut books = selection.policy(policy).subscribe();
    let mut screen = Screen::new(options, redraws, Clock::monotonic());
    {
        let show = show(&mut books, &mut screen, options);
        let stop = tokio::signal::ctrl_c();
        if let Either::Left((end, _)) = select(std::pin::pin!(show), std::pin::pin!(stop)).await {
            return end;
        }
    }
    screen.interrupted()?;
    Ok(End::Interrupted)
}

async fn show(
    books: &mut Subscription<Book>,
    screen: &mut Screen,
    options: &Options,
) -> io::Result<End> {
    let mut was_connected = false;
    loop {
        // A table on a terminal grows old visibly while nothing comes.
        let Ok(event) = tokio::time::timeout(Duration::from_secs(1), books.next()).await else {
            screen.redraw()?;
            continue;
        };
        match event {
            Event::Connected => {
                was_connected = true;
                screen.connected();
            }
            Event::Disconnected(why) => {
                if options.once || (!was_connected && is_final(&why)) {
                    return Ok(End::Failed(format!("{}: {why}", options.server)));
                }
                screen.disconnected(&why)?;
            }
            Event::View(view) => {
                let is_live = view.is_live();
                if is_live || !options.once {
                    screen.view(view)?;
                } else {
                    screen.waiting(&view);
                }
                if is_live && options.once {
                    return Ok(End::Done);
                }
            }
            _ => {}
        }
    }
}

/// Whether asking again cannot help: the server is there and does not do what is asked.
const fn is_final(why: &Disconnect) -> bool {
    matches!(why, Disconnect::Refused(_))
}
