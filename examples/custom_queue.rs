//! A queue of your own, in safe code: a locked list with a bound. Run it as `--example custom_queue`.

use std::sync::{Arc, Mutex, Weak};

use dragonfly::{feeds, flow::Flow, queue::*, run::Threads};

struct Locked(usize);
struct Writer<T>(Weak<Mutex<Vec<T>>>, usize);
struct Reader<T>(Arc<Mutex<Vec<T>>>, Vec<T>);

impl<T: Send + 'static> Queue<T> for Locked {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;
    fn open(self) -> (Writer<T>, Reader<T>) {
        let items = Arc::default();
        let writer = Writer(Arc::downgrade(&items), self.0);
        (writer, Reader(items, Vec::new()))
    }
    fn label(&self) -> String {
        format!("locked({})", self.0)
    }
}

impl<T: Send> Producer for Writer<T> {
    type Item = T;
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let items = self.0.upgrade();
        match items.as_ref().and_then(|items| items.lock().ok()) {
            None => return Err(PushError::Closed(item)), // the reader is gone
            Some(items) if items.len() == self.1 => return Err(PushError::Full(item)),
            Some(mut items) => items.push(item),
        }
        Ok(())
    }
}

impl<T: Send> Consumer for Reader<T> {
    type Item = T;
    fn ready(&mut self) -> Result<&[T], Closed> {
        let is_last = Arc::get_mut(&mut self.0).is_some(); // every writer is gone
        self.1.append(&mut *self.0.lock().map_err(|_| Closed)?);
        let is_over = is_last && self.1.is_empty();
        (!is_over).then_some(&self.1[..]).ok_or(Closed)
    }
    fn release(&mut self, count: usize) {
        self.1.drain(..count);
    }
}

fn main() -> anyhow::Result<()> {
    let mut flow = Flow::new();
    let feed = feeds::Builder::new("kraken", "ETH-BTC")?.build()?;
    let mut books = flow.listen(feed).via(Locked(64)).into_consumer();
    let running = flow.launch(Threads::One)?;
    running.stop();
    running.join()?;
    println!("{:?}", books.ready()?);
    Ok(())
}
