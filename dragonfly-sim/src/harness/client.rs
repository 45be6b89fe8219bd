//! The product's side of a run: feeds wired into a flow whose views are read at the end.

use dragonfly_core::{
    clock::{Clock, ManualClock, Nanos, UtcNanos},
    feed::{Backoff, BookListener, Feed},
    flow::{Flow, StepError},
    market::{Instrument, Symbol, Venue},
    queue::{self, Consumer},
    stage::Work,
};
use dragonfly_feeds::{
    decorate::Changed,
    venue::{self, Subscription},
};

use super::{
    Scenario,
    desk::{Desk, Shown},
    fragile::Fragile,
    line::Shared,
    scenario::SocketPlan,
    source::{Ears, Socket},
};

/// How many rounds the flow may go at one moment before it must have come to rest, besides those it
/// takes to read what waits.
const MOST_ROUNDS: usize = 20_000;
/// How many rounds a message that waits may take: it is read in one, and what comes of it moves on in
/// the others.
const ROUNDS_A_MESSAGE: usize = 4;

/// The flow, its clock, and the end where its views come out.
pub(super) struct Client {
    flow: Flow,
    clock: Clock,
    hand: ManualClock,
    tap: Box<dyn Consumer<Item = Shown>>,
}

impl Client {
    /// Wires a feed for each of the scenario's sockets to its line.
    pub(super) fn new(scenario: &Scenario, lines: &[Shared], utc: u64) -> Result<Self, String> {
        let (clock, hand) = Clock::manual(UtcNanos(utc));
        let mut flow = Flow::with_clock(clock.clone());
        let sockets = scenario.sockets.iter().zip(lines).enumerate();
        let sockets = sockets.map(|(number, (plan, line))| {
            Ok(Socket {
                feed: feed(scenario, plan, line)?,
                backoff: Backoff::new(scenario.seed ^ number as u64),
                line: line.clone(),
                batch: scenario.batch,
                plant: scenario.plant,
            })
        });
        let sockets: Vec<Socket> = sockets.collect::<Result<_, String>>()?;
        let books = flow.listen(sockets).via(queue::mpsc(scenario.first_queue));
        let views = flow
            .aggregate(books, Desk::new(scenario.view_depth))
            .via(queue::spmc(scenario.second_queue));
        Ok(Self {
            flow,
            clock,
            hand,
            tap: Box::new(views.into_consumer()),
        })
    }

    /// Lets time pass.
    pub(super) fn advance(&self, by: u64) {
        self.hand.advance(Nanos(by));
    }

    /// Steps the wall clock alone.
    pub(super) fn set_utc(&self, change: impl FnOnce(u64) -> u64) {
        self.hand.set_utc(UtcNanos(change(self.clock.utc().0)));
    }

    /// Steps the flow until it rests, and hands over the views that come out of it, unless the
    /// reader is `away` and leaves them where they are. So many messages are `waiting` to be read.
    ///
    /// # Errors
    /// Says why the flow cannot go on, or that it does not come to rest.
    pub(super) fn run(
        &mut self,
        away: bool,
        waiting: usize,
        view: &mut dyn FnMut(&Shown),
    ) -> Result<(), String> {
        let most = MOST_ROUNDS + waiting * ROUNDS_A_MESSAGE;
        for _ in 0..most {
            let work = self.flow.step(self.clock.mono());
            let work = work.map_err(|error: StepError| error.to_string())?;
            let mut moved = work == Work::Busy;
            loop {
                if away {
                    break;
                }
                let seen = self
                    .tap
                    .ready()
                    .map_err(|_| "the flow has ended".to_owned())?;
                if seen.is_empty() {
                    break;
                }
                seen.iter().for_each(&mut *view);
                let count = seen.len();
                self.tap.release(count);
                moved = true;
            }
            if !moved {
                return Ok(());
            }
        }
        Err(format!(
            "the flow does not rest after {most} rounds at one moment, with {waiting} messages to read"
        ))
    }
}

/// A feed as the product makes it, from its own venue's specification.
fn feed(
    scenario: &Scenario,
    plan: &SocketPlan,
    line: &Shared,
) -> Result<Feed<Box<dyn dragonfly_core::feed::Subscriber>, Ears>, String> {
    let spec = venue::find(plan.dialect.name).ok_or("the product has no such venue")?;
    let mut symbols = Vec::new();
    for listing in &plan.listings {
        let (base, quote) = (listing.base, plan.dialect.quote);
        let instrument = Instrument::spot(base, quote).map_err(|error| error.to_string())?;
        let native = (spec.native)(&instrument).ok_or("the venue has no such instrument")?;
        let spoken = (plan.dialect.native)(base, quote);
        if *native != *spoken {
            return Err(format!("the product says {native} for {spoken}"));
        }
        symbols.push((instrument.symbol(), native));
    }
    let native = symbols.iter().map(|(_, native): &(Symbol, Symbol)| *native);
    let wanted = Subscription::new(native, scenario.depth);
    let mut rules = (spec.rules)();
    if let Some(plant) = scenario.plant {
        plant.spoil_rules(&mut rules);
    }
    let venue = Venue::new(spec.id).map_err(|error| error.to_string())?;
    let mut decoder = (spec.decoder)(&wanted);
    if let Some(plant) = scenario.plant {
        decoder = plant.spoil_decoder(decoder);
    }
    let decoder = Fragile::new(decoder, line.clone());
    let listener = BookListener::new(venue, decoder, rules, scenario.depth, symbols);
    let subscriber = (spec.subscriber)(&wanted);
    let name = format!("{} {}", spec.id, plan.number);
    let listener: Ears = if scenario.tells_only_changes {
        Box::new(listener.only_changes())
    } else {
        Box::new(Changed::new(listener))
    };
    let listener = match scenario.plant {
        Some(plant) => plant.spoil_listener(listener),
        None => listener,
    };
    Ok(Feed::new(name, subscriber, listener, (spec.policy)()))
}
