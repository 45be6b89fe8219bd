//! The streams of one kind of view and who reads them.
//!
//! A view is encoded at most once for each form in use, at the moment a subscriber first needs it.

mod stream;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use bytes::Bytes;
use dragonfly_core::{
    clock::{Clock, UtcNanos},
    market::{Instrument, Symbol},
};
use tonic::Status;

use self::stream::Stream;
use super::{
    health::Census,
    stats::Stats,
    subscriber::{Ask, Subscriber},
    view::View,
};
use crate::encode::{Encoder, StreamList};

/// What a subscriber finds when it asks for the next frame.
#[derive(Debug)]
pub(super) enum Taken {
    Frame(Bytes),
    /// Nothing yet; the waker is called when there is.
    Nothing,
    /// The server is closing and everything was delivered.
    End,
}

/// All streams of one kind and their subscribers.
///
/// One lock guards it. Under the server's own host everything that takes the lock runs on one thread,
/// so it is never waited for; inside a runtime of several threads it is held for a moment at a time.
#[derive(Debug)]
pub(super) struct Streams<V> {
    streams: Vec<Stream<V>>,
    /// A subscriber keeps its place; the places of those who left are used again.
    subscribers: Vec<Option<Subscriber>>,
    encoder: Encoder,
    clock: Clock,
    closed: bool,
    /// Whether nobody knows if the flow goes on: nothing is shown as live.
    in_doubt: bool,
    outbound_bytes: usize,
    stats: Stats,
}

impl<V: View> Streams<V> {
    pub(super) fn new(outbound_bytes: usize, stats: Stats) -> Self {
        Self {
            streams: Vec::new(),
            subscribers: Vec::new(),
            encoder: Encoder::default(),
            clock: Clock::monotonic(),
            closed: false,
            in_doubt: false,
            outbound_bytes,
            stats,
        }
    }

    /// Hands out new views, oldest first.
    pub(super) fn publish(&mut self, views: &[V]) {
        let ts_emit = self.clock.utc();
        self.stats.published.add(views.len() as u64);
        for view in views {
            if let Some(index) = self.stream_of(view, ts_emit) {
                self.deliver(index);
            }
        }
    }

    /// Shows every stream as ended.
    pub(super) fn withdraw(&mut self) {
        let ts_emit = self.clock.utc();
        let mut index = 0;
        while let Some(stream) = self.streams.get_mut(index) {
            stream.forget_hidden();
            if !stream.withdrawn {
                stream.interject(stream.view.withdrawn(), ts_emit);
                stream.withdrawn = true;
                self.deliver(index);
            }
            index = index.saturating_add(1);
        }
    }

    pub(super) const fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Shows nothing as live until there is no doubt any more; what is published meanwhile is kept.
    pub(super) fn doubt(&mut self) {
        if std::mem::replace(&mut self.in_doubt, true) {
            return;
        }
        let ts_emit = self.clock.utc();
        let mut index = 0;
        while let Some(stream) = self.streams.get_mut(index) {
            if !stream.withdrawn {
                stream.hide();
                stream.interject(stream.view.doubted(), ts_emit);
                self.deliver(index);
            }
            index = index.saturating_add(1);
        }
    }

    /// Shows the newest of every stream again.
    pub(super) fn trust(&mut self) {
        self.in_doubt = false;
        let ts_emit = self.clock.utc();
        let mut index = 0;
        while let Some(stream) = self.streams.get_mut(index) {
            if stream.reveal(ts_emit) {
                self.deliver(index);
            }
            index = index.saturating_add(1);
        }
    }

    /// Ends every subscription once what waits for it has been taken, and takes no new ones.
    pub(super) fn close(&mut self) {
        self.closed = true;
        for subscriber in self.subscribers.iter_mut().flatten() {
            subscriber.wake();
        }
    }

    /// The legs of the stream that is ready, or is closest to it.
    pub(super) fn census(&self, quorum: Option<usize>) -> Census {
        let of = |stream: &Stream<V>| Census {
            live: stream.view.legs().live(),
            legs: stream.view.legs().len(),
        };
        let best = |best: Census, census| best.better(census, quorum);
        self.streams.iter().map(of).reduce(best).unwrap_or_default()
    }

    /// Adds the streams to a list of them.
    pub(super) fn describe(&self, list: &mut StreamList<'_>) {
        for Stream { view, .. } in &self.streams {
            list.add(view.symbol(), V::KIND, view.seq(), view.legs());
        }
    }

