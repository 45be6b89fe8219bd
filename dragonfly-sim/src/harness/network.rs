//! Connections: what is on its way between a venue's conversation and a client, in which order, and
//! what a network does to it.

use std::collections::VecDeque;

use crate::{
    exchange::{Conversation, Dialect, Frame},
    fault::Schedule,
    post::{Counter, Post},
    random::Random,
};

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
    post: Post,
}

impl Conn {
    pub(super) fn new(
        dialect: &'static Dialect,
        conversation: Box<dyn Conversation>,
        latency: u64,
        random: Random,
    ) -> Self {
        Self {
            conversation: Some(conversation),
            up: VecDeque::new(),
            down: VecDeque::new(),
            latency,
            random,
            mute_until: 0,
            jammed_until: 0,
            deaf_until: 0,
            is_half_open: false,
            post: Post::new(dialect),
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
        let is_mute = now < self.mute_until;
        let mut counter = Counter::new(next_stream, schedule, target);
        for frame in frames {
            let close = frame.close.filter(|_| !is_mute);
            for frame in self.post.pass(frame, is_mute, &mut counter) {
                self.send_down(Down::Frame(frame), now);
            }
            if close.is_some() {
                self.end(now);
                return;
            }
        }
    }
}
