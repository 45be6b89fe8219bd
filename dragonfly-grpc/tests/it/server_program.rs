//! The server program, run as a user runs it: what it refuses, what it says, and how it ends.

use std::{
    io::{BufRead, BufReader, Read},
    net::{Shutdown, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use dragonfly_grpc::proto::{
    orderbook::{Empty, Summary, orderbook_aggregator_client::OrderbookAggregatorClient},
    v1::{
        Book, LegCause, LegState, StreamBookRequest, market_data_client::MarketDataClient,
        stream_book_request::Policy,
    },
};
use rustix::process::Pid;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::bench::{run, soon};

/// What should be said is said long before this; a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const ENDING: Duration = Duration::from_secs(10);
/// An endpoint where nobody listens.
pub(crate) const CLOSED: &str = "wss://127.0.0.1:1/";

/// The running program; killed when the test is over.
pub(crate) struct Program {
    child: Child,
    /// The lines of its standard error, as they come.
    said: Receiver<String>,
    /// Those that have been read. Its threads speak in no certain order.
    heard: Vec<String>,
    /// All of its standard output, when it has ended.
    shown: Receiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Program {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dragonflybot-grpc-server"));
        command.args(args);
        Self::run(command)
    }

    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, said) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || errors.lines().try_for_each(|l| line.send(l.unwrap())));
        let (all, shown) = channel();
        let mut out = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            all.send(text)
        });
        Self {
            child,
            said,
            heard: Vec::new(),
            shown,
        }
    }

    /// The first line of standard error that has `part` in it, wherever it comes.
    pub(crate) fn hears(&mut self, part: &str) -> String {
        self.hears_times(1, part).remove(0)
    }

    /// The first `count` lines of standard error that have `part` in them.
    pub(crate) fn hears_times(&mut self, count: usize, part: &str) -> Vec<String> {
        loop {
            let lines = self.heard.iter().filter(|line| line.contains(part));
            let lines: Vec<_> = lines.take(count).cloned().collect();
            if lines.len() == count {
                return lines;
            }
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("{part:?} was not said {count} times: {:#?}", self.heard),
            }
        }
    }

    /// The address it serves on, which it says.
    pub(crate) fn address(&mut self) -> String {
        let line = self.hears("serving gRPC");
        let after = line.split("address=").nth(1).unwrap();
        after.trim().to_owned()
    }

    /// Waits for its end: how it ended, its standard output and all of its standard error.
    pub(crate) fn finish(mut self) -> (ExitStatus, String, Vec<String>) {
        let shown = self.shown.recv_timeout(ENDING);
        let shown = shown.expect("it should have ended by now");
        let mut said = std::mem::take(&mut self.heard);
        said.extend(self.said.iter());
        (self.child.wait().unwrap(), shown, said)
    }

    /// What of it is in memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }

    /// How many file descriptors it has open.
    pub(crate) fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.unwrap().success());
    }
}

pub(crate) async fn connect(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    soon(endpoint.connect()).await.unwrap()
}

async fn health(channel: &Channel, service: &str) -> ServingStatus {
    let service = service.into();
    let mut client = HealthClient::new(channel.clone());
    let answer = soon(client.check(HealthCheckRequest { service })).await;
    answer.unwrap().into_inner().status()
}

/// Starts the program, which must refuse in one line that has all of `named` in it.
pub(crate) fn refused(args: &[&str], named: &[&str]) {
    let (status, shown, said) = Program::start(args).finish();
    assert_eq!(status.code(), Some(2), "{args:?}: {said:#?}");
    assert_eq!(shown, "", "{args:?}");
    let [line] = &said[..] else {
        panic!("{args:?}: one line, please: {said:#?}");
    };
    assert!(line.starts_with("error: "), "{args:?}: {line}");
    for part in named {
        assert!(line.contains(part), "{args:?}: no {part:?} in {line}");
    }
    assert!(
        !line.contains("panicked") && !line.contains("RUST_BACKTRACE"),
        "{line}"
    );
}

