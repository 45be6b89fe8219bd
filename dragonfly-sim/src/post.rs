//! Between a conversation and its connection: messages get the numbers the ledger knows them by, and
//! faults happen to them on their way.

use std::collections::{HashMap, VecDeque};

use crate::{
    exchange::{Claim, Dialect, Frame, Step},
    fault::{Deal, Place, Schedule, Target, deal},
};

/// How many messages of the past are kept, for those that come once more.
const PAST: usize = 8;

/// What a connection's messages pass through.
#[derive(Debug)]
pub(crate) struct Post {
    dialect: &'static Dialect,
    kept_back: Option<Frame>,
    past: VecDeque<Frame>,
    numbers: HashMap<usize, Number>,
}

/// What all connections share.
pub(crate) struct Counter<'a> {
    /// The last stream that was begun.
    next_stream: &'a mut u64,
    /// The faults.
    schedule: &'a mut Schedule,
    /// The venue, the connection and the symbol of a listing.
    target: &'a dyn Fn(usize) -> (&'static str, u32, String),
}

impl<'a> Counter<'a> {
    pub(crate) const fn new(
        next_stream: &'a mut u64,
        schedule: &'a mut Schedule,
        target: &'a dyn Fn(usize) -> (&'static str, u32, String),
    ) -> Self {
        Self {
            next_stream,
            schedule,
            target,
        }
    }
}

/// Where the numbering of a book stands.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    stream: u64,
    last: u64,
}

impl Post {
    /// The way of a new connection.
    pub(crate) fn new(dialect: &'static Dialect) -> Self {
        Self {
            dialect,
            kept_back: None,
            past: VecDeque::new(),
            numbers: HashMap::new(),
        }
    }

    /// What comes of a message that the venue sends; nothing while it `is_mute`.
    pub(crate) fn pass(
        &mut self,
        mut frame: Frame,
        is_mute: bool,
        counter: &mut Counter<'_>,
    ) -> Vec<Frame> {
        self.number(&mut frame, counter.next_stream);
        if is_mute {
            return Vec::new();
        }
        let Deal { now: sent, later } = self.deal(frame, counter);
        let held = self.kept_back.take();
        let mut passed: Vec<Frame> = sent.into_iter().chain(held).collect();
        for frame in &mut passed {
            self.count(frame, counter.next_stream);
        }
        self.kept_back = later;
        passed
    }

    /// A message that was passed, once more.
    pub(crate) fn again(&mut self, mut frame: Frame, next_stream: &mut u64) -> Frame {
        self.count(&mut frame, next_stream);
        frame
    }

    fn deal(&mut self, frame: Frame, counter: &mut Counter<'_>) -> Deal {
        let whole = |frame| Deal {
            now: vec![frame],
            later: None,
        };
        let Some(claim) = frame.claims.first() else {
            return whole(frame);
        };
        let schedule = &mut *counter.schedule;
        if schedule.has_armed(Place::Message) {
            let (venue, socket, instrument) = (counter.target)(claim.listing);
            let target = Target {
                venue,
                socket,
                instrument: Some(&instrument),
            };
            for index in schedule.armed(Place::Message) {
                if !schedule.fits(index, &target) {
                    continue;
                }
                let mark = self.dialect.price_mark;
                let past = self.past.make_contiguous();
                let dealt = schedule
                    .get(index)
                    .and_then(|(fault, random)| deal(fault.kind, &frame, past, mark, random));
                if let Some(dealt) = dealt {
                    schedule.fire(index);
                    self.remember(frame);
                    return dealt;
                }
            }
        }
        self.remember(frame.clone());
        whole(frame)
    }

    fn remember(&mut self, frame: Frame) {
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        self.past.push_back(frame);
    }

    /// Counts what has no number, as its client has to.
    fn count(&mut self, frame: &mut Frame, next_stream: &mut u64) {
        if self.dialect.is_uncounted {
            for claim in &mut frame.claims {
                let number = self.numbers.entry(claim.listing).or_default();
                count(claim, number, next_stream);
            }
            frame.claims.retain(|claim| claim.stream > 0);
        }
    }

    /// Gives the numbers of the venue their scope.
    fn number(&mut self, frame: &mut Frame, next_stream: &mut u64) {
        if self.dialect.is_uncounted {
            return;
        }
        for claim in &mut frame.claims {
            let number = self.numbers.entry(claim.listing).or_default();
            match claim.step {
                Step::Image(generation) => number.stream = generation + 1,
                Step::Change if number.stream == 0 => {}
                Step::Change if claim.seq > number.last => {}
                _ => number.stream = fresh(next_stream),
            }
            number.last = claim.seq;
            claim.stream = number.stream;
        }
        frame.claims.retain(|claim| claim.stream > 0);
    }
}

fn count(claim: &mut Claim, number: &mut Number, next_stream: &mut u64) {
    match claim.step {
        Step::Change => number.last += 1,
        _ => {
            *number = Number {
                stream: fresh(next_stream),
                last: 0,
            };
        }
    }
    (claim.stream, claim.seq) = (number.stream, number.last);
}

const fn fresh(next_stream: &mut u64) -> u64 {
    *next_stream += 1;
    *next_stream
}
