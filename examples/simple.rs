//! Listeners -> MPSC -> best bid and offer -> broadcast -> gRPC.
//!
//! ```text
//! cargo run --release --example simple                   # Binance, Bitstamp, Kraken
//! cargo run --release --example simple -- kraken bybit   # other venues
//! cargo run --release --example simple -- demo           # a recorded one: no network, ends itself
//! ```
//!
//! Watch it with `cargo run --release --bin dragonflybot-grpc-client`; Ctrl-C ends it.

use dragonfly::{aggregators::Bbo, feeds, flow::Flow, grpc, queue, run::Threads, sim};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let venues: Vec<&str> = args.iter().map(String::as_str).collect();
    let feeds = match venues[..] {
        ["demo"] => return demo(),
        [] => feeds::open(["binance", "bitstamp", "kraken"], "ETH-BTC")?,
        _ => feeds::open(venues, "ETH-BTC")?,
    };

    let mut flow = Flow::new();
    let books = flow.listen(feeds).via(queue::mpsc(256));
    let bbo = flow.aggregate(books, Bbo::top(10)).via(queue::spmc(256));
    flow.serve(grpc::Server::bind("127.0.0.1:50051")?, bbo);
    Ok(flow.launch(Threads::Auto)?.join()?)
}

/// The same over a venue on this machine, which plays what was recorded of the real one.
fn demo() -> anyhow::Result<()> {
    let recorded = sim::Recorded::new("bybit", sim::Recording::demo_bybit()?);
    let recorded = recorded.pace(sim::Pace::Speed(20.0));
    let venue = sim::Sim::builder().venue(recorded).start()?;
    let feed = feeds::Builder::new("bybit", "BTC-USDT")?
        .channel_depth(200)
        .endpoint(venue.endpoint("bybit").unwrap_or_default())
        .tls_ca_pem(venue.ca_pem())
        .build()?;

    let mut flow = Flow::new();
    let books = flow.listen(feed).via(queue::spsc(256)); // one listener: any queue will do
    let bbo = flow.aggregate(books, Bbo::top(10)).via(queue::spmc(256));
    flow.serve(grpc::Server::bind("127.0.0.1:50051")?, bbo);
    let running = flow.launch(Threads::Auto)?;
    std::thread::park_timeout(std::time::Duration::from_secs(3));
    running.stop();
    for queue in running.queues() {
        println!("{queue:?}");
    }
    Ok(running.join()?)
}
