//! A book's way from a venue's socket to a gRPC client, stage by stage.
//!
//! Everything is real and in one process: two venues behind WebSocket and TLS on one thread, the feeds,
//! the merge and the gRPC server on the threads of the flow, and a gRPC client that sleeps in `read` on
//! a thread of its own. Books are sent at a steady rate and numbered; every stage stamps the number.
//!
//! ```sh
//! cargo bench -p dragonfly-benches --bench end_to_end                    # 200 and 2,000 a second, every mode
//! cargo bench -p dragonfly-benches --bench end_to_end -- 2000 spin 10    # rate, mode, seconds
//! ```
//!
//! Stages are given as percentiles of their own, which do not add up to those of the whole. A stamp
//! costs some 30 ns, a reading of the clock.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

#[path = "end_to_end/stamped.rs"]
mod stamped;
#[path = "end_to_end/venues.rs"]
mod venues;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread::park_timeout,
    time::Duration,
};

use dragonfly_aggregators::Bbo;
use dragonfly_benches::http2::{self, Receiver};
use dragonfly_core::{
    clock::{Clock, Nanos},
    flow::Flow,
    queue,
    run::{RunOptions, Threads, Wait},
};
use dragonfly_feeds::Builder;
use dragonfly_grpc::Server;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use stamped::{MOMENTS, Moment, StampedBbo, StampedFeed, StampedServer, Stamps};
use venues::{Sockets, Venues};

/// How a flow is run, by the names of the server's options.
const MODES: [(&str, Threads, Wait); 6] = [
    ("default", Threads::One, Wait::Park),
    (
        "spin-for 1ms",
        Threads::One,
        Wait::Adaptive(Nanos::from_millis(1)),
    ),
    ("spin", Threads::One, Wait::Spin),
    ("shared", Threads::Shared, Wait::Park),
    ("dedicated", Threads::Dedicated, Wait::Park),
    ("shared, spin", Threads::Shared, Wait::Spin),
];

/// What lies between two moments.
const STAGES: [&str; MOMENTS - 1] = [
    "venue's write, kernel, wake-up",
    "socket read, TLS, frame",
    "decode, book",
    "queue to the merge",
    "merge",
    "queue to the server",
    "encode, hand over",
    "HTTP/2, write, kernel, client's wake-up",
];

/// Books sent before any is counted.
const WARM_UP: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if arguments.first().is_some_and(|a| a == "--test") {
        return measure(500, 1, MODES[0]);
    }
    let rates = match arguments.first() {
        Some(rate) => match rate.parse() {
            Ok(rate) => vec![rate],
            // What picks among criterion's groups picks none of these.
            Err(_) => return,
        },
        None => vec![200, 2_000],
    };
    let mode = arguments.get(1);
    let seconds = arguments.get(2).map_or(5, |s| s.parse().unwrap());
    for rate in rates {
        for one in MODES
            .into_iter()
            .filter(|one| mode.is_none_or(|mode| mode == one.0))
        {
            measure(rate, seconds, one);
        }
    }
}

