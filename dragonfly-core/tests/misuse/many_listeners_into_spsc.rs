//! Several listeners into a queue with a single producer.

use dragonfly_core::{flow::Flow, market::BookEvent, queue, stage::Source};

fn wire(sources: Vec<impl Source<Event = BookEvent> + 'static>) {
    let mut flow = Flow::new();
    let _books = flow.listen(sources).via(queue::spsc(256));
}

fn main() {}
