//! Connections: what is on its way between a venue's conversation and a client, in which order, and
//! what a network does to it.

use std::collections::{HashMap, VecDeque};

use crate::{
    exchange::{Claim, Conversation, Dialect, Frame, Step},
    fault::{Deal, Place, Schedule, Target, deal},
    random::Random,
};

/// How many messages of the past are kept, for those that come once more.
const PAST: usize = 8;

/// What a client sends.
#[derive(Debug)]
pub(super) enum Up {
    Text(String),
    Ping,
}

/// What arrives at a client.
#[derive(Debug)]
pub(super) enum Down {
    Frame(Frame),
    Pong,
    End,
}

/// One connection.
pub(super) struct Conn {
    pub(super) dialect: &'static Dialect,
    /// None once the venue's end is gone.
    pub(super) conversation: Option<Box<dyn Conversation>>,
    up: VecDeque<(u64, Up)>,
    down: VecDeque<(u64, Down)>,
    latency: u64,
    random: Random,
    /// Until when the venue says nothing; what it would have said is lost.
    pub(super) mute_until: u64,
    /// Until when what the venue says is held up.
    pub(super) jammed_until: u64,
    /// Until when what the client says is lost.
    pub(super) deaf_until: u64,
    pub(super) is_half_open: bool,
    kept_back: Option<Frame>,
    past: VecDeque<Frame>,
    numbers: HashMap<usize, Number>,
}

/// Where the numbering of a book stands.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    stream: u64,
    last: u64,
}

impl Conn {
    pub(super) fn new(
        dialect: &'static Dialect,
        conversation: Box<dyn Conversation>,
        latency: u64,
        random: Random,
    ) -> Self {
        Self {
            dialect,
            conversation: Some(conversation),
            up: VecDeque::new(),
            down: VecDeque::new(),
            latency,
            random,
            mute_until: 0,
            jammed_until: 0,
            deaf_until: 0,
            is_half_open: false,
            kept_back: None,
            past: VecDeque::new(),
            numbers: HashMap::new(),
        }
    }

    /// When the venue, or the client, next has something to read.
    pub(super) fn due(&self, is_client_away: bool) -> Option<u64> {
        let up = self.up.front().map(|(at, _)| *at);
        let down = self
            .down
            .front()
            .map(|(at, _)| *at)
            .filter(|_| !is_client_away);
        let conversation = self.conversation.as_ref().and_then(|talk| talk.due());
        [up, down, conversation].into_iter().flatten().min()
    }

    /// Whether the venue's end is there and can be heard.
    pub(super) const fn is_up(&self) -> bool {
        self.conversation.is_some() && !self.is_half_open
    }

    /// The client sends something.
    pub(super) fn send_up(&mut self, up: Up, now: u64) {
        if self.is_half_open || now < self.deaf_until {
            return;
        }
        let last = self.up.back().map_or(0, |(at, _)| *at);
        let at = last.max(now + self.delay());
        self.up.push_back((at, up));
    }

    /// What has reached the venue.
    pub(super) fn take_up(&mut self, now: u64) -> Option<Up> {
        let is_there = self.up.front().is_some_and(|(at, _)| *at <= now);
        is_there.then(|| self.up.pop_front())?.map(|(_, up)| up)
    }

    /// What has reached the client.
    pub(super) fn take_down(&mut self, now: u64) -> Option<Down> {
        let is_there = self.down.front().is_some_and(|(at, _)| *at <= now);
        is_there
            .then(|| self.down.pop_front())?
            .map(|(_, down)| down)
    }

    fn delay(&mut self) -> u64 {
        let jitter = self.latency / 4 + 1;
        self.latency + self.random.below(jitter)
    }

    /// The venue's stack answers a ping.
    pub(super) fn pong(&mut self, now: u64) {
        self.send_down(Down::Pong, now);
    }

    /// The connection ends from the venue's side.
    pub(super) fn end(&mut self, now: u64) {
        self.send_down(Down::End, now);
        self.conversation = None;
    }

    fn send_down(&mut self, down: Down, now: u64) {
        if self.is_half_open || self.conversation.is_none() {
            return;
        }
        let last = self.down.back().map_or(0, |(at, _)| *at);
        let at = last.max(now + self.delay()).max(self.jammed_until);
        self.down.push_back((at, down));
    }

    /// The venue sends messages, to which faults may happen.
    pub(super) fn post(
        &mut self,
        frames: Vec<Frame>,
        now: u64,
        next_stream: &mut u64,
        schedule: &mut Schedule,
        target: &dyn Fn(usize) -> (&'static str, u32, String),
    ) {
        for mut frame in frames {
            let close = frame.close;
            self.number(&mut frame, next_stream);
            if now < self.mute_until {
                continue;
            }
            let Deal { now: sent, later } = self.deal(frame, schedule, target);
            let held = self.kept_back.take();
            for frame in sent.into_iter().chain(held) {
                self.emit(frame, now, next_stream);
            }
            self.kept_back = later;
            if close.is_some() {
                self.end(now);
                return;
            }
        }
    }

    fn deal(
        &mut self,
        frame: Frame,
        schedule: &mut Schedule,
        target: &dyn Fn(usize) -> (&'static str, u32, String),
    ) -> Deal {
        let whole = |frame| Deal {
            now: vec![frame],
            later: None,
        };
        let Some(claim) = frame.claims.first() else {
            return whole(frame);
        };
        if schedule.has_armed(Place::Message) {
            let (venue, socket, instrument) = target(claim.listing);
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

    fn emit(&mut self, mut frame: Frame, now: u64, next_stream: &mut u64) {
        if self.dialect.is_uncounted {
            for claim in &mut frame.claims {
                let number = self.numbers.entry(claim.listing).or_default();
                count(claim, number, next_stream);
            }
            frame.claims.retain(|claim| claim.stream > 0);
        }
        self.send_down(Down::Frame(frame), now);
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

/// Counts what has no number, as its client has to.
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
