//! The product's side of a case: its listeners, edge, queues and aggregators, stepped by the same
//! operations as the model. Only this module and those below it know the product.

mod compare;
mod decoder;
mod planted;
mod timing;

use dragonfly_aggregators::{Bbo, Liquidity};
use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    edge::Edge,
    feed::{BookListener, Heard, Link, Listener as _},
    market::{
        AggregatedBook, BookEvent, BookRules, Cause, ChecksumRule, ChecksumText, ConsolidatedBook,
        SequenceRule, Symbol, Venue,
    },
    queue::{self, Consumer, Producer, Queue as _},
    stage::Aggregator as _,
};

pub(super) use self::planted::Plant;
use self::planted::{Slot, SpoiledEvents, Spoiler};
use super::{
    Violation,
    listener::Answer,
    setup::{Numbers, Rules, Setup, book_name},
    wire::Op,
    world::{BEGINNING, Expected, World},
};

type Ring = Box<dyn Producer<Item = BookEvent>>;
type RingEnd = Box<dyn Consumer<Item = BookEvent>>;

/// One venue's listener, and what it has done in this operation.
struct Ear {
    venue: Venue,
    listener: BookListener<Spoiler>,
    symbols: Vec<Symbol>,
    is_up: bool,
    events: SpoiledEvents,
    /// Epoch and number of the last event of each book.
    newest: Vec<(u32, u64)>,
}

/// The product, put together for a case.
pub(super) struct Subject {
    plant: Option<Plant>,
    now: Now,
    ears: Vec<Ear>,
    edge: Edge<Ring>,
    reader: RingEnd,
    bbo: Bbo,
    sums: Liquidity,
    slot: Slot,
    /// What this operation led to.
    events: Vec<BookEvent>,
    answers: Vec<(usize, Answer)>,
    views: Vec<(ConsolidatedBook, AggregatedBook)>,
    seen: Option<Option<ConsolidatedBook>>,
    /// Stands for everything that came out.
    pub(super) digest: u64,
}

fn name<const N: usize>(text: &str) -> dragonfly_core::market::Name<N> {
    dragonfly_core::market::Name::new(text).unwrap_or_default()
}

fn book_rules(rules: &Rules) -> BookRules {
    BookRules {
        sequence: match rules.numbers {
            Numbers::None => SequenceRule::None,
            Numbers::Increasing => SequenceRule::Increasing,
            Numbers::Next { restart } => SequenceRule::Next { restart },
            Numbers::Span => SequenceRule::Span,
            Numbers::Previous => SequenceRule::Previous,
            Numbers::Connection => SequenceRule::Connection,
        },
        checksum: rules.checksum.map(|levels| ChecksumRule {
            levels,
            text: ChecksumText::AsksThenBidsDigits,
        }),
        sync_buffer: rules.sync_buffer,
        stale_after: Nanos(rules.stale_after),
        heartbeats_count: rules.heartbeats_count,
        renew_after: rules.renew_after.map(Nanos),
        sync_within: Nanos(rules.sync_within),
        refused_again: Nanos(rules.refused_again),
        bad_messages: rules.bad_messages,
    }
}

fn ear(rules: &Rules, plant: Option<Plant>) -> Ear {
    let symbols: Vec<Symbol> = (0..rules.books)
        .map(|book| name(&book_name(book)))
        .collect();
    let mut book_rules = book_rules(rules);
    if let Some(plant) = plant {
        plant.spoil_rules(&mut book_rules);
    }
    let venue: Venue = name(&rules.name);
    let named = symbols.iter().map(|symbol| (*symbol, *symbol));
    let decoder = Spoiler::new(plant);
    let mut listener = BookListener::new(venue, decoder, book_rules, rules.depth, named);
    if rules.only_changes && plant != Some(Plant::ToldTwice) {
        listener = listener.only_changes();
    }
    Ear {
        venue,
        listener,
        newest: vec![(0, 0); symbols.len()],
        symbols,
        is_up: false,
        events: SpoiledEvents::new(plant),
    }
}

