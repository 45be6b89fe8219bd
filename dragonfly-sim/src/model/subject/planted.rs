//! Bugs planted on purpose around the product's parts: in the rules they are given, in the updates
//! that reach them, in what they say. Nothing of this is in the product.

use std::collections::HashMap;

use dragonfly_core::{
    clock::Nanos,
    feed::{Decoded, Decoder, FeedError},
    market::{
        BookEvent, BookRules, BookState, BookUpdate, ConsolidatedBook, Level, Price, Qty,
        SequenceRule, Symbol, UpdateKind,
    },
    queue::{self, Consumer, Producer, Queue as _},
};

use super::{super::listener::Answer, decoder::Lines};

macro_rules! plants {
    ($($(#[doc = $about:literal])+ $plant:ident $name:literal)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in super::super) enum Plant {
            $($(#[doc = $about])+ $plant,)+
        }

        impl Plant {
            /// Every plant.
            pub(in super::super) const ALL: &[Self] = &[$(Self::$plant),+];

            /// Its name on the command line.
            pub(in super::super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$plant => $name,)+
                }
            }
        }
    };
}

plants! {
    /// A hole in the numbers of a book is not looked for.
    NoGapCheck "no-gap-check"
    /// The number after the next one is taken for the next.
    PlusTwo "plus-two"
    /// Deltas kept for a snapshot are forgotten when it comes, but counted as applied.
    NotReplayed "not-replayed"
    /// Deltas kept for a snapshot are applied twice.
    ReplayedTwice "replayed-twice"
    /// A second snapshot is merged into the book.
    MergedSnapshot "merged-snapshot"
    /// A new connection does not clear the book.
    NotCleared "not-cleared"
    /// A book is not cut to what the venue keeps.
    NoTruncation "no-truncation"
    /// The checksum is not looked at.
    NoChecksum "no-checksum"
    /// Bids and asks are exchanged.
    SwappedSides "swapped-sides"
    /// A level of no quantity stays.
    KeptZero "kept-zero"
    /// Numbers go through floating point.
    Float "float"
    /// Of several changes the last is forgotten.
    LastForgotten "last-forgotten"
    /// One more early delta is kept than there is room for.
    BufferPlusOne "buffer-plus-one"
    /// Silence is not noticed.
    NoSilence "no-silence"
    /// Silence is noticed one ms too late.
    LateSilence "late-silence"
    /// A leg with a gap stays in the view.
    KeptOnGap "kept-on-gap"
    /// A silent leg stays in the view.
    KeptOnStale "kept-on-stale"
    /// A leg that lost its connection stays in the view.
    KeptOnDown "kept-on-down"
    /// A crossed leg stays in the view.
    KeptOnCrossed "kept-on-crossed"
    /// What is shown is the book before the last change.
    LateByOne "late-by-one"
    /// What has been told is told again.
    ToldTwice "told-twice"
    /// A restart of the book is not counted.
    NoEpoch "no-epoch"
    /// A book that has to be asked for again is not.
    NoRenewal "no-renewal"
    /// Of equal prices the smaller quantity comes first.
    TiesReversed "ties-reversed"
    /// Of equal prices and quantities the name that comes last is first.
    NamesReversed "names-reversed"
    /// Where a newer view should replace an older one it is dropped.
    DropsNewest "drops-newest"
    /// The count of lost views is one short.
    LostShort "lost-short"
    /// The count of conflated events is one too many.
    ConflatedMore "conflated-more"
    /// Attempts wait for exactly their ceiling.
    NoJitter "no-jitter"
    /// A budget allows one more.
    OverBudget "over-budget"
}

impl Plant {
    /// The plant of this name.
    pub(in super::super) fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|plant| plant.name() == name)
    }

    /// What it does to the rules of a venue.
    pub(super) fn spoil_rules(self, rules: &mut BookRules) {
        match self {
            Self::NoGapCheck if matches!(rules.sequence, SequenceRule::Next { .. }) => {
                rules.sequence = SequenceRule::Increasing;
            }
            Self::NoChecksum => rules.checksum = None,
            Self::BufferPlusOne => rules.sync_buffer += 1,
            Self::NoSilence => rules.stale_after = Nanos::from_secs(3_600),
            Self::LateSilence => rules.stale_after = rules.stale_after + Nanos::from_millis(1),
            _ => {}
        }
    }

    /// What it does to what a listener asks for.
    pub(super) const fn spoil_answer(self, answer: Answer) -> Answer {
        match (self, answer) {
            (Self::NoRenewal, Answer::Renew(_)) => Answer::Data,
            _ => answer,
        }
    }

    /// What it does to a view.
    pub(super) fn spoil_view(self, view: &mut ConsolidatedBook) {
        for side in [&mut view.bids, &mut view.asks] {
            let mut levels = side.to_vec();
            for at in 1..levels.len() {
                let (a, b) = (levels[at - 1], levels[at]);
                let is_tie = a.price == b.price;
                let swap = match self {
                    Self::TiesReversed => is_tie && a.qty != b.qty,
                    Self::NamesReversed => is_tie && a.qty == b.qty,
                    _ => false,
                };
                if swap {
                    levels.swap(at - 1, at);
                }
            }
            side.refill(levels);
        }
    }
}

