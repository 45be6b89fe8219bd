//! What 1,000 instruments take in memory, and that it does not grow.
//!
//! Ten replayed Binance connections of 100 instruments each, images of 20 levels, through feed,
//! listener, edge, queue, one consolidated book an instrument and a broadcast queue to a reader: the
//! stages of a live flow, but for the sockets. Every message changes its book, so none is left out.
//! The resident set of the whole program is read, the texts that stand in for the venue included.
//!
//! ```sh
//! cargo bench -p dragonfly-benches --bench memory                           # 2 million messages
//! cargo bench -p dragonfly-benches --bench memory -- --messages 100000000
//! cargo bench -p dragonfly-benches --bench memory -- --messages 10000000 --limit-mib 256 --result r9.json
//! ```
//!
//! With `--limit-mib` the system ends it beyond so much, by a cgroup where there is one.
//!
//! It exits with 1 when more than [`MOST_MIB`] is resident, or when more than [`MOST_GROWTH_MIB`] came
//! after the warm-up. What it found goes to `figures/memory.json` in the target folder, for the table.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

use std::{collections::HashMap, env, fs, process::ExitCode};

use dragonfly_aggregators::Bbo;
use dragonfly_benches::{
    cgroup, messages,
    report::{Report, write_result},
};
use dragonfly_clients::{ReplaySource, capture::Record};
use dragonfly_core::{
    clock::{Clock, Nanos, UtcNanos},
    feed::{BookListener, Decoder, Feed, Subscriber},
    flow::Flow,
    market::{BookEvent, ConsolidatedBook, Instrument, Symbol},
    queue::{self, Consumer},
    stage::Aggregator,
};
use dragonfly_feeds::{
    BookChanges,
    venue::{self, Subscription},
};
use serde_json::{Map, Value, json};

const CONNECTIONS: usize = 10;
const INSTRUMENTS: usize = 1_000;
const LEVELS: usize = 20;

/// The most that may be resident, in MiB.
const MOST_MIB: f64 = 64.0;
/// The most that may be added after the warm-up, in MiB.
const MOST_GROWTH_MIB: f64 = 2.0;

/// How many messages it is looked in between, in a long run.
const PART: u64 = 1_000_000;

/// From one message to the next, in nanoseconds of recorded time.
const APART_NS: u64 = 10_000;
const FIRST_UTC_NS: u64 = 1_789_457_617_000_000_000;

fn main() -> ExitCode {
    let begin = Clock::monotonic();
    let arguments: Vec<String> = env::args().collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let Some(messages) = messages_wanted(is_test) else {
        eprintln!("--messages wants a number of at least {INSTRUMENTS}");
        return ExitCode::FAILURE;
    };
    let Some(start) = resident_mib() else {
        println!("memory is not measured: there is no /proc/self/status");
        return ExitCode::SUCCESS;
    };
    let bound = bound(&arguments);
    let mut report = Report::new("memory", !is_test);
    report.line(format_args!(
        "\n### {INSTRUMENTS} instruments of {LEVELS} levels over {CONNECTIONS} connections, in one process\n"
    ));
    report.line("| messages | MiB resident |\n|---:|---:|");
    report.line(format_args!("| before the flow is made | {start:.1} |"));
    let mut stack = Stack::new();
    // Rings fill up, and what decoders remember: some hundred messages an instrument.
    let warm_up = (messages / 10).max(100 * INSTRUMENTS as u64);
    stack.run(warm_up);
    let warm = resident_mib().unwrap_or_default();
    let mib = |mib: f64| Value::from(format!("{mib:.1} MiB"));
    let mut figures = Map::new();
    figures.insert("limit of memory".into(), bound.into());
    figures.insert(format!("resident after {warm_up} messages"), mib(warm));
    report.line(format_args!("| {warm_up} | {warm:.1} |"));
    if messages > PART {
        stack.run(PART);
        let part = resident_mib().unwrap_or_default();
        report.line(format_args!("| {PART} | {part:.1} |"));
        figures.insert(format!("resident after {PART} messages"), mib(part));
    }
    stack.run(messages);
    let end = resident_mib().unwrap_or_default();
    figures.insert(format!("resident after {messages} messages"), mib(end));
    report.line(format_args!("| {messages} | {end:.1} |"));
    stack.check(messages);
    report.figure("memory_1000_instruments_mib", end);
    report.figure("memory_growth_mib", end - warm);
    report.finish();
    let is_within = end <= MOST_MIB && end - warm <= MOST_GROWTH_MIB;
    write_result(
        &arguments,
        &json!({
            "check": "r9",
            "title": "Memory: 1,000 books of 20 levels over ten connections, every message a change",
            "promises": ["R9"],
            "command": format!(
                "cargo bench -p dragonfly-benches --bench memory -- --messages {messages} --limit-mib 256"
            ),
            "seconds": begin.mono().0 as f64 / 1e9,
            "updates": messages,
            "violations": u64::from(!is_within),
            "figures": figures,
        }),
    );
    judge(end, end - warm)
}

