//! What came out of the product against what the model says.

use dragonfly_core::{
    clock::UtcNanos,
    feed::{Heard, Listener as _},
    market::{BookEvent, BookState, Cause, ConsolidatedBook, Legs, Level, Symbol, VenueLevel},
};

use super::{
    super::{
        Rule, Violation,
        book::{self, State},
        listener::{Answer, Told},
        setup::book_name,
        views::Views,
        wire::Op,
        world::{BEGINNING, Expected, World},
    },
    Ear, Subject,
};

fn wrong(rule: Rule, what: String) -> Option<Violation> {
    Some(Violation::new(rule, what))
}

/// The state's name in the product.
const fn state_name(state: State) -> &'static str {
    match state {
        State::Empty => "empty",
        State::Syncing => "syncing",
        State::Live => "live",
        State::Stale => "stale",
        State::Gap => "gap",
        State::Crossed => "crossed",
        State::Closed => "closed",
        State::Down => "down",
    }
}

const fn product_cause(cause: book::Cause) -> Cause {
    match cause {
        book::Cause::Started => Cause::Started,
        book::Cause::Subscribed => Cause::Subscribed,
        book::Cause::Image => Cause::Image,
        book::Cause::SequenceGap => Cause::SequenceGap,
        book::Cause::ChecksumMismatch => Cause::ChecksumMismatch,
        book::Cause::Silent => Cause::Silent,
        book::Cause::CrossedBook => Cause::CrossedBook,
        book::Cause::Disconnected => Cause::Disconnected,
        book::Cause::Refused => Cause::Refused,
        book::Cause::BadMessages => Cause::BadMessages,
        book::Cause::BufferOverflow => Cause::BufferOverflow,
    }
}

fn model_cause(cause: Cause) -> book::Cause {
    match cause {
        Cause::SequenceGap => book::Cause::SequenceGap,
        Cause::BadMessages => book::Cause::BadMessages,
        Cause::Silent => book::Cause::Silent,
        // Others never ask for a new connection; what differs is found by comparison.
        _ => book::Cause::Disconnected,
    }
}

/// What a listener answered, in the model's words.
pub(super) fn answer(heard: Heard, symbols: &[Symbol]) -> Answer {
    match heard {
        Heard::Data => Answer::Data,
        Heard::Control => Answer::Control,
        Heard::Renew(symbol) => {
            let known = symbols.iter().position(|known| *known == symbol);
            Answer::Renew(known.unwrap_or(usize::MAX))
        }
        Heard::Reconnect(cause) => Answer::Reconnect(model_cause(cause)),
        _ => Answer::Bad,
    }
}

/// The wall clock of a moment; what never came has none.
const fn utc(moment: u64) -> UtcNanos {
    UtcNanos(if moment == 0 { 0 } else { BEGINNING + moment })
}

fn same_levels<'a>(
    shown: impl ExactSizeIterator<Item = &'a Level>,
    expected: &[(i128, i128)],
) -> bool {
    shown.len() == expected.len()
        && shown
            .zip(expected)
            .all(|(a, b)| (a.price.units(), a.qty.units()) == *b)
}

fn write_levels(levels: &[(i128, i128)]) -> String {
    let write = |level: &(i128, i128)| {
        let text = |units: i128| {
            let mut out = Vec::new();
            super::super::wire::spell(&mut out, units, super::super::wire::needed(units));
            String::from_utf8_lossy(&out).into_owned()
        };
        format!("{} x {}", text(level.0), text(level.1))
    };
    levels.iter().map(write).collect::<Vec<_>>().join(", ")
}

fn units<'a>(levels: impl Iterator<Item = &'a Level>) -> Vec<(i128, i128)> {
    levels
        .map(|level| (level.price.units(), level.qty.units()))
        .collect()
}

impl Subject {
    pub(super) fn compare(
        &mut self,
        op: &Op,
        world: &World,
        expected: &Expected,
    ) -> Option<Violation> {
        self.compare_order()
            .or_else(|| self.compare_events(world, expected))
            .or_else(|| {
                (self.answers != expected.answers).then(|| {
                    let what = format!("{:?}, expected {:?}", self.answers, expected.answers);
                    Violation::new(Rule::Answer, what)
                })
            })
            .or_else(|| self.compare_books(op, world))
            .or_else(|| self.compare_deadlines(world))
            .or_else(|| self.compare_views(world, expected))
            .or_else(|| self.compare_loss(world, expected))
    }

