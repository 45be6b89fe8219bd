//! The alternatives, each used the way its own documentation does it fastest.

use std::sync::{Arc, Mutex, PoisonError};

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, MultiProducer, MultiProducerBarrier,
    Producer as _, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
};

use crate::ends::{Both, Item, Kind, ROOM, Rx, Tx};

/// Tries to take one item after the other.
#[inline]
fn one_by_one<T>(
    most: usize,
    mut look: impl FnMut(&T),
    mut next: impl FnMut() -> Option<T>,
) -> usize {
    let mut taken = 0;
    while taken < most
        && let Some(item) = next()
    {
        look(&item);
        taken += 1;
    }
    taken
}

/// Implements a kind by a function that opens it.
macro_rules! kind {
    ($(#[$doc:meta])* $kind:ident, $name:literal, $item:ident, $open:expr) => {
        $(#[$doc])*
        pub(crate) struct $kind;

        impl<$item: Item> Kind<$item> for $kind {
            const NAME: &'static str = $name;

            fn open() -> (impl Tx<$item> + 'static, impl Rx<$item> + 'static) {
                $open
            }
        }
    };
}

kind!(
    /// `push` and `pop`.
    Rtrb, "rtrb", T, rtrb::RingBuffer::<T>::new(ROOM)
);

impl<T: Item> Tx<T> for rtrb::Producer<T> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        self.push(item).is_ok()
    }
}

impl<T: Item> Rx<T> for rtrb::Consumer<T> {
    #[inline]
    fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize {
        one_by_one(most, look, || self.pop().ok())
    }
}

kind!(
    /// Written and read by chunks, which are read in place.
    RtrbChunks, "rtrb_chunks", T, {
        let (writer, reader) = rtrb::RingBuffer::<T>::new(ROOM);
        (Chunks(writer), Chunks(reader))
    }
);

struct Chunks<E>(E);

impl<T: Item> Tx<T> for Chunks<rtrb::Producer<T>> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        self.0.push(item).is_ok()
    }

    #[inline]
    fn send_burst(&mut self, item: T, count: usize) {
        if let Ok(chunk) = self.0.write_chunk_uninit(count) {
            chunk.fill_from_iter(std::iter::repeat_with(|| std::hint::black_box(item)));
        }
    }
}

impl<T: Item> Rx<T> for Chunks<rtrb::Consumer<T>> {
    #[inline]
    fn take(&mut self, most: usize, mut look: impl FnMut(&T)) -> usize {
        let count = self.0.slots().min(most);
        let Ok(chunk) = self.0.read_chunk(count) else {
            return 0;
        };
        let (before_wrap, after_wrap) = chunk.as_slices();
        before_wrap.iter().for_each(&mut look);
        after_wrap.iter().for_each(look);
        chunk.commit_all();
        count
    }
}

kind!(
    Crossbeam,
    "crossbeam_channel",
    T,
    crossbeam_channel::bounded::<T>(ROOM)
);

impl<T: Item> Tx<T> for crossbeam_channel::Sender<T> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        self.try_send(item).is_ok()
    }
}

impl<T: Item> Rx<T> for crossbeam_channel::Receiver<T> {
    #[inline]
    fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize {
        one_by_one(most, look, || self.try_recv().ok())
    }
}

kind!(
    TokioMpsc,
    "tokio_mpsc",
    T,
    tokio::sync::mpsc::channel::<T>(ROOM)
);

impl<T: Item> Tx<T> for tokio::sync::mpsc::Sender<T> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        self.try_send(item).is_ok()
    }
}

impl<T: Item> Rx<T> for tokio::sync::mpsc::Receiver<T> {
    #[inline]
    fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize {
        one_by_one(most, look, || self.try_recv().ok())
    }
}

kind!(
    /// It never refuses: the caller sees to it that it does not lose items.
    TokioBroadcast, "tokio_broadcast", T, {
        let (writer, one) = tokio::sync::broadcast::channel::<T>(ROOM);
        let two = writer.subscribe();
        (writer, Both::new(one, two))
    }
);

impl<T: Item> Tx<T> for tokio::sync::broadcast::Sender<T> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        Self::send(self, item).is_ok()
    }
}