/// What is remembered of a book.
#[derive(Debug, Default)]
struct Memory {
    last: u64,
    has_begun: bool,
    kept: Vec<BookUpdate>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The model's decoder, whose updates are not what they were.
#[derive(Debug)]
pub(super) struct Spoiler {
    plant: Option<Plant>,
    lines: Lines,
    books: HashMap<Symbol, Memory>,
}

impl Spoiler {
    pub(super) fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            lines: Lines::new(),
            books: HashMap::new(),
        }
    }
}

impl Decoder for Spoiler {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let Some(plant) = self.plant else {
            return self.lines.decode(message, update, apply);
        };
        let Self { lines, books, .. } = self;
        lines.decode(message, update, &mut |update| {
            let memory = books.entry(update.symbol).or_default();
            spoil(plant, memory, update);
            apply(update);
            if plant == Plant::ReplayedTwice && update.kind == UpdateKind::Snapshot {
                let kept = std::mem::take(&mut memory.kept);
                kept.into_iter().for_each(|mut delta| apply(&mut delta));
            }
        })
    }
}

fn spoil(plant: Plant, memory: &mut Memory, update: &mut BookUpdate) {
    let is_change = update.kind == UpdateKind::Delta;
    match plant {
        Plant::NoTruncation => update.window = None,
        Plant::SwappedSides => std::mem::swap(&mut update.bids, &mut update.asks),
        Plant::KeptZero => {
            // A book removes what is zero, so what stays is next to nothing.
            let levels = update.bids.iter_mut().chain(&mut update.asks);
            for level in levels.filter(|level| level.qty.is_zero()) {
                level.qty = Qty::from_units(1);
            }
        }
        Plant::Float => {
            let levels = update.bids.iter_mut().chain(&mut update.asks);
            levels.for_each(round);
        }
        Plant::LastForgotten if is_change && update.bids.len() > 1 => {
            update.bids.pop();
        }
        Plant::MergedSnapshot
            if update.kind == UpdateKind::Snapshot
                && std::mem::replace(&mut memory.has_begun, true) =>
        {
            join(update, memory);
        }
        Plant::NotCleared if update.kind == UpdateKind::Snapshot => {
            let (bids, asks) = (update.bids.clone(), update.asks.clone());
            join(update, memory);
            (memory.bids, memory.asks) = (bids, asks);
        }
        Plant::PlusTwo if is_change && update.last == memory.last + 2 => {
            update.first = update.first.min(memory.last + 1);
            update.prev = update.prev.map(|_| memory.last);
        }
        Plant::NotReplayed | Plant::ReplayedTwice => keep(plant, memory, update),
        _ => {}
    }
    if plant == Plant::MergedSnapshot {
        (memory.bids, memory.asks) = (update.bids.clone(), update.asks.clone());
    }
    memory.last = update.last;
}