impl Subject {
    pub(super) fn new(setup: &Setup, plant: Option<Plant>) -> Self {
        let (ring, reader) = queue::spsc(setup.queue).open();
        let mut subject = Self {
            plant,
            now: Now {
                mono: Nanos(1_000_000_000),
                utc: UtcNanos(BEGINNING + 1_000_000_000),
            },
            ears: setup.venues.iter().map(|rules| ear(rules, plant)).collect(),
            edge: Edge::new(Box::new(ring)),
            reader: Box::new(reader),
            bbo: Bbo::top(setup.shown),
            sums: Liquidity::levels(setup.shown),
            slot: Slot::new(plant),
            events: Vec::new(),
            answers: Vec::new(),
            views: Vec::new(),
            seen: None,
            digest: 0,
        };
        for at in 0..subject.ears.len() {
            subject.link(at, Link::Started);
        }
        subject
    }

    /// Does an operation and holds what comes of it against what must come of it.
    pub(super) fn step(
        &mut self,
        op: &Op,
        world: &World,
        expected: &Expected,
    ) -> Option<Violation> {
        self.answers.clear();
        self.views.clear();
        self.seen = None;
        let timing = match op {
            Op::Wait { ns } => {
                self.now.mono = self.now.mono + Nanos(*ns);
                self.now.utc = UtcNanos(self.now.utc.0 + ns);
                self.deadlines();
                None
            }
            Op::Drain => {
                self.drain();
                None
            }
            Op::Look => {
                self.seen = Some(self.slot.look());
                None
            }
            Op::Retry {
                first,
                longest,
                seed,
            } => timing::retry(*first, *longest, *seed, self.plant),
            Op::Spend {
                burst,
                refill,
                waits,
            } => timing::spend(*burst, *refill, waits, self.plant),
            _ => {
                self.connection(op);
                None
            }
        };
        for event in &self.events {
            self.edge.emit(*event);
        }
        let violation = timing.or_else(|| self.compare(op, world, expected));
        self.note_digest();
        self.events.clear();
        violation
    }

    fn link(&mut self, at: usize, link: Link) {
        let Self { ears, events, .. } = self;
        let ear = &mut ears[at];
        let spoiled = &mut ear.events;
        ear.listener
            .on_link(link, self.now, &mut |event| spoiled.pass(event, events));
    }

    fn connection(&mut self, op: &Op) {
        let now = self.now;
        match op {
            Op::Up { venue } => {
                if std::mem::replace(&mut self.ears[*venue].is_up, true) {
                    self.link(*venue, Link::Down(Cause::Disconnected));
                }
                self.link(*venue, Link::Up);
            }
            Op::Down { venue } => {
                self.ears[*venue].is_up = false;
                self.link(*venue, Link::Down(Cause::Disconnected));
            }
            Op::Alive { venue } if self.ears[*venue].is_up => {
                self.ears[*venue].listener.on_alive(now);
            }
            Op::Part { venue } if self.ears[*venue].is_up => self.grow(*venue),
            Op::Refuse { venue, book } if self.ears[*venue].is_up => {
                let symbol = book.and_then(|book| self.ears[*venue].symbols.get(book).copied());
                self.link(*venue, Link::Refused(symbol));
            }
            _ => {
                if let Some((venue, mut message)) = message(op)
                    && self.ears[venue].is_up
                {
                    self.hear(venue, &mut message);
                }
            }
        }
    }

    fn grow(&mut self, at: usize) {
        let Self { ears, events, .. } = self;
        let ear = &mut ears[at];
        let spoiled = &mut ear.events;
        ear.listener
            .on_part(b"", self.now, &mut |event| spoiled.pass(event, events));
    }