fn measure(rate: u64, seconds: u64, (mode, threads, wait): (&str, Threads, Wait)) {
    let count = WARM_UP + rate * seconds;
    // Numbers begin at 1: nothing has no number.
    let stamps = Stamps::new(count + 1);
    let venues = Venues::start();
    let feed = |venue, index: usize| {
        let port = venues.addresses[index].port();
        let feed = Builder::new(venue, "ETH-BTC")
            .unwrap()
            .endpoint(format!("wss://localhost:{port}/stream"))
            .tls_ca_pem(&venues.ca_pem)
            .build();
        StampedFeed(feed.unwrap(), stamps.clone())
    };
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    let mut flow = Flow::new();
    let feeds = vec![feed("binance", 0), feed("bitstamp", 1)];
    let books = flow.listen(feeds).via(queue::mpsc(256));
    let bbo = StampedBbo {
        bbo: Bbo::top(10),
        stamps: stamps.clone(),
        k: 0,
    };
    let views = flow.aggregate(books, bbo).via(queue::spmc(256));
    flow.serve(StampedServer(server, stamps.clone()), views);
    let running = flow.launch(RunOptions::from(threads).wait(wait)).unwrap();

    let mut sockets = venues.subscribed();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    client
        .write_all(&http2::opening(
            "/dragonfly.v1.MarketData/StreamBook",
            b"",
            1,
        ))
        .unwrap();
    let reader = client.try_clone().unwrap();
    let seen = stamps.clone();
    let receiving = std::thread::spawn(move || receive(reader, &seen, count));
    let begin = processor_time(ClockId::ProcessCPUTime);
    let earlier = processor_time(ClockId::ThreadCPUTime);
    let own = send(&mut sockets, &stamps, rate, count);
    // The last book is on its way; the client hangs up by itself when it has come.
    let others = receiving.join().unwrap();
    let cpu = processor_time(ClockId::ProcessCPUTime) - begin - (own - earlier) - others;
    client.shutdown(Shutdown::Both).ok();
    running.stop();
    running.join().unwrap();
    report(
        mode,
        rate,
        &stamps,
        count,
        cpu / (count as f64 / rate as f64),
    );
}

/// Sends every book at its time; what it took of the processor, in seconds.
fn send(sockets: &mut Sockets, stamps: &Stamps, rate: u64, count: u64) -> f64 {
    let clock = Clock::monotonic();
    let period = Nanos(1_000_000_000 / rate);
    for k in 1..=count {
        let text = Sockets::book(k);
        let due = Nanos(period.0 * k);
        loop {
            let now = clock.mono();
            if now >= due {
                break;
            }
            park_timeout(due.since(now).as_duration());
        }
        stamps.put(k, Moment::Sent, stamps.now());
        sockets.send(k, text);
    }
    processor_time(ClockId::ThreadCPUTime)
}

/// Reads until the last book has come or nothing comes; what it took of the processor, in seconds.
fn receive(mut socket: TcpStream, stamps: &Stamps, last: u64) -> f64 {
    socket
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let (mut receiver, mut reply, mut newest) = (Receiver::default(), Vec::new(), 0);
    while newest < last {
        let Ok(size @ 1..) = socket.read(&mut buffer) else {
            break;
        };
        let now = stamps.now();
        let each = |book: &[u8]| {
            let k = stamps.behind(http2::stamps(book).seq);
            stamps.put(k, Moment::Received, now);
            newest = newest.max(k);
        };
        receiver.take(&buffer[..size], each, &mut reply);
        socket.write_all(&reply).unwrap();
        reply.clear();
    }
    processor_time(ClockId::ThreadCPUTime)
}

fn report(mode: &str, rate: u64, stamps: &Stamps, count: u64, cores: f64) {
    let histogram = || Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let mut whole = histogram();
    let mut stages: Vec<_> = STAGES.iter().map(|_| histogram()).collect();
    for k in WARM_UP + 1..=count {
        let moments = stamps.of(k);
        if moments[Moment::Received as usize] == 0 {
            continue;
        }
        whole.saturating_record(moments[MOMENTS - 1].saturating_sub(moments[0]).max(1));
        for (stage, pair) in stages.iter_mut().zip(moments.windows(2)) {
            stage.saturating_record(pair[1].saturating_sub(pair[0]).max(1));
        }
    }
    let shown = whole.len() as f64 / (count - WARM_UP) as f64 * 100.0;
    println!(
        "\n{mode}, {rate} books/s: {shown:.1} % shown, {:.1} % of a core\n",
        cores * 100.0
    );
    println!("| stage, us | p50 | p90 | p99 | p99.9 | max |\n|---|---:|---:|---:|---:|---:|");
    for (name, stage) in STAGES.iter().zip(&stages).chain([(&"whole", &whole)]) {
        let us = |quantile| stage.value_at_quantile(quantile) as f64 / 1_000.0;
        let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(us);
        println!("| {name} | {p50:.1} | {p90:.1} | {p99:.1} | {p999:.1} | {max:.1} |");
    }
    assert!(!whole.is_empty(), "no book was received");
}

/// Processor time, in seconds.
fn processor_time(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
