//! When the book of a large message is there: waiting for the whole, and reading it as it arrives.
//!
//! The recorded 5 MB snapshot of Coinbase and a Bitstamp image of 100 levels come over loopback TLS,
//! in records and at the pace of a line, through the client to the listener, on one thread; medians
//! of several runs that alternate. *without a network* is the work alone. `--test` runs everything
//! once.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

use dragonfly_benches::{
    loopback::{Cut, Packing, Plan, Venue, pin_to},
    messages,
    report::Report,
};
use dragonfly_clients::ws;
use dragonfly_core::{
    client::{Client as _, Reader as _, Received},
    clock::{Clock, Nanos},
    feed::{BookListener, Decoder, Link, Listener as _},
    market::{BookEvent, BookState, Instrument},
};
use dragonfly_feeds::venue::{self, Subscription};

/// A message, and how it comes.
#[derive(Clone)]
struct Case {
    name: &'static str,
    venue: &'static str,
    instrument: &'static str,
    message: Vec<u8>,
    cut: Cut,
}

/// When the book was there.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Behind the first write, in microseconds.
    first: f64,
    /// Behind the last write.
    last: f64,
}

fn cases() -> Vec<Case> {
    let snapshot = messages::coinbase_snapshot();
    let image = messages::bitstamp_images().remove(0);
    let coinbase = |name, record, every| Case {
        name,
        venue: "coinbase-advanced",
        instrument: "BTC-USD",
        message: snapshot.clone(),
        cut: Cut {
            record,
            every: Nanos(every),
        },
    };
    let bitstamp = |name, record, every| Case {
        name,
        venue: "bitstamp",
        instrument: "XRP-EUR",
        message: image.clone(),
        cut: Cut {
            record,
            every: Nanos(every),
        },
    };
    vec![
        coinbase("Coinbase 5 MB, 16 KiB records, unpaced", 16_384, 0),
        coinbase("Coinbase 5 MB, 16 KiB records, 10 Gbit/s", 16_384, 13_107),
        coinbase("Coinbase 5 MB, 16 KiB records, 1 Gbit/s", 16_384, 131_072),
        coinbase("Coinbase 5 MB, 1,400 B records, 1 Gbit/s", 1_400, 11_200),
        bitstamp("Bitstamp 100, one record, unpaced", 16_384, 0),
        bitstamp("Bitstamp 100, 1,400 B records, 1 Gbit/s", 1_400, 11_200),
        bitstamp("Bitstamp 100, 1,400 B records, 100 Mbit/s", 1_400, 112_000),
        bitstamp("Bitstamp 100, 1,400 B records, 10 Mbit/s", 1_400, 1_120_000),
    ]
}

fn main() {
    // Cargo says `--bench` when it is to be measured, and nothing when it runs tests.
    let given = |option: &str| std::env::args().any(|argument| argument == option);
    let is_test = given("--test") || !given("--bench");
    let runs = if is_test { 1 } else { 21 };
    let mut report = Report::new("early_parse", !is_test);
    pin_to(0);
    report.line(format_args!(
        "\n### Early parse over loopback TLS, in microseconds\n"
    ));
    report.line(format_args!(
        "| message | from the first byte: whole | early | from the last byte: whole | early |"
    ));
    report.line(format_args!("|---|---:|---:|---:|---:|"));
    for case in cases() {
        let (mut whole, mut early) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            whole.push(run(&case, false));
            early.push(run(&case, true));
        }
        report.line(format_args!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} |",
            case.name,
            median(&whole, |t| t.first),
            median(&early, |t| t.first),
            median(&whole, |t| t.last),
            median(&early, |t| t.last),
        ));
    }
    report.line(format_args!(
        "\n### Early parse without a network, in microseconds\n"
    ));
    report.line(format_args!(
        "| message | whole | early: all parts together | early: behind the last part |"
    ));
    report.line(format_args!("|---|---:|---:|---:|"));
    for case in cases() {
        if case.cut.every.0 == 0 {
            without_network(&case, runs, &mut report);
        }
    }
    report.finish();
}

