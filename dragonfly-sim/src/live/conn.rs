//! One connection as the venue sees it: its conversation, what waits to be sent, and what is wrong
//! with it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::Notify;

use super::{manners::Manners, pipe::Controls, wire::is_fatal};
use crate::{
    exchange::{Conversation, Dialect, Frame},
    fault::Kind,
    post::Post,
    random::Random,
};

/// Messages that may wait; a client that is further behind is cut off.
const MOST_WAITING: usize = 8_192;
/// The same in bytes.
const MOST_BYTES: usize = 64 << 20;
/// By how much a message is late at most, in ns.
const LATE: u64 = 300_000_000;

/// A fault of how a message is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoil {
    pub(super) kind: Kind,
    /// Its place in the plan.
    pub(super) index: usize,
    /// How long it takes, in ns.
    pub(super) lasting: u64,
}

/// Something to send.
#[derive(Debug)]
pub(super) enum Parcel {
    Message(Frame, Option<Spoil>),
    Pong(Vec<u8>),
    Ping(Vec<u8>),
    /// Closes with this code.
    Close(u16),
    /// Answers the client's close.
    Farewell(Vec<u8>),
}

/// What is to be done with a connection next.
#[derive(Debug)]
pub(super) enum Step {
    Send(Parcel),
    /// Nothing, until the time in ns or until woken.
    Wait(Option<u64>),
    End,
}

/// How a connection ends, if not by a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// With a reset.
    Cut,
    /// Not for a long time; but nothing is read and nothing is written any more.
    HalfOpen,
    /// The client has gone.
    Gone,
}

/// One connection.
pub(super) struct Conn {
    pub(super) venue: usize,
    /// Which of the venue's connections: the lowest number that was free.
    pub(super) slot: u32,
    /// The ledger's number of the connection.
    pub(super) socket: u32,
    pub(super) conversation: Box<dyn Conversation>,
    pub(super) post: Post,
    pub(super) manners: Manners,
    /// The listings that were spoken of on it.
    pub(super) carried: BTreeSet<usize>,
    queue: VecDeque<(u64, Parcel)>,
    bytes: usize,
    fate: Option<Fate>,
    /// Whether the last thing to be sent waits already.
    is_closing: bool,
    /// Wakes whoever sends.
    pub(super) wake: Arc<Notify>,
    /// Interrupts whoever sends.
    pub(super) end: Arc<Notify>,
    pub(super) controls: Arc<Controls>,
    /// Until when the venue says nothing; what it would have said is lost.
    pub(super) mute_until: u64,
    /// Until when what the venue says is held up.
    pub(super) jammed_until: u64,
    /// Until when what the client says is lost.
    pub(super) deaf_until: u64,
    /// From when and until when it will be held up once more.
    pub(super) silence: Option<(u64, u64)>,
    /// When it has lived long enough, and the fault that wants it so.
    pub(super) ends_at: Option<(u64, usize)>,
    /// Until when bytes are sent one by one.
    pub(super) byte_wise_until: u64,
    /// Until when what the venue says is late.
    pub(super) late_until: u64,
    random: Random,
}

impl Conn {
    pub(super) fn new(
        (venue, slot, socket): (usize, u32, u32),
        dialect: &'static Dialect,
        conversation: Box<dyn Conversation>,
        controls: Arc<Controls>,
        random: Random,
        now: u64,
    ) -> Self {
        Self {
            venue,
            slot,
            socket,
            conversation,
            post: Post::new(dialect),
            manners: Manners::new(now),
            carried: BTreeSet::new(),
            queue: VecDeque::new(),
            bytes: 0,
            fate: None,
            is_closing: false,
            wake: Arc::default(),
            end: Arc::default(),
            controls,
            mute_until: 0,
            jammed_until: 0,
            deaf_until: 0,
            silence: None,
            ends_at: None,
            byte_wise_until: 0,
            late_until: 0,
            random,
        }
    }

    /// Whether the venue's end is there and has more to say.
    pub(super) const fn is_up(&self) -> bool {
        self.fate.is_none() && !self.is_closing
    }

    /// How it ended.
    pub(super) const fn fate(&self) -> Option<Fate> {
        self.fate
    }

    /// Whether a fault keeps what is said, in either direction.
    pub(super) const fn is_stalled(&self, now: u64) -> bool {
        now < self.mute_until || now < self.jammed_until || now < self.deaf_until
    }

    /// How many parcels wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Ends the connection.
    pub(super) fn finish(&mut self, fate: Fate) {
        if self.fate.is_some() {
            return;
        }
        self.fate = Some(fate);
        self.queue.clear();
        self.controls
            .is_cut
            .store(fate == Fate::Cut, Ordering::Relaxed);
        self.wake.notify_one();
        self.end.notify_one();
    }

    /// Puts something at the end of what waits.
    pub(super) fn push(&mut self, parcel: Parcel, now: u64) {
        let is_last = match &parcel {
            Parcel::Message(_, spoil) => spoil.is_some_and(|spoil| is_fatal(spoil.kind)),
            Parcel::Pong(_) | Parcel::Ping(_) => false,
            Parcel::Close(_) | Parcel::Farewell(_) => true,
        };
        // A client may answer a close, and nothing else comes after the last.
        let is_answer = matches!(parcel, Parcel::Farewell(_));
        if self.fate.is_some() || self.is_closing && !is_answer {
            return;
        }
        self.is_closing |= is_last;
        if let Parcel::Message(frame, _) = &parcel {
            self.bytes += frame.text.len();
        }
        let late = if now < self.late_until {
            self.random.below(LATE)
        } else {
            0
        };
        let last = self.queue.back().map_or(0, |(at, _)| *at);
        self.queue.push_back((last.max(now + late), parcel));
        self.wake.notify_one();
        if self.queue.len() > MOST_WAITING || self.bytes > MOST_BYTES {
            tracing::info!(socket = self.socket, "a client is too slow and is cut off");
            self.finish(Fate::Cut);
        }
    }

    /// What is to be done next.
    pub(super) fn step(&mut self, now: u64) -> Step {
        if self.fate.is_some() {
            return Step::End;
        }
        if let Some((_, until)) = self.silence.take_if(|(from, _)| *from <= now) {
            self.jammed_until = until;
        }
        let is_byte_wise = now < self.byte_wise_until;
        self.controls
            .is_byte_wise
            .store(is_byte_wise, Ordering::Relaxed);
        if now < self.jammed_until
            && let Some(pong) = self.pong()
        {
            return Step::Send(pong);
        }
        let Some((at, _)) = self.queue.front() else {
            return Step::Wait(None);
        };
        let at = (*at).max(self.jammed_until);
        if at > now {
            return Step::Wait(Some(at));
        }
        match self.queue.pop_front() {
            Some((_, parcel)) => {
                if let Parcel::Message(frame, _) = &parcel {
                    self.bytes -= frame.text.len();
                }
                Step::Send(parcel)
            }
            None => Step::Wait(None),
        }
    }

    /// An answer to a ping: a line that stalls gives it all the same.
    fn pong(&mut self) -> Option<Parcel> {
        let mut waiting = self.queue.iter();
        let at = waiting.position(|(_, parcel)| matches!(parcel, Parcel::Pong(_)))?;
        self.queue.remove(at).map(|(_, parcel)| parcel)
    }

    /// What was wrong with it for a while is over.
    pub(super) fn heal(&mut self) {
        (self.mute_until, self.jammed_until, self.deaf_until) = (0, 0, 0);
        (self.byte_wise_until, self.late_until) = (0, 0);
        (self.silence, self.ends_at) = (None, None);
        self.wake.notify_one();
    }
}
