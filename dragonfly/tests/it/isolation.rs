//! A fault in one part of a flow changes nothing that is shown of the others.

use dragonfly::{
    aggregators::Bbo,
    clients::{
        ReplaySource,
        capture::{Direction, Record},
    },
    clock::{Clock, Nanos, Now, UtcNanos},
    feed::{Feed, FeedError, Heard, Link, Listener, Subscriber},
    feeds::BookChanges,
    flow::{Flow, merge},
    market::{BookEvent, BookState, Cause, ConsolidatedBook, LegStatus, Symbol},
    queue::{self, Consumer as _, Producer},
    run::PARK,
    sim::Recording,
    stage::{Cx, Host, Serve, Service, Source, Stage, StageError, Work},
};

use super::recorded::feed;

const HEALTHY: &str = "bybit";
const FAULTY: &str = "kraken";

fn record(ts: UtcNanos, msg: String) -> Record {
    Record {
        ts: Some(ts),
        direction: Direction::In,
        url: String::new(),
        msg,
        raw: None,
    }
}

fn healthy_records() -> Vec<Record> {
    let recording = Recording::demo_bybit().unwrap();
    let lines = recording.received();
    lines.map(|l| record(l.at, l.text.to_string())).collect()
}

/// Ten messages of a venue for each of the healthy one's: what is no book, and what is no JSON.
fn garbage() -> Vec<Record> {
    let texts = [
        "",
        "null",
        "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":",
        "{\"channel\":\"book\",\"data\":[{\"bids\":[{\"price\":1e999,\"qty\":-1}]}]}",
        "<html>502 Bad Gateway</html>",
        "\u{0}\u{1}",
    ];
    let healthy = healthy_records().into_iter();
    let each = |r: Record| (0..10).map(move |n| (r.ts.unwrap(), n));
    let texts = texts.into_iter().cycle();
    let all = healthy.flat_map(each).zip(texts);
    all.map(|((ts, _), text)| record(ts, text.to_owned()))
        .collect()
}

/// A venue's listener, with a fault of its own on every third message.
struct Panics(BookChanges, usize);

impl Listener for Panics {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        self.1 += 1;
        assert!(!self.1.is_multiple_of(3), "a fault of the adapter");
        self.0.on_message(message, now, emit)
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        self.0.on_link(link, now, emit);
    }
}

/// A source whose stage fails in its fifth step, by an error or a panic.
struct Fails {
    panics: bool,
    steps: usize,
}

impl Source for Fails {
    type Event = BookEvent;

    fn attach(self: Box<Self>, _: Box<dyn Producer<Item = BookEvent>>, _: Clock) -> Box<dyn Stage> {
        self
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        "fails".into()
    }
}

impl Stage for Fails {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        self.steps += 1;
        assert!(self.steps < 5 || !self.panics, "a fault of the stage");
        if self.steps < 5 {
            return Ok(Work::Busy);
        }
        Err(StageError::Failed("the disk is full".into()))
    }
}

/// A service that panics at its tenth view, or takes no view from then on.
struct Sink {
    views: usize,
    panics: bool,
}

impl Service for Sink {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(if self.views == usize::MAX {
            Work::Done
        } else {
            Work::Idle
        })
    }

    fn close(&mut self) {
        self.views = usize::MAX;
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        "sink".into()
    }
}

impl Serve<ConsolidatedBook> for Sink {
    fn publish(&mut self, views: &[ConsolidatedBook]) {
        self.views += views.len();
        assert!(!self.panics || self.views < 10, "a fault of the sink");
    }

    fn withdraw(&mut self) {}
}

/// Everything a view says of a leg.
type Leg = (BookState, Cause, u32, u64);

fn leg(status: &LegStatus) -> Leg {
    (status.state, status.cause, status.epoch, status.seq)
}

/// What the views say of a venue, each thing once.
fn story(views: &[ConsolidatedBook], venue: &str) -> Vec<Leg> {
    let legs = views.iter().flat_map(|view| view.legs.iter());
    let legs = legs.filter(|(id, _)| id.venue == *venue);
    let mut story: Vec<Leg> = legs.map(|(_, status)| leg(status)).collect();
    story.dedup();
    story
}

