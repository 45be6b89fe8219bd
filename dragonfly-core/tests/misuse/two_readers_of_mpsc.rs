//! A second reader of an MPSC wire.

use dragonfly_core::{flow::Flow, market::BookEvent, queue, stage::{Aggregator, Source}};

fn wire(
    sources: Vec<impl Source<Event = BookEvent> + 'static>,
    first: impl Aggregator<Input = BookEvent> + 'static,
    second: impl Aggregator<Input = BookEvent> + 'static,
) {
    let mut flow = Flow::new();
    let books = flow.listen(sources).via(queue::mpsc(256));
    let _a = flow.aggregate(books.clone(), first);
    let _b = flow.aggregate(books, second);
}

fn main() {}