/// Bounds the memory of this process as asked; what bounds it, in words.
fn bound(arguments: &[String]) -> String {
    let mut rest = arguments.iter().skip_while(|a| *a != "--limit-mib");
    let Some(limit) = rest.nth(1).and_then(|limit| limit.parse().ok()) else {
        return "none".into();
    };
    match cgroup::enter(limit) {
        Ok(()) => format!("{limit} MiB by a cgroup"),
        Err(error) => {
            println!("no cgroup ({error}): what is resident is looked at instead");
            format!("{MOST_MIB} MiB, looked at")
        }
    }
}

fn messages_wanted(is_test: bool) -> Option<u64> {
    let mut arguments = env::args().skip_while(|argument| argument != "--messages");
    let wanted = match arguments.nth(1) {
        Some(number) => number.parse().ok()?,
        None if env::args().any(|argument| argument == "--messages") => return None,
        None if is_test => 20_000,
        None => 2_000_000,
    };
    (wanted >= INSTRUMENTS as u64).then_some(wanted)
}

fn judge(end: f64, growth: f64) -> ExitCode {
    if end > MOST_MIB {
        println!("FAILED: {end:.1} MiB for {INSTRUMENTS} instruments, not at most {MOST_MIB}");
    } else if growth > MOST_GROWTH_MIB {
        println!("FAILED: grew by {growth:.1} MiB, not at most {MOST_GROWTH_MIB}");
    } else {
        println!(
            "{INSTRUMENTS} instruments in {end:.1} MiB, grew by {growth:.1} MiB: within limits"
        );
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// What of this program is in memory, if the system tells.
fn resident_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}

/// The wired flow and who reads its views.
struct Stack {
    flow: Flow,
    views: Box<dyn Consumer<Item = ConsolidatedBook>>,
    read: u64,
    with_all_levels: u64,
}

impl Stack {
    fn new() -> Self {
        let (clock, _hand) = Clock::manual(UtcNanos(FIRST_UTC_NS));
        let mut flow = Flow::with_clock(clock);
        let sources: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let texts = Texts::new(connection);
                let feed = feed(&texts.symbols);
                ReplaySource::new(texts, feed)
            })
            .collect();
        let books = flow.listen(sources).via(queue::mpsc(256));
        let views = flow.aggregate(books, EachBook::default());
        let views = views.via(queue::spmc(256));
        Self {
            views: Box::new(views.into_consumer()),
            flow,
            read: 0,
            with_all_levels: 0,
        }
    }

    /// Goes on until the views of so many messages were read, from the beginning.
    fn run(&mut self, messages: u64) {
        while self.read < messages {
            self.flow.step(Nanos(0)).unwrap();
            while let Ok(views) = self.views.ready()
                && !views.is_empty()
            {
                let count = views.len();
                let whole = |view: &&ConsolidatedBook| {
                    view.bids.len() == LEVELS && view.asks.len() == LEVELS
                };
                self.with_all_levels += views.iter().filter(whole).count() as u64;
                self.read += count as u64;
                self.views.release(count);
            }
        }
    }

    /// Nothing was measured that did not work.
    fn check(&self, messages: u64) {
        // Each book shows up without levels once, and once more when its connection opens.
        let empty = self.read - self.with_all_levels;
        assert!(self.read >= messages, "{} views of {messages}", self.read);
        assert!(
            empty <= 2 * INSTRUMENTS as u64,
            "{empty} views without all levels"
        );
    }
}

