//! The same listeners feed two aggregators, and what comes of them has several readers:
//! listeners -> MPMC -> { best bid and offer, aggregated liquidity } -> gRPC and a loop of our own.
//!
//! ```text
//! cargo run --release --example complex               # ten seconds
//! cargo run --release --example complex -- 60 kraken  # a minute of Kraken
//! ```

use std::{env, thread, time::Duration};

use anyhow::Context as _;
use dragonfly::{
    aggregators::{Bbo, Liquidity},
    feeds,
    flow::Flow,
    grpc,
    queue::{self, Consumer as _},
    run::Threads,
};

fn main() -> anyhow::Result<()> {
    let seconds = env::args().nth(1).map_or(Ok(10), |text| text.parse());
    let seconds = Duration::from_secs(seconds.context("first say for how many seconds")?);
    let venues: Vec<String> = env::args().skip(2).collect();
    let venues: Vec<&str> = match &venues[..] {
        [] => vec!["binance", "bitstamp", "kraken"],
        named => named.iter().map(String::as_str).collect(),
    };

    let mut flow = Flow::new();
    let books = flow
        .listen(feeds::open(venues, "ETH-BTC")?)
        .via(queue::mpmc(256)); // was mpsc: two aggregators read it now
    let bbo = flow
        .aggregate(books.clone(), Bbo::top(10))
        .via(queue::spmc(256));
    let liquidity = flow
        .aggregate(books, Liquidity::levels(20))
        .via(queue::spmc(256));
    let mut bot = bbo.clone().into_consumer();
    flow.serve(grpc::Server::bind("127.0.0.1:50051")?, (bbo, liquidity));
    println!("{}", flow.mermaid());

    let running = flow.launch(Threads::Auto)?;
    let (stopper, wait) = (running.stopper(), move || thread::park_timeout(seconds));
    thread::spawn(move || (wait(), stopper.stop()));
    while let Ok(views) = bot.ready() {
        for view in views {
            let (live, all) = (view.legs.live(), view.legs.len());
            let (bid, ask) = (view.bids.first(), view.asks.first());
            println!("{live} of {all} venues: bid {bid:?}, ask {ask:?}");
        }
        let count = views.len();
        bot.release(count);
        thread::park_timeout(Duration::from_millis(1)); // a bot in a hurry would spin
    }
    Ok(running.join()?)
}
