//! How long a view takes from the server's `publish` to each of a thousand real gRPC subscribers.
//!
//! The server is this process: a source that ticks, an aggregator and the gRPC server, wired as the
//! bundled program wires them. The subscribers are a second process of one thread that understands
//! frames and stamps only, so that most of what is measured is the server's. Both share the machine.
//!
//! ```sh
//! cargo bench -p dragonfly-benches --bench fan_out_load
//! cargo bench -p dragonfly-benches --bench fan_out_load -- --subscribers 1000 --connections 1000 --rate 100 --stalled 50
//! cargo bench -p dragonfly-benches --bench fan_out_load -- --gate --result r8.json
//! cargo bench -p dragonfly-benches --bench fan_out_load -- --isolation --result r10.json
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

#[path = "fan_out_load/clients.rs"]
mod clients;
#[path = "fan_out_load/gate.rs"]
mod gate;
#[path = "fan_out_load/isolation.rs"]
mod isolation;
#[path = "fan_out_load/neighbour.rs"]
mod neighbour;
#[path = "fan_out_load/ticker.rs"]
mod ticker;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use dragonfly_aggregators::Bbo;
use dragonfly_benches::report::Report;
use dragonfly_core::{
    flow::{Flow, merge},
    queue,
    run::{RunOptions, Threads, Wait},
};
use dragonfly_grpc::Server;
use rustix::time::{ClockId, clock_gettime};

use clients::{Plan, Seen};
use neighbour::Neighbour;
use ticker::Ticker;

/// One load.
#[derive(Clone, Copy, Debug)]
struct Load {
    subscribers: usize,
    connections: usize,
    stalled: usize,
    rate: u32,
    /// In s.
    warm_up: u64,
    /// In s.
    seconds: u64,
    threads: Threads,
    wait: Wait,
    /// A second venue, and then it is measured from the first one's receipt.
    neighbour: Option<Neighbour>,
}

const USUAL: Load = Load {
    subscribers: 1_000,
    connections: 1_000,
    stalled: 0,
    rate: 100,
    warm_up: 1,
    seconds: 5,
    threads: Threads::One,
    wait: Wait::Auto,
    neighbour: None,
};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let first = arguments.next();
    if first.as_deref() == Some("--subscribe") {
        return subscribe(&arguments.collect::<Vec<_>>());
    }
    match first.as_deref() {
        Some("--gate") => return gate::run(&arguments.collect::<Vec<_>>()),
        Some("--isolation") => return isolation::run(&arguments.collect::<Vec<_>>()),
        _ => {}
    }
    let loads = match first.as_deref() {
        None => vec![
            Load {
                connections: 32,
                ..USUAL
            },
            USUAL,
            Load {
                stalled: 50,
                ..USUAL
            },
            Load {
                threads: Threads::Shared,
                ..USUAL
            },
        ],
        Some("--test") => vec![Load {
            subscribers: 20,
            connections: 5,
            seconds: 1,
            ..USUAL
        }],
        // What picks among criterion's groups picks none of these.
        Some(name) if !OPTIONS.contains(&name) => return,
        Some(name) => vec![asked(name, &arguments.collect::<Vec<_>>())],
    };
    let mut report = Report::new("fan_out_load", first.is_none());
    report.line("\n### Subscriptions of a gRPC server\n");
    report.line(format_args!(
        "| subscribers | connections | stalled | updates/s | threads | p50 us | p99 us | p99.9 us \
         | max us | received | skipped | server core % | clients core % | server MiB |"
    ));
    report.line(format_args!("|{}", "---:|".repeat(14)));
    for load in loads {
        measure(load, &mut report);
    }
    report.finish();
}

/// What may be asked for.
const OPTIONS: [&str; 7] = [
    "--subscribers",
    "--connections",
    "--stalled",
    "--rate",
    "--seconds",
    "--threads",
    "--wait",
];

/// The load that the command line asks for.
fn asked(first: &str, others: &[String]) -> Load {
    let mut load = USUAL;
    let all: Vec<&str> = std::iter::once(first)
        .chain(others.iter().map(String::as_str))
        .collect();
    for pair in all.chunks(2) {
        let value = pair.get(1).copied().unwrap_or_default();
        let number = || {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{} {value}: no number", pair[0]))
        };
        match pair[0] {
            "--subscribers" => load.subscribers = number(),
            "--connections" => load.connections = number(),
            "--stalled" => load.stalled = number(),
            "--rate" => load.rate = u32::try_from(number()).unwrap(),
            "--seconds" => load.seconds = number() as u64,
            "--threads" if value == "shared" => load.threads = Threads::Shared,
            "--threads" if value == "one" => load.threads = Threads::One,
            "--wait" if value == "spin" => load.wait = Wait::Spin,
            other => panic!("unknown option {other} {value}"),
        }
    }
    load
}