/// The healthy venue beside `neighbour`, and a sink that panics if asked to: the views, and how many
/// stages have failed.
fn run_beside(
    neighbour: impl Source<Event = BookEvent> + 'static,
    sink_panics: bool,
) -> (Vec<ConsolidatedBook>, usize) {
    let (clock, hand) = Clock::manual(UtcNanos(0));
    let mut flow = Flow::with_clock(clock.clone());
    let healthy = ReplaySource::new(healthy_records().into_iter(), feed(HEALTHY, "BTC-USDT"));
    let healthy = flow.listen(healthy).via(queue::spsc(64));
    let neighbour = flow.listen(neighbour).via(queue::spsc(64));
    let bbo = Bbo::top(10).named(Symbol::new("BTC-USDT").unwrap());
    let all = merge([healthy, neighbour]);
    let wire = flow.aggregate(all, bbo).via(queue::spmc(64));
    let sink = Sink {
        views: 0,
        panics: sink_panics,
    };
    flow.serve(sink, wire.clone());
    let mut reader = wire.into_consumer();
    let (mut views, mut faults) = (Vec::new(), 0);
    loop {
        let work = flow.step(clock.mono());
        hand.advance(Nanos::from_millis(1));
        while let Ok(seen @ [_, ..]) = reader.ready() {
            views.extend_from_slice(seen);
            let count = seen.len();
            reader.release(count);
        }
        match work {
            Ok(Work::Done) => return (views, faults),
            Ok(_) => {}
            Err(_) => faults += 1,
        }
    }
}

/// A feed of the faulty venue.
fn of_venue<L: Listener<Event = BookEvent> + 'static>(
    listener: impl FnOnce(BookChanges) -> L,
    records: Vec<Record>,
) -> impl Source<Event = BookEvent> + 'static {
    use dragonfly::feeds::venue::{self, Subscription};
    let spec = venue::find(FAULTY).unwrap();
    let instrument: dragonfly::market::Instrument = "BTC-USDT".parse().unwrap();
    let native = (spec.native)(&instrument).unwrap();
    let wanted = Subscription::new([native], 10);
    let books = dragonfly::feed::BookListener::new(
        FAULTY.parse().unwrap(),
        (spec.decoder)(&wanted),
        (spec.rules)(),
        10,
        [(instrument.symbol(), native)],
    );
    let subscriber: Box<dyn Subscriber> = (spec.subscriber)(&wanted);
    let listener = listener(books.only_changes());
    let feed = Feed::new(FAULTY, subscriber, listener, (spec.policy)());
    ReplaySource::new(records.into_iter(), feed)
}

#[test]
fn a_fault_elsewhere_changes_nothing_of_a_healthy_venue() {
    let silent = || of_venue(|books| books, Vec::new());
    let (undisturbed, faults) = run_beside(silent(), false);
    assert_eq!(faults, 0);
    let story_of_healthy = story(&undisturbed, HEALTHY);
    let live = |legs: &[Leg]| legs.iter().filter(|leg| leg.0 == BookState::Live).count();
    assert!(live(&story_of_healthy) > 100, "{}", story_of_healthy.len());

    let is_same = |views: &[ConsolidatedBook], what: &str| {
        assert_eq!(story(views, HEALTHY), story_of_healthy, "{what}");
    };
    let (views, faults) = run_beside(of_venue(|books| Panics(books, 0), garbage()), false);
    is_same(&views, "an adapter that panics");
    let panicked = |leg: &Leg| leg.0 == BookState::Down && leg.1 == Cause::Panicked;
    assert!(story(&views, FAULTY).iter().any(panicked));
    assert_eq!(faults, 0, "it goes on");

    let (views, faults) = run_beside(of_venue(|books| books, garbage()), false);
    is_same(&views, "a venue that floods with garbage");
    let given_up = |leg: &Leg| leg.1 == Cause::BadMessages;
    let of_faulty = story(&views, FAULTY);
    assert!(of_faulty.iter().any(given_up), "{of_faulty:?}");
    assert_eq!((live(&of_faulty), faults), (0, 0), "nothing is invented");

    for panics in [false, true] {
        let (views, faults) = run_beside(Fails { panics, steps: 0 }, false);
        is_same(&views, "a stage that fails");
        assert_eq!(faults, 1);
    }
    let (views, faults) = run_beside(silent(), true);
    is_same(&views, "a sink that panics");
    assert_eq!(faults, 1);
}