    /// Stores the view with its stream and returns the stream's place if it is to be shown.
    fn stream_of(&mut self, view: &V, ts_emit: UtcNanos) -> Option<usize> {
        let symbol = view.symbol();
        if let Some(index) = self.find(&symbol)
            && let Some(stream) = self.streams.get_mut(index)
        {
            if self.in_doubt {
                stream.keep(view.clone());
                return None;
            }
            stream.show(view, ts_emit);
            return Some(index);
        }
        let index = self.streams.len();
        let mut stream = Stream::new(view.clone(), ts_emit);
        if self.in_doubt {
            stream.begin_in_doubt();
        }
        self.streams.push(stream);
        for waiting in self.subscribers.iter_mut().flatten() {
            let wanted = waiting.ask.symbol;
            if waiting.stream.is_none() && (wanted.is_empty() || wanted == symbol) {
                waiting.stream = Some(index);
            }
        }
        Some(index)
    }

    fn find(&self, symbol: &Symbol) -> Option<usize> {
        self.streams.iter().position(|s| s.view.symbol() == *symbol)
    }

    /// Hands the newest view of a stream to its subscribers.
    fn deliver(&mut self, index: usize) {
        let Some(stream) = self.streams.get_mut(index) else {
            return;
        };
        let live = stream.view.legs().live();
        let readers = self.subscribers.iter_mut().flatten();
        for subscriber in readers.filter(|s| s.stream == Some(index)) {
            if !subscriber.queues_updates() {
                subscriber.note_update();
            } else if subscriber.wants_image_of(live) {
                let frame = stream.frame(subscriber.ask.form, &mut self.encoder, &self.stats);
                subscriber.push(frame, self.outbound_bytes);
            }
            subscriber.wake_for_update();
        }
    }

    /// Adds a subscriber, whose first message waits for it already, and returns its place.
    pub(super) fn subscribe(&mut self, mut ask: Ask) -> Result<usize, Status> {
        if self.closed {
            return Err(Status::unavailable("the server is stopping"));
        }
        ask.symbol = self.resolve(ask.symbol)?;
        let mut subscriber = Subscriber::new(ask, self.stats.clone());
        subscriber.stream = if subscriber.ask.symbol.is_empty() {
            (!self.streams.is_empty()).then_some(0)
        } else {
            self.find(&subscriber.ask.symbol)
        };
        let form = subscriber.ask.form;
        let stream = subscriber.stream;
        match stream.and_then(|index| self.streams.get_mut(index)) {
            None => {
                let view = V::empty(subscriber.ask.symbol);
                let frame = self.encoder.frame(&view, form, self.clock.utc());
                subscriber.wants_image_of(0);
                subscriber.push(frame, self.outbound_bytes);
            }
            Some(stream) if subscriber.queues_updates() => {
                subscriber.wants_image_of(stream.view.legs().live());
                let frame = stream.frame(form, &mut self.encoder, &self.stats);
                subscriber.push(frame, self.outbound_bytes);
            }
            Some(_) => subscriber.note_update(),
        }
        Ok(self.place(subscriber))
    }

    fn place(&mut self, subscriber: Subscriber) -> usize {
        let free = self.subscribers.iter().position(Option::is_none);
        if let Some(free) = free
            && let Some(place) = self.subscribers.get_mut(free)
        {
            *place = Some(subscriber);
            return free;
        }
        let place = self.subscribers.len();
        self.subscribers.push(Some(subscriber));
        place
    }

    /// The symbol as the streams spell it. Before the first stream any symbol may still appear.
    fn resolve(&self, symbol: Symbol) -> Result<Symbol, Status> {
        if symbol.is_empty() || self.find(&symbol).is_some() {
            return Ok(symbol);
        }
        let unified = symbol.parse().map(|i: Instrument| i.symbol());
        match unified {
            Ok(unified) if self.streams.is_empty() || self.find(&unified).is_some() => Ok(unified),
            _ if self.streams.is_empty() => Ok(symbol),
            _ => Err(Status::not_found(format!(
                "no stream of {:?}; this server has: {}",
                symbol.as_str(),
                self.symbols()
            ))),
        }
    }

    fn symbols(&self) -> String {
        let symbols: Vec<String> = self
            .streams
            .iter()
            .map(|s| s.view.symbol().to_string())
            .collect();
        symbols.join(", ")
    }

    /// The next frame for the subscriber at `place`.
    pub(super) fn take(&mut self, place: usize, waker: &Waker) -> Taken {
        let Some(Some(subscriber)) = self.subscribers.get_mut(place) else {
            return Taken::End;
        };
        subscriber.unblock();
        if let Some(frame) = subscriber.pop() {
            return Taken::Frame(frame);
        }
        let stream = subscriber.stream.and_then(|s| self.streams.get_mut(s));
        if let Some(stream) = stream
            && let Some(skipped) = subscriber.take_pending(stream.view.legs().live())
        {
            let frame = stream.frame(subscriber.ask.form, &mut self.encoder, &self.stats);
            return Taken::Frame(subscriber.stamped(frame, skipped));
        }
        if self.closed {
            return Taken::End;
        }
        subscriber.park(waker);
        Taken::Nothing
    }

