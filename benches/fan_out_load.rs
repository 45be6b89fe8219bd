//! How long a view takes from the server's `publish` to each of a thousand real gRPC subscribers.
//!
//! The server is this process: a source that ticks, an aggregator and the gRPC server, wired as the
//! bundled program wires them. The subscribers are a second process of one thread that understands
//! frames and stamps only, so that most of what is measured is the server's. Both share the machine.
//!
//! ```sh
//! cargo bench -p dragonfly-benches --bench fan_out_load
//! cargo bench -p dragonfly-benches --bench fan_out_load -- --subscribers 1000 --connections 1000 --rate 100 --stalled 50
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

#[path = "fan_out_load/clients.rs"]
mod clients;
#[path = "fan_out_load/ticker.rs"]
mod ticker;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use dragonfly_aggregators::Bbo;
use dragonfly_core::{
    flow::Flow,
    queue,
    run::{RunOptions, Threads, Wait},
};
use dragonfly_grpc::Server;
use rustix::time::{ClockId, clock_gettime};

use clients::{Plan, Seen};
use ticker::Ticker;

/// One load.
#[derive(Clone, Copy, Debug)]
struct Load {
    subscribers: usize,
    connections: usize,
    stalled: usize,
    rate: u32,
    seconds: u64,
    threads: Threads,
    wait: Wait,
}

const USUAL: Load = Load {
    subscribers: 1_000,
    connections: 1_000,
    stalled: 0,
    rate: 100,
    seconds: 5,
    threads: Threads::One,
    wait: Wait::Auto,
};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let first = arguments.next();
    if first.as_deref() == Some("--subscribe") {
        return subscribe(&arguments.collect::<Vec<_>>());
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
    println!(
        "| subscribers | connections | stalled | updates/s | threads | p50 us | p99 us | p99.9 us \
         | max us | received | skipped | server core % | clients core % | server MiB |"
    );
    println!("|{}", "---:|".repeat(14));
    for load in loads {
        measure(load);
    }
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

fn measure(load: Load) {
    let server = Server::builder()
        .max_connections(10_000)
        .max_connections_per_peer(10_000)
        .max_streams_per_connection(1_000)
        .bind("127.0.0.1:0")
        .unwrap();
    let (address, stats) = (server.local_addr().to_string(), server.stats());
    let mut flow = Flow::new();
    let books = flow
        .listen(Ticker { rate: load.rate })
        .via(queue::spsc(256));
    let views = flow.aggregate(books, Bbo::top(10)).via(queue::spsc(256));
    flow.serve(server, views);
    let running = flow
        .launch(RunOptions::from(load.threads).wait(load.wait))
        .unwrap();

    let cpu = processor_time();
    let streams = load.subscribers / load.connections;
    let child = Command::new(std::env::current_exe().unwrap())
        .arg("--subscribe")
        .arg(&address)
        .args([load.connections, streams, load.stalled].map(|n| n.to_string()))
        .arg(load.seconds.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the subscribers failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Vec<f64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    let [messages, skipped, ended, p50, p99, p999, max, client_cpu] = said[..] else {
        panic!("{text}");
    };
    assert_eq!(ended, 0.0, "subscriptions ended");
    let wall = (load.seconds + WARM_UP.as_secs()) as f64;
    let server_cpu = (processor_time() - cpu) / wall * 100.0;
    let received =
        messages / (load.seconds as f64 * f64::from(load.rate) * load.subscribers as f64);
    println!(
        "| {} | {} | {} | {} | {:?} {:?} | {p50} | {p99} | {p999} | {max} | {:.1} % | {skipped} \
         | {server_cpu:.0} | {:.0} | {:.1} |",
        streams * load.connections,
        load.connections,
        load.stalled,
        load.rate,
        load.threads,
        load.wait,
        received * 100.0,
        client_cpu / wall * 100.0,
        resident_mib(),
    );
    assert!(stats.published() > 0);
    running.stop();
    running.join().unwrap();
}

const WARM_UP: Duration = Duration::from_secs(1);

/// The second process.
fn subscribe(arguments: &[String]) {
    let number = |index: usize| arguments[index].parse::<u64>().unwrap();
    let plan = Plan {
        address: arguments[0].clone(),
        connections: number(1) as usize,
        streams: u32::try_from(number(2)).unwrap(),
        stalled: number(3) as usize,
        warm_up: WARM_UP,
        measure: Duration::from_secs(number(4)),
    };
    let Seen {
        messages,
        skipped,
        ended,
        p50_us,
        p99_us,
        p999_us,
        max_us,
    } = clients::run(&plan);
    let cpu = processor_time();
    println!("{messages} {skipped} {ended} {p50_us} {p99_us} {p999_us} {max_us} {cpu}");
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
