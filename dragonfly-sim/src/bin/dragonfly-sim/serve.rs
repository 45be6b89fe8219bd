//! `serve`: generated markets that fail on purpose, behind real WebSocket and TLS.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use dragonfly_sim::{
    fault::{Kind, Plan},
    live::{Live, Options, Rate},
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    ledger_file::{LedgerFile, unwritten},
    terminal::{complain, say},
};

/// How long faults are spread over where no end is given.
const LONG: Duration = Duration::from_secs(24 * 3_600);

/// How many instruments a venue may have at most.
const MOST: u16 = 10_000;

/// For how many instruments the command line of the server is printed.
const MOST_TOLD: usize = 10;

/// The port the server serves on by itself; further ones take the next.
const SERVER_PORT: usize = 50_051;

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// The venues; by default all.
    #[arg(long, value_name = "VENUE,..", value_delimiter = ',')]
    venues: Vec<String>,

    /// The instruments of every venue: currencies against USDT, pairs, or how many.
    #[arg(long, value_name = "BTC,ETH-USD,..|N", default_value = "BTC", value_parser = instruments)]
    instruments: Instruments,

    /// What markets and faults are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The faults, a TOML file; by default none.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,

    /// How many times a second each book changes, 0.000001 to 100000; `max` is as fast as clients take it.
    #[arg(long, value_name = "X", default_value = "10", value_parser = rate)]
    rate: Rate,

    /// Numbers as odd as a venue's could be, such as quantities of 17 digits.
    #[arg(long)]
    wild: bool,

    /// Write what clients are told of each book to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    /// End after this time. The faults of the plan are spread over its first three quarters.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,

    /// Write the certificate authority clients have to trust to this file (PEM), and print the command
    /// line of dragonflybot-grpc-server for each instrument.
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,

    /// Where to listen: the first venue on this port, each further one on the next; port 0 picks
    /// free ports. Loopback addresses only, such as 127.0.0.2:9443 or [::1]:9443.
    #[arg(long, value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,

    /// List the faults there are.
    #[arg(long)]
    list: bool,
}

#[derive(Clone)]
struct Instruments(Vec<String>);

fn instruments(text: &str) -> Result<Instruments, String> {
    let is_count = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let names: Vec<String> = if is_count {
        let count = text.parse().ok().filter(|count| *count <= MOST);
        match count {
            Some(0) => return Err("expected at least one instrument".to_owned()),
            Some(count) => (0..count).map(coin).collect(),
            None => return Err(format!("expected at most {MOST} instruments")),
        }
    } else {
        text.split(',').map(str::to_owned).collect()
    };
    let pair = |name: String| {
        if name.contains('-') {
            name
        } else {
            format!("{name}-USDT")
        }
    };
    Ok(Instruments(names.into_iter().map(pair).collect()))
}

/// The name of the coin of this number.
fn coin(number: u16) -> String {
    let known = ["BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LTC", "DOT"];
    let known = known.get(usize::from(number)).copied();
    known.map_or_else(|| format!("COIN{number}"), str::to_owned)
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::AsFast);
    }
    let rate = text.parse().map(Rate::PerSecond);
    rate.map_err(|_| "expected changes a second, such as 0.5 or 200, or max".to_owned())
}

/// Serves until the time is over or the program is told to end; true when every fault of the plan
/// has fired, no client took a wrong certificate and the whole ledger was written.
pub(crate) fn serve(args: &Serve) -> Result<bool, String> {
    if args.list {
        list();
        return Ok(true);
    }
    let options = options(args)?;
    let ledger = LedgerFile::new(args.ledger.as_deref(), &options.clock);
    let live = Live::start_with(options, || ledger.open()).map_err(|refusal| refusal.0)?;
    if let Some(path) = &args.ca_out {
        std::fs::write(path, live.ca_pem()).map_err(|error| unwritten(path, &error))?;
    }
    // Whoever reads where to connect may also end the program.
    let ending = Ending::new().map_err(|error| error.to_string())?;
    tell(&live, args.ca_out.as_deref());
    ending.wait(args.seconds);
    let (unfired, credulous) = (live.unfired(), live.credulous());
    for (kind, count) in live.fired() {
        say!("fault {kind} {count}");
    }
    live.stop();
    let is_written = ledger.close();
    for (at, kind) in &unfired {
        complain!("fault {} ({kind}) never fired", at + 1);
    }
    if credulous > 0 {
        complain!("a certificate that must be refused was taken {credulous} times");
    }
    Ok(unfired.is_empty() && credulous == 0 && is_written)
}

/// Says where to connect, and how the project's own server does: one for each instrument, as it merges
/// all it is given into one book.
fn tell(live: &Live, ca: Option<&Path>) {
    let books = live.books();
    let mut endpoints = String::new();
    for (venue, endpoint) in live.endpoints() {
        let own = books.iter().filter(|book| book.venue == venue);
        let symbols: Vec<&str> = own.map(|book| book.symbol.as_str()).collect();
        say!("{venue} {endpoint} {}", symbols.join(" "));
        endpoints += &format!(" --endpoint {}", quoted(&format!("{venue}={endpoint}")));
    }
    let Some(ca) = ca else {
        return;
    };
    let ca = quoted(&ca.display().to_string());
    let count = books.len() / live.endpoints().count().max(1);
    for at in 0..count.min(MOST_TOLD) {
        // Books come by venue, and at each in the order of the instruments.
        let own = books.iter().skip(at).step_by(count);
        let venues: Vec<String> = own
            .map(|book| format!("{}:{}", book.venue, book.instrument))
            .collect();
        let venues = quoted(&venues.join(","));
        let bind = match at {
            0 => String::new(),
            _ => format!(" --bind 127.0.0.1:{}", SERVER_PORT + at),
        };
        say!("# dragonflybot-grpc-server --venues {venues}{endpoints} --tls-ca {ca}{bind}");
    }
    if count > MOST_TOLD {
        say!("# and so on for {} more", count - MOST_TOLD);
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn options(args: &Serve) -> Result<Options, String> {
    let mut options = Options::new(args.seed);
    options.venues.clone_from(&args.venues);
    options.instruments.clone_from(&args.instruments.0);
    options.rate = args.rate;
    options.wild = args.wild;
    options.bind = args.bind;
    let seconds = args
        .seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    options.span = seconds.map_or(LONG, |seconds| seconds * 3 / 4);
    if let Some(path) = &args.plan {
        let said = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| said(error.to_string()))?;
        options.plan = Plan::parse(&text).map_err(|error| said(error.to_string()))?;
    }
    Ok(options)
}

/// What ends the program: the time, Ctrl-C or SIGTERM.
struct Ending {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    fn new() -> std::io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build()?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        drop(inside);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
        })
    }

    fn wait(mut self, seconds: Option<u32>) {
        let limit = seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                () = tokio::time::sleep(limit) => {}
            }
        });
    }
}

fn list() {
    for kind in Kind::ALL.iter().filter(|kind| !kind.needs_machine()) {
        say!("{:20} {}", kind.name(), kind.describe());
    }
}
