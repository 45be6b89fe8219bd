//! What the measured queues have in common: two ends, and a kind that opens into them.

use dragonfly_core::{
    market::BookEvent,
    queue::{self, Consumer, Producer, Queue},
};

/// How many items each queue holds.
pub(crate) const ROOM: usize = 64;

/// All items that are there.
pub(crate) const ALL: usize = usize::MAX;

/// So many items are read before they are released, so that a writer which found the queue full can
/// go on while the rest is read.
const AT_ONCE: usize = ROOM / 8;

/// What goes through a queue. A reader looks at one field.
pub(crate) trait Item: Copy + Send + Sync + 'static {
    fn look(&self) -> u64;
}

impl Item for u64 {
    #[inline]
    fn look(&self) -> u64 {
        *self
    }
}

impl Item for BookEvent {
    #[inline]
    fn look(&self) -> u64 {
        self.seq
    }
}

/// A writing end.
pub(crate) trait Tx<T>: Send {
    /// Writes one item; false when there is no room.
    fn send(&mut self, item: T) -> bool;

    /// Writes `count` times the same item, with the fastest means the queue has. Only called when
    /// there is room.
    #[inline]
    fn send_burst(&mut self, item: T, count: usize)
    where
        T: Copy,
    {
        for _ in 0..count {
            std::hint::black_box(self.send(std::hint::black_box(item)));
        }
    }
}

/// A reading end.
pub(crate) trait Rx<T>: Send {
    /// Shows `look` at most `most` of the items that are there, and returns how many.
    fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize;
}

/// A queue that is measured.
pub(crate) trait Kind<T: Item> {
    const NAME: &'static str;

    fn open() -> (impl Tx<T> + 'static, impl Rx<T> + 'static);
}

/// Two readers that each see every item, read as one: an item counts when both have seen it.
pub(crate) struct Both<R> {
    one: R,
    two: R,
    /// How many items the first is ahead of the second.
    ahead: isize,
}

impl<R> Both<R> {
    pub(crate) fn new(one: R, two: R) -> Self {
        Self { one, two, ahead: 0 }
    }
}

impl<T, R: Rx<T>> Rx<T> for Both<R> {
    #[inline]
    #[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)] // Never more than a queue holds.
    fn take(&mut self, most: usize, mut look: impl FnMut(&T)) -> usize {
        let before = self.ahead.min(0);
        let one = self.one.take(most, &mut look) as isize;
        let two = self.two.take(most, &mut look) as isize;
        let by_both = two + (self.ahead + one - two).min(0) - before;
        self.ahead += one - two;
        by_both as usize
    }
}

impl<T, P: Producer<Item = T>> Tx<T> for Ours<P> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        self.0.push(item).is_ok()
    }
}

impl<T, C: Consumer<Item = T>> Rx<T> for Ours<C> {
    #[inline]
    fn take(&mut self, most: usize, mut look: impl FnMut(&T)) -> usize {
        let mut taken = 0;
        while let Ok(items) = self.0.ready()
            && !items.is_empty()
        {
            let count = items.len().min(most - taken).min(AT_ONCE);
            items[..count].iter().for_each(&mut look);
            self.0.release(count);
            taken += count;
            if taken == most {
                break;
            }
        }
        taken
    }
}

/// An end of a queue of Dragonfly's.
pub(crate) struct Ours<E>(E);

fn ours<T: Item>(queue: impl Queue<T>) -> (impl Tx<T> + 'static, impl Rx<T> + 'static) {
    let (writer, reader) = queue.open();
    (Ours(writer), Ours(reader))
}

/// The kinds of Dragonfly's with one reader.
macro_rules! one_reader {
    ($($kind:ident, $queue:expr;)*) => {$(
        pub(crate) struct $kind;

        impl<T: Item> Kind<T> for $kind {
            const NAME: &'static str = "dragonfly";

            fn open() -> (impl Tx<T> + 'static, impl Rx<T> + 'static) {
                ours::<T>($queue)
            }
        }
    )*};
}

one_reader! {
    Spsc, queue::spsc(ROOM);
    Mpsc, queue::mpsc(ROOM);
    Latest, queue::latest();
    Channel, queue::channel(ROOM);
}

/// The kinds of Dragonfly's with two readers.
macro_rules! two_readers {
    ($($kind:ident, $queue:expr;)*) => {$(
        pub(crate) struct $kind;

        impl<T: Item> Kind<T> for $kind {
            const NAME: &'static str = "dragonfly";

            fn open() -> (impl Tx<T> + 'static, impl Rx<T> + 'static) {
                let (writer, reader) = Queue::<T>::open($queue);
                let two = reader.clone();
                (Ours(writer), Both::new(Ours(reader), Ours(two)))
            }
        }
    )*};
}

two_readers! {
    Spmc, queue::spmc(ROOM);
    Mpmc, queue::mpmc(ROOM);
}
