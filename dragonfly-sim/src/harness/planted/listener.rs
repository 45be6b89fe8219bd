//! Bugs in what a feed makes of its books.

use std::collections::HashMap;

use dragonfly_core::{
    clock::{Nanos, Now},
    feed::{FeedError, Heard, Link, Listener},
    market::{BookEvent, BookState, Symbol},
};

use super::{super::source::Ears, Plant};

/// A listener whose events are not what they were.
pub(super) struct Spoiled {
    plant: Plant,
    listener: Ears,
    /// What each book was last.
    last: HashMap<Symbol, BookEvent>,
    /// The wall clock when the run began.
    began: Option<u64>,
}

impl Spoiled {
    pub(super) fn new(plant: Plant, listener: Ears) -> Self {
        Self {
            plant,
            listener,
            last: HashMap::new(),
            began: None,
        }
    }

    fn time(&mut self, now: Now) -> Now {
        if self.plant != Plant::WallClock {
            return now;
        }
        let began = *self.began.get_or_insert(now.utc.0 - now.mono.0);
        Now {
            mono: Nanos(now.utc.0.saturating_sub(began)),
            ..now
        }
    }

    const fn hear(&self, heard: Heard) -> Heard {
        match (self.plant, heard) {
            (Plant::NoRenewal, Heard::Renew(_)) | (Plant::NoReconnect, Heard::Reconnect(_)) => {
                Heard::Data
            }
            _ => heard,
        }
    }
}

/// Lets an event pass, changed or not, or keeps it back.
fn pass(
    plant: Plant,
    last: &mut HashMap<Symbol, BookEvent>,
    mut event: BookEvent,
    emit: &mut dyn FnMut(BookEvent),
) {
    let kept = match plant {
        Plant::KeptOnGap => Some(BookState::Gap),
        Plant::KeptOnStale => Some(BookState::Stale),
        Plant::KeptOnDown => Some(BookState::Down),
        Plant::KeptOnCrossed => Some(BookState::Crossed),
        _ => None,
    };
    let before = last.insert(event.native_symbol, event);
    if kept == Some(event.state) {
        return;
    }
    match (plant, before) {
        (Plant::LateByOne, Some(before)) if before.state == event.state => {
            event.depth = before.depth;
        }
        (Plant::NoEpoch, _) => event.epoch = event.epoch.min(1),
        _ => {}
    }
    emit(event);
}

impl Listener for Spoiled {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        let now = self.time(now);
        let Self {
            plant,
            listener,
            last,
            ..
        } = self;
        let heard = listener.on_message(message, now, &mut |event| pass(*plant, last, event, emit));
        heard.map(|heard| self.hear(heard))
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let now = self.time(now);
        let Self {
            plant,
            listener,
            last,
            ..
        } = self;
        listener.on_link(link, now, &mut |event| pass(*plant, last, event, emit));
    }

    fn on_alive(&mut self, now: Now) {
        let now = self.time(now);
        self.listener.on_alive(now);
    }

    fn wants(&self, native_symbol: Symbol) -> bool {
        self.listener.wants(native_symbol)
    }

    fn deadline(&self) -> Option<Nanos> {
        self.listener.deadline()
    }

    fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(BookEvent)) -> Option<Heard> {
        let now = self.time(now);
        let Self {
            plant,
            listener,
            last,
            ..
        } = self;
        let heard = listener.on_deadline(now, &mut |event| pass(*plant, last, event, emit));
        heard.map(|heard| self.hear(heard))
    }
}