/// Remembers the deltas since the last snapshot.
fn keep(plant: Plant, memory: &mut Memory, update: &mut BookUpdate) {
    match update.kind {
        UpdateKind::Delta => memory.kept.push(update.clone()),
        UpdateKind::Snapshot if plant == Plant::NotReplayed => {
            let last = memory.kept.drain(..).map(|delta| delta.last).max();
            update.last = update.last.max(last.unwrap_or(0));
        }
        _ => {}
    }
}

/// Puts what was there before where there is nothing now.
fn join(update: &mut BookUpdate, memory: &Memory) {
    for (new, old) in [
        (&mut update.bids, &memory.bids),
        (&mut update.asks, &memory.asks),
    ] {
        for level in old {
            if !new.iter().any(|known| known.price == level.price) {
                new.push(*level);
            }
        }
    }
}

fn round(level: &mut Level) {
    let rounded = |text: String| {
        let number = text.parse::<f64>();
        number.map(|number| number.to_string()).unwrap_or(text)
    };
    let price = Price::parse(rounded(level.price.to_string()).as_bytes());
    let qty = Qty::parse(rounded(level.qty.to_string()).as_bytes());
    level.price = price.unwrap_or(level.price);
    level.qty = qty.unwrap_or(level.qty);
}

/// Events that are not what they were.
#[derive(Debug)]
pub(super) struct SpoiledEvents {
    plant: Option<Plant>,
    last: HashMap<Symbol, BookEvent>,
}

impl SpoiledEvents {
    pub(super) fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            last: HashMap::new(),
        }
    }

    /// Lets an event pass, changed or not, or keeps it back.
    pub(super) fn pass(&mut self, mut event: BookEvent, events: &mut Vec<BookEvent>) {
        let Some(plant) = self.plant else {
            events.push(event);
            return;
        };
        let kept = match plant {
            Plant::KeptOnGap => Some(BookState::Gap),
            Plant::KeptOnStale => Some(BookState::Stale),
            Plant::KeptOnDown => Some(BookState::Down),
            Plant::KeptOnCrossed => Some(BookState::Crossed),
            _ => None,
        };
        if kept == Some(event.state) {
            return;
        }
        let before = self.last.insert(event.native_symbol, event);
        match (plant, before) {
            (Plant::LateByOne, Some(before)) if before.state == event.state => {
                event.depth = before.depth;
            }
            (Plant::NoEpoch, _) => event.epoch = event.epoch.min(1),
            _ => {}
        }
        events.push(event);
    }
}

/// The slot of the newest view.
pub(super) struct Slot {
    plant: Option<Plant>,
    writer: Box<dyn Producer<Item = ConsolidatedBook>>,
    reader: Box<dyn Consumer<Item = ConsolidatedBook>>,
    is_fresh: bool,
}

impl Slot {
    pub(super) fn new(plant: Option<Plant>) -> Self {
        let (writer, reader) = queue::latest().open();
        Self {
            plant,
            writer: Box::new(writer),
            reader: Box::new(reader),
            is_fresh: false,
        }
    }

    pub(super) fn push(&mut self, view: ConsolidatedBook) {
        let was_fresh = std::mem::replace(&mut self.is_fresh, true);
        if was_fresh && self.plant == Some(Plant::DropsNewest) {
            return;
        }
        // Both ends are here, so nothing is ever closed.
        self.writer.push(view).ok();
    }

    /// The newest view, if it has not been looked at.
    pub(super) fn look(&mut self) -> Option<ConsolidatedBook> {
        self.is_fresh = false;
        let view = self.reader.ready().ok()?.first().cloned()?;
        self.reader.release(1);
        Some(view)
    }

    pub(super) fn lost(&self) -> u64 {
        let lost = self.writer.lost();
        match self.plant {
            Some(Plant::LostShort) => lost.saturating_sub(1),
            _ => lost,
        }
    }
}

impl super::Subject {
    /// How many events were replaced at the edge.
    pub(super) fn conflated(&self) -> u64 {
        let conflated = self.edge.conflated().get();
        match self.plant {
            Some(Plant::ConflatedMore) if conflated > 0 => conflated + 1,
            _ => conflated,
        }
    }
}