/// What a load came to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    seen: Seen,
    /// The share of what was published that was received.
    received: f64,
    /// Shares of a core.
    server_core: f64,
    clients_core: f64,
    resident_mib: f64,
    published: u64,
}

fn measure(load: Load, report: &mut Report) {
    let outcome = run(load);
    let Seen {
        p50_us,
        p99_us,
        p999_us,
        max_us,
        skipped,
        ..
    } = outcome.seen;
    report.line(format_args!(
        "| {} | {} | {} | {} | {:?} {:?} | {p50_us} | {p99_us} | {p999_us} | {max_us} | {:.1} % \
         | {skipped} | {:.0} | {:.0} | {:.1} |",
        load.subscribers / load.connections * load.connections,
        load.connections,
        load.stalled,
        load.rate,
        load.threads,
        load.wait,
        outcome.received * 100.0,
        outcome.server_core * 100.0,
        outcome.clients_core * 100.0,
        outcome.resident_mib,
    ));
    if load.stalled == 0 && load.threads == Threads::One {
        let name = format!("fan_out_1000_over_{}_p99_ms", load.connections);
        report.figure(&name, p99_us as f64 / 1_000.0);
    }
}

/// Longer than any load is served.
const LONG: Duration = Duration::from_secs(600);

/// Serves the load, with the subscribers in a process of their own.
fn run(load: Load) -> Outcome {
    let server = Server::builder()
        .max_connections(10_000)
        .max_connections_per_peer(10_000)
        .max_subscriptions_per_peer(10_000)
        .max_streams_per_connection(1_000)
        // Whoever does not read is to stay until it is asked what it missed.
        .write_stall_timeout(LONG)
        .ping(LONG, LONG)
        .bind("127.0.0.1:0")
        .unwrap();
    let (address, stats) = (server.local_addr().to_string(), server.stats());
    let mut flow = Flow::new();
    let books = flow
        .listen(Ticker { rate: load.rate })
        .via(queue::spsc(256));
    if let Some(neighbour) = load.neighbour {
        let others = flow.listen(neighbour).via(queue::spsc(256));
        let books = merge([books, others]);
        let views = flow.aggregate(books, Bbo::top(10)).via(queue::spsc(256));
        flow.serve(server, views);
    } else {
        let views = flow.aggregate(books, Bbo::top(10)).via(queue::spsc(256));
        flow.serve(server, views);
    }
    let running = flow
        .launch(RunOptions::from(load.threads).wait(load.wait))
        .unwrap();

    let streams = load.subscribers / load.connections;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--subscribe")
        .arg(&address)
        .args([load.connections, streams, load.stalled].map(|n| n.to_string()))
        .args([load.warm_up, load.seconds].map(|n| n.to_string()))
        .arg(u8::from(load.neighbour.is_some()).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A line when it begins to measure, one when it has, and one when those that stalled have caught up.
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = || -> Vec<u64> {
        let line = said
            .next()
            .unwrap_or_else(|| panic!("the subscribers failed"))
            .unwrap();
        line.split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect()
    };
    numbers();
    let (cpu, published) = (processor_time(), stats.published());
    let clients_cpu_us = numbers()[0];
    let server_core = (processor_time() - cpu) / load.seconds as f64;
    let (published, resident_mib) = (stats.published() - published, resident_mib());
    let seen = Seen::from(numbers());
    assert!(child.wait().unwrap().success(), "the subscribers failed");
    assert_eq!(seen.ended, 0, "subscriptions ended");
    running.stop();
    running.join().unwrap();
    let due = load.seconds as f64 * f64::from(load.rate) * load.subscribers as f64;
    Outcome {
        seen,
        received: seen.messages as f64 / due,
        server_core,
        clients_core: clients_cpu_us as f64 / 1e6 / load.seconds as f64,
        resident_mib,
        published,
    }
}

/// The second process.
fn subscribe(arguments: &[String]) {
    let number = |index: usize| arguments[index].parse::<u64>().unwrap();
    let plan = Plan {
        address: arguments[0].clone(),
        connections: number(1) as usize,
        streams: u32::try_from(number(2)).unwrap(),
        stalled: number(3) as usize,
        warm_up: Duration::from_secs(number(4)),
        measure: Duration::from_secs(number(5)),
        from_receipt: number(6) == 1,
    };
    let mut cpu = 0.0;
    let seen = clients::run(&plan, |_| {
        println!("{:.0}", (processor_time() - cpu) * 1e6);
        cpu = processor_time();
    });
    println!("{seen}");
}

/// What this process has used of the processor, in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The memory of this process that is resident, in MiB; 0 where the system does not say.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