    fn hear(&mut self, at: usize, message: &mut [u8]) {
        let Self { ears, events, .. } = self;
        let ear = &mut ears[at];
        let spoiled = &mut ear.events;
        let heard = ear
            .listener
            .on_message(message, self.now, &mut |event| spoiled.pass(event, events));
        self.answer(at, heard.ok());
        // As a driver does: what is due by now is done before anything else is read.
        let now = self.now.mono;
        while self.ears[at].is_up
            && self.ears[at]
                .listener
                .deadline()
                .is_some_and(|due| due <= now)
        {
            if !self.overdue(at) {
                break;
            }
        }
    }

    /// Does one thing that is due; false when there is none.
    fn overdue(&mut self, at: usize) -> bool {
        let Self { ears, events, .. } = self;
        let ear = &mut ears[at];
        let spoiled = &mut ear.events;
        let heard = ear
            .listener
            .on_deadline(self.now, &mut |event| spoiled.pass(event, events));
        if heard.is_some() {
            self.answer(at, heard);
        }
        heard.is_some()
    }

    /// As a feed does: a connection that has to be made anew is given up at once.
    fn answer(&mut self, at: usize, heard: Option<Heard>) {
        let ear = &mut self.ears[at];
        let answer = match heard {
            None => Answer::Bad,
            Some(heard) => compare::answer(heard, &ear.symbols),
        };
        let answer = self
            .plant
            .map_or(answer, |plant| plant.spoil_answer(answer));
        self.answers.push((at, answer));
        if let Some(Heard::Reconnect(cause)) = heard {
            self.ears[at].is_up = false;
            self.link(at, Link::Down(cause));
        }
    }

    fn deadlines(&mut self) {
        for at in 0..self.ears.len() {
            while self.overdue(at) {}
        }
    }

    /// The aggregators take what is in the queue, a view for each event; then what the edge holds
    /// moves up.
    fn drain(&mut self) {
        loop {
            let Ok(events) = self.reader.ready() else {
                return;
            };
            let count = events.len();
            if count == 0 {
                break;
            }
            for event in events {
                self.bbo.apply(event);
                self.sums.apply(event);
                if let (Some(mut book), Some(sums)) = (self.bbo.publish(), self.sums.publish()) {
                    if let Some(plant) = self.plant {
                        plant.spoil_view(&mut book);
                    }
                    self.slot.push(book.clone());
                    self.views.push((book, sums));
                }
            }
            self.reader.release(count);
        }
        self.edge.flush();
    }

    fn note_digest(&mut self) {
        let mut word = |word: u64| {
            let mixed = (self.digest.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.digest = mixed;
        };
        for event in &self.events {
            word(event.state as u64 ^ u64::from(event.epoch) << 8);
            word(event.seq);
            for level in event.depth.bids.iter().chain(event.depth.asks.iter()) {
                #[allow(clippy::cast_possible_truncation, reason = "a hash")]
                #[allow(clippy::cast_sign_loss, reason = "a hash")]
                word(level.price.units() as u64 ^ (level.qty.units() as u64).rotate_left(32));
            }
        }
        for (book, _) in &self.views {
            word(book.seq ^ (book.bids.len() as u64) << 48 ^ (book.asks.len() as u64) << 56);
        }
        word(self.answers.len() as u64);
    }
}

/// An operation as the message it is, if it is one.
fn message(op: &Op) -> Option<(usize, Vec<u8>)> {
    let mut bytes = Vec::new();
    match op {
        Op::Say {
            venue,
            updates,
            is_broken,
        } => {
            updates.iter().for_each(|update| update.write(&mut bytes));
            if *is_broken {
                bytes.extend_from_slice(b"0 delta");
            }
            Some((*venue, bytes))
        }
        Op::Heartbeat { venue, count } => {
            bytes.push(b'~');
            if let Some(count) = count {
                bytes.extend_from_slice(count.to_string().as_bytes());
            }
            Some((*venue, bytes))
        }
        Op::Garbage { venue } => Some((*venue, b"<html>".to_vec())),
        _ => None,
    }
}