    /// Leaves the subscriber at `place` alone until its rate allows another message; false when the
    /// streams are closing, which no rate delays.
    pub(super) fn rest(&mut self, place: usize, waker: &Waker) -> bool {
        if self.closed {
            return false;
        }
        if let Some(Some(subscriber)) = self.subscribers.get_mut(place) {
            subscriber.rest(waker);
        }
        true
    }

    /// Forgets the subscriber at `place`.
    pub(super) fn leave(&mut self, place: usize) {
        if let Some(seat) = self.subscribers.get_mut(place) {
            *seat = None;
        }
    }

    /// Called at a steady pace: cuts clients that took nothing for `sweeps` calls.
    pub(super) fn sweep(&mut self, sweeps: u32) {
        for subscriber in self.subscribers.iter_mut().flatten() {
            subscriber.sweep(sweeps);
        }
    }
}

/// Locks. A panic elsewhere leaves whole images behind, so a poisoned lock is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dragonfly_core::market::{BookEvent, BookState, ConsolidatedBook};
    use proptest::prelude::*;
    use prost::Message as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::{
        encode::{Form, Schema},
        policy::Policy,
        proto::v1,
    };

    /// Takes what waits; the number and the count of what was skipped of each.
    fn take(streams: &mut Streams<ConsolidatedBook>, place: usize, most: usize) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Taken::Frame(frame) = streams.take(place, Waker::noop())
        {
            let book = v1::Book::decode(&frame[5..]).unwrap();
            taken.push((book.seq, book.skipped));
        }
        taken
    }

    proptest! {
        /// However a subscriber takes, what it gets and what it is told it missed make up everything,
        /// and no more waits for it than may.
        #[test]
        fn what_is_skipped_is_told_exactly(
            turns in prop::collection::vec((1..40_u64, 0..30_usize), 1..30),
            limit in 100..2_000_usize,
            conflates: bool,
        ) {
            let stats = Stats::default();
            let mut streams = Streams::new(limit, stats.clone());
            let view = |seq| ConsolidatedBook { seq, ..ConsolidatedBook::default() };
            streams.publish(&[view(1)]);
            let policy = if conflates { Policy::Conflate } else { Policy::EveryUpdate };
            let place = streams.subscribe(Ask { policy, ..every_update() }).unwrap();
            let (mut published, mut last, mut told) = (1, 0, 0);
            let whole = [(0, usize::MAX)];
            for (views, takes) in turns.into_iter().chain(whole) {
                for _ in 0..views {
                    published += 1;
                    streams.publish(&[view(published)]);
                    prop_assert!(stats.queued_bytes() <= limit as u64);
                }
                for (seq, skipped) in take(&mut streams, place, takes) {
                    prop_assert_eq!(seq, last + 1 + skipped);
                    (last, told) = (seq, told + skipped);
                }
            }
            prop_assert_eq!(last, published);
            prop_assert_eq!(stats.skipped(), told);
            prop_assert_eq!(stats.queued_bytes(), 0);
        }

        /// Whatever ends, is in doubt or goes on: numbers follow each other, and nothing is live that
        /// is not known to be.
        #[test]
        fn numbers_follow_each_other_and_doubt_shows_nothing_live(
            acts in prop::collection::vec(0..5_u8, 1..60),
        ) {
            let mut streams = Streams::new(usize::MAX, Stats::default());
            let place = streams.subscribe(every_update()).unwrap();
            let (mut published, mut last, mut is_live) = (0, 0, false);
            for act in acts.into_iter().chain([3, 0]) {
                match act {
                    1 => streams.withdraw(),
                    2 => streams.doubt(),
                    3 => streams.trust(),
                    _ => {
                        published += 1;
                        streams.publish(&[live(published)]);
                    }
                }
                while let Taken::Frame(frame) = streams.take(place, Waker::noop()) {
                    let book = v1::Book::decode(&frame[5..]).unwrap();
                    prop_assert!(book.seq == last + 1 || (last, book.seq) == (0, 0));
                    (last, is_live) = (book.seq, book.live_legs > 0);
                }
                prop_assert!(!(streams.in_doubt && is_live));
                prop_assert!(is_live || !matches!(act, 0 | 4) || streams.in_doubt);
            }
            prop_assert!(is_live);
        }
    }

    fn every_update() -> Ask {
        Ask {
            symbol: Symbol::EMPTY,
            form: Form {
                schema: Schema::V1,
                depth: 1,
            },
            policy: Policy::EveryUpdate,
            cut: Arc::new(Notify::new()),
        }
    }

    fn live(seq: u64) -> ConsolidatedBook {
        let mut view = ConsolidatedBook {
            seq,
            ..ConsolidatedBook::default()
        };
        view.legs.note(&BookEvent {
            state: BookState::Live,
            ..BookEvent::default()
        });
        view
    }
}