fn median(times: &[Times], of: impl Fn(&Times) -> f64) -> f64 {
    let mut all: Vec<f64> = times.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn listener(case: &Case, clock: &Clock) -> BookListener<Box<dyn Decoder>> {
    let spec = venue::find(case.venue).unwrap();
    let instrument: Instrument = case.instrument.parse().unwrap();
    let native = (spec.native)(&instrument).unwrap();
    let wanted = Subscription::new([native], 10);
    let symbols = [(instrument.symbol(), native)];
    let venue = spec.id.parse().unwrap();
    let decoder = (spec.decoder)(&wanted);
    let mut listener = BookListener::new(venue, decoder, (spec.rules)(), 10, symbols);
    listener.on_link(Link::Up, clock.now(), &mut |_| {});
    listener
}

/// One connection, one message: when its book was there.
fn run(case: &Case, is_early: bool) -> Times {
    let clock = Clock::monotonic();
    let message = case.message.clone();
    let plan = Plan {
        tls: true,
        upgrade: true,
        connections: 1,
        messages: 1,
        packing: Packing {
            messages_a_record: 1,
            records_a_write: 1,
        },
        rate: None,
        cut: Some(case.cut),
        make: Box::new(move |_, _, into| into.extend(&message)),
    };
    let venue = Venue::start_by(plan, clock.clone());
    let mut listener = listener(case, &clock);
    let client = ws::Client::builder(venue.url(0)).max_message(32 << 20);
    let mut client = client.tls_ca_pem(venue.ca_pem()).build().unwrap();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let shown = runtime.enable_all().build().unwrap().block_on(async {
        let (mut reader, _writer) = client.connect().await.unwrap();
        let large = listener.early().filter(|_| is_early).unwrap_or(usize::MAX);
        let (mut shown, mut is_whole) = (None, false);
        while !is_whole {
            let received = reader.read_early(large).await.unwrap();
            let now = clock.now();
            let mut emit = |event: BookEvent| {
                assert_eq!((event.state, event.depth.bids.len()), (BookState::Live, 10));
                shown.get_or_insert_with(|| clock.mono());
            };
            match received {
                Received::Part(so_far) => listener.on_part(so_far, now, &mut emit),
                Received::Message(message) => {
                    listener.on_message(message, now, &mut emit).unwrap();
                    is_whole = true;
                }
                _ => {}
            }
        }
        shown.unwrap()
    });
    drop(client);
    let (first, last) = venue.join();
    let since = |from: Nanos| (shown.0 as f64 - from.0 as f64) / 1e3;
    Times {
        first: since(first),
        last: since(last),
    }
}

fn without_network(case: &Case, runs: usize, report: &mut Report) {
    let clock = Clock::monotonic();
    let (mut whole, mut parts, mut end) = (Vec::new(), Vec::new(), Vec::new());
    let mut work = |is_early: bool| {
        let mut listener = listener(case, &clock);
        let mut message = case.message.clone();
        let begin = clock.mono();
        let record = if case.message.len() > 100_000 {
            16_384
        } else {
            1_400
        };
        let cuts = (record..message.len()).step_by(record);
        for cut in cuts.filter(|_| is_early) {
            listener.on_part(&message[..cut], clock.now(), &mut |_| {});
        }
        let middle = clock.mono();
        let mut count = 0;
        listener
            .on_message(&mut message, clock.now(), &mut |_| count += 1)
            .unwrap();
        let after = clock.mono();
        let micros = |time: Nanos| time.0 as f64 / 1e3;
        if is_early {
            parts.push(micros(middle - begin));
            end.push(micros(after - middle));
        } else {
            whole.push(micros(after - begin));
        }
    };
    for _ in 0..runs {
        work(false);
        work(true);
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    report.line(format_args!(
        "| {} | {:.1} | {:.1} | {:.1} |",
        case.name,
        median(&mut whole),
        median(&mut parts),
        median(&mut end)
    ));
}