impl<T: Item> Rx<T> for tokio::sync::broadcast::Receiver<T> {
    #[inline]
    fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize {
        one_by_one(most, look, || self.try_recv().ok())
    }
}

kind!(
    /// Read in place, behind its lock.
    TokioWatch, "tokio_watch", T, {
        let (writer, reader) = tokio::sync::watch::channel(None::<T>);
        (writer, reader)
    }
);

impl<T: Item> Tx<T> for tokio::sync::watch::Sender<Option<T>> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        Self::send(self, Some(item)).is_ok()
    }
}

impl<T: Item> Rx<T> for tokio::sync::watch::Receiver<Option<T>> {
    #[inline]
    fn take(&mut self, _most: usize, look: impl FnMut(&T)) -> usize {
        if !self.has_changed().unwrap_or(false) {
            return 0;
        }
        self.borrow_and_update().iter().map(look).count()
    }
}

kind!(
    /// A value behind a lock, taken out: what one writes without a library.
    MutexCell, "std_mutex", T, {
        let cell = Arc::new(Mutex::new(None::<T>));
        (Arc::clone(&cell), cell)
    }
);

impl<T: Item> Tx<T> for Arc<Mutex<Option<T>>> {
    #[inline]
    fn send(&mut self, item: T) -> bool {
        *self.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        true
    }
}

impl<T: Item> Rx<T> for Arc<Mutex<Option<T>>> {
    #[inline]
    fn take(&mut self, _most: usize, look: impl FnMut(&T)) -> usize {
        let item = self.lock().unwrap_or_else(PoisonError::into_inner).take();
        item.iter().map(look).count()
    }
}

/// What a disruptor holds before the first item.
type Slot<T> = Option<T>;

kind!(DisruptorSpmc, "disruptor", T, {
    let builder = disruptor::build_single_producer(ROOM, || Slot::<T>::None, BusySpin);
    let (one, builder) = builder.new_event_poller();
    let (two, builder) = builder.new_event_poller();
    (builder.build(), Both::new(one, two))
});

kind!(DisruptorSpsc, "disruptor", T, {
    let builder = disruptor::build_single_producer(ROOM, || Slot::<T>::None, BusySpin);
    let (reader, builder) = builder.new_event_poller();
    (builder.build(), reader)
});

kind!(DisruptorMpsc, "disruptor", T, {
    let builder = disruptor::build_multi_producer(ROOM, || Slot::<T>::None, BusySpin);
    let (reader, builder) = builder.new_event_poller();
    (builder.build(), reader)
});

kind!(DisruptorMpmc, "disruptor", T, {
    let builder = disruptor::build_multi_producer(ROOM, || Slot::<T>::None, BusySpin);
    let (one, builder) = builder.new_event_poller();
    let (two, builder) = builder.new_event_poller();
    (builder.build(), Both::new(one, two))
});

/// Written in place, a burst as one claim; read in place.
macro_rules! disruptor_ends {
    ($($writer:ident, $barrier:ident;)*) => {$(
        impl<T: Item> Tx<T> for $writer<Slot<T>, $barrier> {
            #[inline]
            fn send(&mut self, item: T) -> bool {
                self.try_publish(|slot| *slot = Some(item)).is_ok()
            }

            #[inline]
            fn send_burst(&mut self, item: T, count: usize) {
                self.batch_publish(count, |slots| {
                    for slot in slots {
                        *slot = Some(std::hint::black_box(item));
                    }
                });
            }
        }
    )*};
}

disruptor_ends! {
    SingleProducer, SingleConsumerBarrier;
    SingleProducer, MultiConsumerBarrier;
    MultiProducer, SingleConsumerBarrier;
    MultiProducer, MultiConsumerBarrier;
}

macro_rules! disruptor_readers {
    ($($barrier:ident)*) => {$(
        impl<T: Item> Rx<T> for EventPoller<Slot<T>, $barrier> {
            #[inline]
            fn take(&mut self, most: usize, look: impl FnMut(&T)) -> usize {
                let Ok(mut items) = EventPoller::take(self, most as u64) else {
                    return 0;
                };
                (&mut items).flatten().map(look).count()
            }
        }
    )*};
}

disruptor_readers! { SingleProducerBarrier MultiProducerBarrier }