#[test]
fn a_wrong_option_is_named_with_what_would_be_right() {
    refused(&["--colour"], &["'--colour'", "--help"]);
    refused(&["ethbtc"], &["'ethbtc'", "--help"]);
    refused(&["--depth", "0"], &["'0'", "--depth", "1..=20"]);
    refused(&["--depth", "21"], &["'21'", "--depth", "1..=20"]);
    refused(&["--threads", "3"], &["auto, one, shared, dedicated"]);
    refused(&["--log-format", "xml"], &["'xml'", "text, json"]);
    refused(&["--bind", "50051"], &["'50051'", "--bind", "HOST:PORT"]);
    refused(
        &["--demo", "--venues", "kraken"],
        &["'--demo'", "'--venues"],
    );
}

#[test]
fn an_unknown_venue_or_instrument_is_named_with_the_known() {
    let venues = "binance, bitstamp, bybit, coinbase-advanced, kraken";
    refused(&["--venues", "nasdaq"], &["--venues", "\"nasdaq\"", venues]);
    refused(&["--venues", "binance,"], &["--venues", "\"\"", venues]);
    refused(&["--venues", "kraken,kraken"], &["kraken", "twice"]);
    refused(
        &["--instrument-name", "nothing"],
        &["--instrument-name", "\"nothing\"", "ETH-BTC", "ethbtc"],
    );
    refused(
        &["--venues", "bybit:?"],
        &["--venues", "\"?\"", "BASE-QUOTE"],
    );
    refused(
        &["--venues", "kraken", "--instrument-name", "BTC-USDT-PERP"],
        &["kraken", "BTC-USDT-PERP", "spot"],
    );
}

#[test]
fn an_endpoint_must_be_a_url_of_a_venue_that_was_asked_for() {
    let form = "VENUE=wss://HOST:PORT/PATH";
    refused(&["--endpoint", "binance"], &["'binance'", form]);
    refused(&["--endpoint", "=wss://x"], &["'=wss://x'", form]);
    refused(
        &["--endpoint", "binance=http://x"],
        &["binance", "http://x", "wss://"],
    );
    refused(
        &["--endpoint", "binance=ws://example.com/"],
        &["binance", "ws://example.com/", "wss://"],
    );
    refused(
        &["--endpoint", "kraken=wss://127.0.0.1:1/"],
        &["--endpoint", "\"kraken\"", "binance, bitstamp"],
    );
    let (one, other) = ("binance=wss://127.0.0.1:1/", "binance=wss://127.0.0.1:2/");
    refused(
        &["--endpoint", one, "--endpoint", other],
        &["--endpoint", "binance", "twice"],
    );
}

#[test]
fn a_file_of_certificates_must_be_readable_and_hold_one() {
    let none = std::env::temp_dir().join(format!("dragonfly-{}-none.pem", std::process::id()));
    let none = none.to_str().unwrap();
    refused(&["--tls-ca", none], &[none, "cannot be read", "No such"]);
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = manifest.to_str().unwrap();
    refused(
        &["--tls-ca", manifest],
        &[manifest, "-----BEGIN CERTIFICATE-----"],
    );
}

#[test]
fn a_port_in_use_or_an_open_address_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(
        &["--bind", &address],
        &["--bind", &address, "in use", "another port"],
    );
    refused(
        &["--bind", "0.0.0.0:0"],
        &["--bind", "0.0.0.0:0", "127.0.0.1", "--insecure"],
    );
    refused(&["--bind", "[::]:0"], &["--bind", "[::]:0", "--insecure"]);
}

