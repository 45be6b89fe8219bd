//! The command line.

use std::process::ExitCode;

use clap::{Parser, ValueEnum, error::ErrorKind};

/// Shows the live order book that a dragonflybot-grpc-server combines from several exchanges.
///
/// The book is shown until Ctrl-C. While the server cannot be reached the program says so once and
/// keeps trying; while no exchange is live it says why for each of them and shows no prices.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "dragonflybot-grpc-client",
    version,
    after_help = "Examples:\n  \
        dragonflybot-grpc-client                         the book of a server on this machine\n  \
        dragonflybot-grpc-client --once --format json    one book, as one line of JSON\n  \
        dragonflybot-grpc-client --format json | jq .bids[0].price"
)]
pub(crate) struct Options {
    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub(crate) server: String,

    /// How to show the book: a table for people, or one line of JSON for each update.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Shows the first book with a live exchange and ends; ends with 1 if there is no server.
    #[arg(long)]
    pub(crate) once: bool,

    /// Which instrument, such as ETH-BTC; the server's first when not given.
    #[arg(
        long,
        value_name = "SYMBOL",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) symbol: String,

    /// How many price levels of each side, 1 to 20.
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) depth: u8,

    /// At most so many updates a second, 1 to 1000, always the newest; without it every update,
    /// except in a table on a terminal, which takes 10.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_per_second: Option<u32>,
}

/// How a book is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, redrawn in place on a terminal.
    Table,
    /// One JSON object a line.
    Json,
}

/// Says in one line what is wrong with the command line; help and version are as they are.
pub(crate) fn explain(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let wanted = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more");
    let line: Vec<&str> = lines.filter(wanted).collect();
    eprintln!("{} (see --help)", line.join("; "));
    ExitCode::from(2)
}
