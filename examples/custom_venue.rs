//! A venue outside the tree, which sends `SYMBOL BID QUANTITY ASK QUANTITY`. It says how to ask and
//! how to read; holding it to its rules is the framework's part. Run it as `--example custom_venue`.

use dragonfly::{clients, feed::*, flow::Flow, market::*, queue, run::Threads};
use queue::Consumer as _;

struct Lines;

impl Subscriber for Lines {
    fn subscribe(&mut self, _: Ask, send: &mut dyn FnMut(&[u8])) {
        send(b"subscribe BTC-USD");
    }
    fn acknowledge(&mut self, _: &[u8]) -> Ack {
        Ack::Waiting
    }
}

impl Decoder for Lines {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let broken = || FeedError::malformed("no such number", message, 0);
        let words: Vec<&[u8]> = message.split(|byte| *byte == b' ').collect();
        let [_, bid, bid_qty, ask, ask_qty] = words[..] else {
            return Ok(Decoded::OTHER);
        };
        let level = |price, qty| Some(Level::new(Price::parse(price).ok()?, Qty::parse(qty).ok()?));
        update.bids.push(level(bid, bid_qty).ok_or_else(broken)?);
        update.asks.push(level(ask, ask_qty).ok_or_else(broken)?);
        apply(update);
        Ok(Decoded::Book)
    }
}

fn main() -> anyhow::Result<()> {
    let (venue, symbol) = ("lines".parse()?, "BTC-USD".parse()?);
    let books = BookListener::new(venue, Lines, BookRules::default(), 10, [(symbol, symbol)]);
    let feed = Feed::new("lines", Lines, books, FeedPolicy::default());
    // With a network it is `clients::Drive::new(ws::Client::builder(url).build()?, feed, backoff)`.
    let link = ["welcome", "BTC-USD 60000.5 0.25 60001 1"].map(clients::capture::Record::received);
    let source = clients::ReplaySource::new(link.into_iter(), feed);

    let mut flow = Flow::new();
    let mut events = flow.listen(source).via(queue::spsc(64)).into_consumer();
    flow.launch(Threads::One)?.join()?;
    for event in events.ready()? {
        println!("{}, {}: {:?}", event.state, event.cause, event.depth);
    }
    Ok(())
}