#[test]
fn help_names_every_option_and_version_is_the_packages() {
    let (status, help, said) = Program::start(&["--help"]).finish();
    assert_eq!((status.code(), said), (Some(0), Vec::new()));
    for option in [
        "--instrument-name",
        "--venues",
        "--depth",
        "--bind",
        "--insecure",
        "--health-bind",
        "--quorum",
        "--endpoint",
        "--tls-ca",
        "--threads",
        "--spin",
        "--spin-for",
        "--busy-poll",
        "--pin",
        "--lock-memory",
        "--demo",
        "--log-format",
    ] {
        assert!(help.contains(option), "{option}");
    }
    let (status, version, said) = Program::start(&["--version"]).finish();
    assert_eq!((status.code(), said), (Some(0), Vec::new()));
    let expected = concat!("dragonflybot-grpc-server ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version, expected);
}

#[test]
fn an_open_address_is_served_when_that_is_allowed() {
    let mut program = Program::start(&[
        "--insecure",
        "--bind",
        "0.0.0.0:0",
        "--venues",
        "kraken",
        "--endpoint",
        &format!("kraken={CLOSED}"),
    ]);
    let address = program.address();
    assert!(address.starts_with("0.0.0.0:"), "{address}");
    let local = address.replace("0.0.0.0", "127.0.0.1");
    run(async move {
        let channel = connect(&local).await;
        assert_eq!(health(&channel, "").await, ServingStatus::Serving);
    });
}

/// The program with two venues that nobody answers for.
fn without_network() -> Program {
    let (one, other) = (format!("binance={CLOSED}"), format!("bitstamp={CLOSED}"));
    let args = ["--bind", "127.0.0.1:0", "--endpoint"];
    Program::start(&[&args[..], &[&one, "--endpoint", &other]].concat())
}

/// The first book in which every leg of `count` is in `state`.
pub(crate) async fn book_with(channel: &Channel, state: LegState, count: usize) -> Book {
    let request = StreamBookRequest {
        policy: Some(Policy::Conflate(
            dragonfly_grpc::proto::v1::Conflate::default(),
        )),
        ..StreamBookRequest::default()
    };
    let mut client = MarketDataClient::new(channel.clone());
    let mut books = soon(client.stream_book(request))
        .await
        .unwrap()
        .into_inner();
    loop {
        let book = soon(books.message()).await.unwrap().expect("it goes on");
        if book.legs.iter().filter(|leg| leg.state() == state).count() == count {
            return book;
        }
    }
}

#[test]
fn without_network_it_stays_up_and_invents_nothing() {
    let mut program = without_network();
    let address = program.address();
    program.hears_times(2, "state=down");
    run(async move {
        let channel = connect(&address).await;
        assert_eq!(health(&channel, "").await, ServingStatus::Serving);
        for service in ["orderbook.OrderbookAggregator", "dragonfly.v1.MarketData"] {
            let status = health(&channel, service).await;
            assert_eq!(status, ServingStatus::NotServing, "{service}");
        }
        let mut legacy = OrderbookAggregatorClient::new(channel.clone());
        let stream = soon(legacy.book_summary(Empty {})).await.unwrap();
        let first = soon(stream.into_inner().message()).await.unwrap();
        assert_eq!(first, Some(Summary::default()));

        let book = book_with(&channel, LegState::Down, 2).await;
        assert_eq!((book.symbol.as_str(), book.live_legs), ("ETH-BTC", 0));
        assert!(book.bids.is_empty() && book.asks.is_empty());
        let legs = book.legs.iter().map(|leg| (&*leg.venue, leg.cause()));
        let cause = LegCause::Disconnected;
        assert_eq!(
            legs.collect::<Vec<_>>(),
            [("binance", cause), ("bitstamp", cause)]
        );
    });
}

/// Hangs up on everybody who connects, and tells of each.
fn hang_up(venue: &TcpListener, tried: &Sender<()>) {
    for attempt in venue.incoming() {
        let mut attempt = attempt.unwrap();
        attempt.shutdown(Shutdown::Write).unwrap();
        // Read to its end, so that every attempt fails for the same reason.
        attempt.read_to_end(&mut Vec::new()).ok();
        if tried.send(()).is_err() {
            return;
        }
    }
}

#[test]
fn each_venues_failure_is_named_once_though_it_tries_again() {
    // A port that hangs up tells by its accepts how often the program has tried.
    let venue = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("kraken=wss://{}/", venue.local_addr().unwrap());
    let args = ["--bind", "127.0.0.1:0", "--venues", "kraken", "--endpoint"];
    let program = Program::start(&[&args[..], &[&url]].concat());
    let (tried, attempts) = channel();
    thread::spawn(move || hang_up(&venue, &tried));
    for _ in 0..4 {
        let attempt = attempts.recv_timeout(PATIENCE);
        attempt.expect("it should have tried again by now");
    }
    program.terminate();
    let (status, shown, said) = program.finish();
    assert_eq!((status.code(), shown.as_str()), (Some(0), ""), "{said:#?}");
    let named = |line: &&String| line.contains("WARN");
    let warnings: Vec<_> = said.iter().filter(named).collect();
    assert_eq!(warnings.len(), 1, "{said:#?}");
    assert!(
        warnings[0].contains("kraken") && warnings[0].contains("retrying"),
        "{said:#?}"
    );
}

#[test]
fn sigterm_ends_it_in_order_and_tells_its_clients() {
    let mut program = without_network();
    let address = program.address();
    run(async {
        let channel = connect(&address).await;
        let mut client = MarketDataClient::new(channel);
        let books = client.stream_book(StreamBookRequest::default());
        let mut books = soon(books).await.unwrap().into_inner();
        assert!(soon(books.message()).await.unwrap().is_some());
        program.terminate();
        // What was published last comes first; then the stream ends, with a word on why or without.
        while let Ok(Some(_)) = soon(books.message()).await {}
    });
    let (status, shown, said) = program.finish();
    assert_eq!((status.code(), shown.as_str()), (Some(0), ""));
    assert!(said.last().unwrap().ends_with("stopped"), "{said:#?}");
    assert!(!said.iter().any(|l| l.contains("panicked")), "{said:#?}");
}

#[test]
fn the_demo_says_what_it_merges_and_shows_it_in_plain_lines() {
    let mut program = Program::start(&["--demo", "--bind", "127.0.0.1:0"]);
    let address = program.address();
    assert!(
        program.heard[0].contains("as if 1 USDT were 1 USD"),
        "the equivalence comes first: {:#?}",
        program.heard
    );
    program.hears("2 of 2 venues live");
    for venue in ["venue=bybit", "venue=coinbase-advanced"] {
        let live = |l: &String| l.contains(" live: ") && l.contains(venue);
        assert!(program.heard.iter().any(live), "{:#?}", program.heard);
    }
    run(async {
        let channel = connect(&address).await;
        let book = book_with(&channel, LegState::Live, 2).await;
        assert_eq!((book.bids.len(), book.asks.len()), (10, 10));
        let mut legacy = OrderbookAggregatorClient::new(channel.clone());
        let stream = soon(legacy.book_summary(Empty {})).await.unwrap();
        let shown = soon(stream.into_inner().message()).await.unwrap().unwrap();
        assert_eq!((shown.bids.len(), shown.asks.len()), (10, 10));
        let bids = shown.bids.windows(2);
        assert!(bids.clone().all(|pair| pair[0].price >= pair[1].price));
        for level in shown.bids.iter().chain(&shown.asks) {
            assert!(["bybit", "coinbase-advanced"].contains(&&*level.exchange));
            assert!(level.price > 10_000.0 && level.amount > 0.0, "{level:?}");
        }
    });
    program.terminate();
    let (status, shown, said) = program.finish();
    assert_eq!((status.code(), shown.as_str()), (Some(0), ""));
    assert!(!said.iter().any(|l| l.contains('\u{1b}')), "plain lines");
}

#[test]
fn json_lines_are_json_and_name_the_same() {
    let args = ["--demo", "--bind", "127.0.0.1:0", "--log-format", "json"];
    let mut program = Program::start(&args);
    program.hears("2 of 2 venues live");
    program.terminate();
    let (status, _, lines) = program.finish();
    assert_eq!(status.code(), Some(0));
    let mut venues = Vec::new();
    for line in &lines {
        let json: serde_json::Value = serde_json::from_str(line).expect(line);
        let fields = &json["fields"];
        assert!(fields["message"].is_string(), "{line}");
        if fields["message"].as_str().unwrap().starts_with("live: ") {
            venues.push(fields["venue"].as_str().unwrap().to_owned());
        }
    }
    venues.sort();
    venues.dedup();
    assert_eq!(venues, ["bybit", "coinbase-advanced"]);
}