    /// What needs no model: no price without trust, no book that is crossed or out of order, and
    /// nothing that goes back.
    fn compare_order(&mut self) -> Option<Violation> {
        for event in &self.events {
            let (bids, asks) = (&event.depth.bids, &event.depth.asks);
            if event.state != BookState::Live && !(bids.is_empty() && asks.is_empty()) {
                return wrong(Rule::Trust, format!("a {} book shows prices", event.state));
            }
            let sorted = bids.is_sorted_by(|a, b| a.price > b.price)
                && asks.is_sorted_by(|a, b| a.price < b.price);
            let empty = bids
                .iter()
                .chain(asks.iter())
                .any(|level| level.qty.is_zero());
            if !sorted || empty || event.depth.is_crossed() {
                return wrong(
                    Rule::Trust,
                    format!("what is shown is no book: {:?}", event.depth),
                );
            }
            let here = (event.epoch, event.seq);
            let ear = self.ears.iter_mut().find(|ear| ear.venue == event.venue);
            let newest = ear.and_then(|ear| {
                let at = ear
                    .symbols
                    .iter()
                    .position(|known| *known == event.native_symbol)?;
                ear.newest.get_mut(at)
            });
            if let Some(newest) = newest
                && std::mem::replace(newest, here) > here
            {
                return wrong(
                    Rule::Trust,
                    format!("{} goes back to {here:?}", event.native_symbol),
                );
            }
        }
        None
    }

    fn compare_events(&self, world: &World, expected: &Expected) -> Option<Violation> {
        for (at, told) in expected.events.iter().enumerate() {
            let Some(event) = self.events.get(at) else {
                let what = format!("event {at} is missing: {}", words(told));
                return wrong(Rule::Events, what);
            };
            if let Some(difference) = event_differs(event, told, world) {
                return wrong(
                    Rule::Events,
                    format!("event {at}, {}: {difference}", words(told)),
                );
            }
        }
        let more = self.events.get(expected.events.len())?;
        let what = format!(
            "an event too many: {} of {} epoch {} seq {}",
            more.state, more.native_symbol, more.epoch, more.seq
        );
        wrong(Rule::Events, what)
    }

    fn compare_books(&self, op: &Op, world: &World) -> Option<Violation> {
        for (venue, (ear, model)) in self.ears.iter().zip(&world.listeners).enumerate() {
            for (at, (tracked, book)) in ear.listener.books().iter().zip(model.books()).enumerate()
            {
                let sync = &tracked.sync;
                let here = || format!("venue {venue} book {at}");
                if sync.state().name() != state_name(book.state)
                    || sync.cause() != product_cause(book.cause)
                {
                    let what = format!(
                        "{} is {} ({}), expected {} ({:?})",
                        here(),
                        sync.state(),
                        sync.cause(),
                        state_name(book.state),
                        book.cause
                    );
                    return wrong(Rule::State, what);
                }
                if (sync.epoch(), sync.seq()) != (book.epoch, book.seq) {
                    let what = format!(
                        "{} is at epoch {} seq {}, expected {} {}",
                        here(),
                        sync.epoch(),
                        sync.seq(),
                        book.epoch,
                        book.seq
                    );
                    return wrong(Rule::State, what);
                }
                let (is, must) = (sync.stats(), book.counts);
                if (is.updates, is.old, is.gaps, is.checksum_failures)
                    != (must.updates, must.old, must.gaps, must.checksum_failures)
                {
                    return wrong(
                        Rule::Counts,
                        format!("{} counts {is:?}, expected {must:?}", here()),
                    );
                }
            }
            if op.venue() == Some(venue)
                && let Some(violation) = compare_levels(venue, ear, world)
            {
                return Some(violation);
            }
        }
        None
    }

    /// The listener wants to be called by the time something is due, and not again at once.
    fn compare_deadlines(&self, world: &World) -> Option<Violation> {
        for (venue, (ear, model)) in self.ears.iter().zip(&world.listeners).enumerate() {
            let asked = ear.listener.deadline();
            if let Some(due) = model.due()
                && asked.is_none_or(|asked| asked.0 > due.max(world.now))
            {
                let what = format!(
                    "venue {venue} asks for {asked:?}, but {due} ns is due (now {})",
                    world.now
                );
                return wrong(Rule::Deadline, what);
            }
        }
        None
    }

    fn compare_views(&self, world: &World, expected: &Expected) -> Option<Violation> {
        if self.views.len() != expected.views.len() {
            let what = format!(
                "{} views, expected {}",
                self.views.len(),
                expected.views.len()
            );
            return wrong(Rule::View, what);
        }
        for ((book, sums), views) in self.views.iter().zip(&expected.views) {
            let is_numbered = (book.seq, sums.seq) == (views.seq, views.seq);
            if !is_numbered || book.ts_recv != utc(views.ts_recv) || sums.ts_recv != book.ts_recv {
                let what = format!("view {} or its sums are of another moment", views.seq);
                return wrong(Rule::View, what);
            }
            if !same_legs(&book.legs, views) || !same_legs(&sums.legs, views) {
                return wrong(
                    Rule::View,
                    format!("the legs of view {}: {:?}", book.seq, book.legs),
                );
            }
            for (side, shown, must) in [
                ("bids", &book.bids, &views.bids),
                ("asks", &book.asks, &views.asks),
            ] {
                let level = |l: &VenueLevel| (l.price.units(), l.qty.units(), usize::from(l.leg));
                if shown.len() != must.len() || !shown.iter().map(level).eq(must.iter().copied()) {
                    let what = format!(
                        "{side} of view {} of {}: {shown:?}, expected {must:?}",
                        book.seq, world.setup.shown
                    );
                    return wrong(Rule::View, what);
                }
            }
            if !same_levels(sums.bids.iter(), &views.bid_sums)
                || !same_levels(sums.asks.iter(), &views.ask_sums)
            {
                let what = format!(
                    "sums of view {}: bids {:?} asks {:?}, expected {} and {}",
                    sums.seq,
                    sums.bids,
                    sums.asks,
                    write_levels(&views.bid_sums),
                    write_levels(&views.ask_sums)
                );
                return wrong(Rule::Sums, what);
            }
        }
        None
    }