type BinanceFeed = Feed<Box<dyn Subscriber>, BookChanges>;

/// One connection's feed, as `Builder` makes it.
fn feed(symbols: &[(Symbol, Symbol)]) -> BinanceFeed {
    let spec = venue::find("binance").unwrap();
    let native = symbols.iter().map(|(_, native)| *native);
    let wanted = Subscription::new(native, LEVELS);
    let decoder: Box<dyn Decoder> = (spec.decoder)(&wanted);
    let rules = (spec.rules)();
    let symbols = symbols.iter().copied();
    let listener = BookListener::new(spec.id.parse().unwrap(), decoder, rules, LEVELS, symbols);
    let listener = listener.only_changes();
    let subscriber = (spec.subscriber)(&wanted);
    Feed::new(spec.id, subscriber, listener, (spec.policy)())
}

/// Messages without end, the instruments of one connection taking turns.
struct Texts {
    symbols: Vec<(Symbol, Symbol)>,
    /// Up to the sequence, for each instrument.
    beginnings: Vec<String>,
    /// From the sequence on; they differ in the best bid's quantity.
    ends: Vec<String>,
    sent: usize,
}

impl Texts {
    fn new(connection: usize) -> Self {
        let text = String::from_utf8(messages::binance_depth20()).unwrap();
        let (beginning, rest) = text.split_once("7251698023").unwrap();
        let native = (venue::find("binance").unwrap()).native;
        let each = INSTRUMENTS / CONNECTIONS;
        let symbols: Vec<_> = (connection * each..(connection + 1) * each)
            .map(|number| {
                let instrument: Instrument = format!("C{number:03}-USDT").parse().unwrap();
                (instrument.symbol(), native(&instrument).unwrap())
            })
            .collect();
        let begin = |(_, native): &(Symbol, Symbol)| {
            beginning.replace("ethbtc", &native.to_ascii_lowercase())
        };
        Self {
            beginnings: symbols.iter().map(begin).collect(),
            ends: (1..=9)
                .map(|n| rest.replacen("12.10000000", &format!("{n}2.10000000"), 1))
                .collect(),
            symbols,
            sent: 0,
        }
    }
}

impl Iterator for Texts {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let beginning = &self.beginnings[self.sent % self.beginnings.len()];
        let end = &self.ends[self.sent / self.beginnings.len() % self.ends.len()];
        let seq = (7_251_698_023 + self.sent as u64).to_string();
        let mut message = String::with_capacity(beginning.len() + seq.len() + end.len());
        message.push_str(beginning);
        message.push_str(&seq);
        message.push_str(end);
        let mut record = Record::received(message);
        record.ts = Some(UtcNanos(FIRST_UTC_NS + self.sent as u64 * APART_NS));
        self.sent += 1;
        Some(record)
    }
}

/// A consolidated book for each instrument.
#[derive(Default)]
struct EachBook {
    books: HashMap<Symbol, Bbo>,
    /// Whose view may have changed.
    changed: Vec<Symbol>,
}

impl Aggregator for EachBook {
    type Input = BookEvent;
    type Output = ConsolidatedBook;

    fn apply(&mut self, event: &BookEvent) {
        let book = self.books.entry(event.symbol);
        book.or_insert_with(|| Bbo::top(LEVELS)).apply(event);
        self.changed.push(event.symbol);
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        while let Some(symbol) = self.changed.pop() {
            let view = self.books.get_mut(&symbol).and_then(Bbo::publish);
            if view.is_some() {
                self.changed.push(symbol);
                return view;
            }
        }
        None
    }
}