    fn compare_loss(&self, world: &World, expected: &Expected) -> Option<Violation> {
        let conflated = self.conflated();
        if conflated != world.conflated {
            let what = format!(
                "{conflated} events were conflated, expected {}",
                world.conflated
            );
            return wrong(Rule::Loss, what);
        }
        let lost = self.slot.lost();
        if lost != world.lost {
            return wrong(
                Rule::Loss,
                format!("{lost} views were lost, expected {}", world.lost),
            );
        }
        let seen = self
            .seen
            .as_ref()
            .map(|seen| seen.as_ref().map(|view| view.seq));
        if seen != expected.seen {
            return wrong(
                Rule::Loss,
                format!("a client saw view {seen:?}, expected {:?}", expected.seen),
            );
        }
        let newest = self.seen.as_ref().and_then(Option::as_ref)?;
        (!same_view(newest, &world.views)).then(|| {
            let what = format!("view {} is not what was published", newest.seq);
            Violation::new(Rule::Loss, what)
        })
    }
}

/// Whether the levels of a view are those of the newest one.
fn same_view(view: &ConsolidatedBook, views: &Views) -> bool {
    let level = |l: &VenueLevel| (l.price.units(), l.qty.units(), usize::from(l.leg));
    view.bids.iter().map(level).eq(views.bids.iter().copied())
        && view.asks.iter().map(level).eq(views.asks.iter().copied())
}

fn same_legs(legs: &Legs, views: &Views) -> bool {
    legs.len() == views.legs.len()
        && legs.iter().zip(&views.legs).all(|((id, status), leg)| {
            (&*id.venue, &*id.native_symbol) == (&*leg.name.0, &*leg.name.1)
                && status.state.name() == state_name(leg.state)
                && status.cause == product_cause(leg.cause)
                && (status.epoch, status.seq) == (leg.epoch, leg.seq)
                && status.ts_venue.map(|ts| ts.0) == leg.stamps.0
                && status.ts_recv == utc(leg.stamps.1)
        })
}

/// The whole book, not only what is shown of it.
fn compare_levels(venue: usize, ear: &Ear, world: &World) -> Option<Violation> {
    let listener = world.listeners.get(venue)?;
    for (at, (tracked, book)) in ear
        .listener
        .books()
        .iter()
        .zip(listener.books())
        .enumerate()
    {
        let (bids, asks) = if listener.rules.images {
            let depth = tracked.sync.depth(usize::MAX);
            (units(depth.bids.iter()), units(depth.asks.iter()))
        } else {
            let book = tracked.sync.book();
            (units(book.bids()), units(book.asks()))
        };
        for (side, is, must) in [("bids", &bids, &book.bids), ("asks", &asks, &book.asks)] {
            if *is != must.levels {
                let what = format!(
                    "venue {venue} book {at} {side}: {}; expected {}",
                    write_levels(is),
                    write_levels(&must.levels)
                );
                return wrong(Rule::Levels, what);
            }
        }
    }
    None
}

fn words(told: &Told) -> String {
    format!(
        "{} ({:?}) of venue {} book {} epoch {} seq {}",
        state_name(told.state),
        told.cause,
        told.venue,
        told.book,
        told.epoch,
        told.seq
    )
}

fn event_differs(event: &BookEvent, told: &Told, world: &World) -> Option<String> {
    let venue = &world.setup.venues[told.venue].name;
    if (&*event.venue, &*event.native_symbol) != (venue.as_str(), book_name(told.book).as_str()) {
        return Some(format!("is of {} {}", event.venue, event.native_symbol));
    }
    if event.state.name() != state_name(told.state) || event.cause != product_cause(told.cause) {
        return Some(format!("is {} ({})", event.state, event.cause));
    }
    if (event.epoch, event.seq) != (told.epoch, told.seq) {
        return Some(format!("is of epoch {} seq {}", event.epoch, event.seq));
    }
    if event.ts_venue.map(|ts| ts.0) != told.stamps.0 || event.ts_recv != utc(told.stamps.1) {
        return Some(format!(
            "has the stamps {:?} {:?}",
            event.ts_venue, event.ts_recv
        ));
    }
    for (side, is, must) in [
        ("bids", &event.depth.bids, &told.bids),
        ("asks", &event.depth.asks, &told.asks),
    ] {
        if !same_levels(is.iter(), must) {
            let is = write_levels(&units(is.iter()));
            return Some(format!("{side} are {is}; expected {}", write_levels(must)));
        }
    }
    None
}
