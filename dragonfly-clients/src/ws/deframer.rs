//! Messages out of the bytes a server sends, without I/O.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within what was read, and lengths below the limit; tried at every cut of the bytes and by a fuzz target"
)]

use std::ops::Range;

use dragonfly_core::client::{ClientError, Received};

use super::{
    close::closed,
    fragments::{Fragments, Kind},
    header::{Header, Opcode, protocol},
    utf8,
};

/// How much room there is for a read, in bytes: some fifty messages of usual size.
const ROOM: usize = 64 << 10;

/// By how much the buffer grows at a time for a message that is on its way: what the peer merely
/// announces takes no memory.
const GROWTH: usize = 4;

/// After how many reads in a row that would not have needed it a large buffer is given back.
const PATIENCE: u32 = 256;

/// Turns the bytes of a WebSocket connection into its messages, in the buffer they were read into.
///
/// Bytes go in by [`push`](Self::push), messages come out of [`next`](Self::next). Nothing is
/// copied but what comes in fragments, and the beginning of a frame that a read has cut. Everything
/// that RFC 6455 forbids a server without extensions is refused.
///
/// ```
/// use dragonfly_clients::ws::Deframer;
/// use dragonfly_core::client::Received;
///
/// let mut frames = Deframer::new(1 << 20);
/// frames.push(b"\x81\x05hello\x81\x03w");
/// assert!(matches!(frames.next()?, Some(Received::Message(b)) if b == b"hello"));
/// assert!(frames.next()?.is_none());
/// frames.push(b"or");
/// assert!(matches!(frames.next()?, Some(Received::Message(b)) if b == b"wor"));
/// # Ok::<(), dragonfly_core::client::ClientError>(())
/// ```
#[derive(Debug)]
pub struct Deframer {
    bytes: Vec<u8>,
    /// Where the first frame that was not handed out begins.
    start: usize,
    /// The length of that frame with its header, as far as it is known to be cut.
    needed: usize,
    /// How much of its payload is known to be whole characters, or was taken as a fragment.
    checked: usize,
    /// How much of the message that is on its way has been shown as a part.
    shown: usize,
    fragments: Fragments,
    limit: usize,
    /// Reads in a row for which a large buffer was not needed.
    roomy: u32,
}

/// The next thing to hand out, and where it lies.
#[derive(Debug)]
pub(super) enum Next {
    Whole(Range<usize>),
    Assembled,
    /// A message that is not whole yet.
    Part(Range<usize>),
    AssembledPart,
    Ping(Range<usize>),
    Pong,
}

impl Deframer {
    /// Messages of at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            needed: 0,
            checked: 0,
            shown: 0,
            fragments: Fragments::new(limit),
            limit,
            roomy: 0,
        }
    }

    /// The longest message, in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes are set aside for what is read.
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes the next bytes the server sent.
    pub fn push(&mut self, bytes: &[u8]) {
        self.space().extend_from_slice(bytes);
    }

    /// Where the next bytes are to be appended; there is room for some without growing.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        let rest = self.bytes.len() - self.start;
        if self.bytes.capacity() > GROWTH * ROOM && self.needed.max(rest) <= ROOM {
            self.roomy += 1;
        } else {
            self.roomy = 0;
        }
        if self.roomy > PATIENCE {
            self.roomy = 0;
            let mut smaller = Vec::with_capacity(ROOM);
            smaller.extend_from_slice(&self.bytes[self.start..]);
            self.bytes = smaller;
        } else {
            self.bytes.drain(..self.start);
        }
        self.start = 0;
        let capacity = self.bytes.capacity();
        if rest == capacity {
            let enough = self.needed.min(GROWTH * capacity).max(ROOM).max(rest + 1);
            self.bytes.reserve_exact(enough - rest);
        }
        &mut self.bytes
    }

    /// The next message; `None` when more bytes are needed for it.
    ///
    /// # Errors
    /// [`ClientError`] for what breaks the protocol or the limit, and for a close message; the
    /// connection is of no further use.
    #[allow(
        clippy::should_implement_trait,
        reason = "what is handed out is lent, which an iterator's items cannot be"
    )]
    pub fn next(&mut self) -> Result<Option<Received<'_>>, ClientError> {
        self.next_or_part(usize::MAX)
    }

    /// As [`next`](Self::next), but what there is of a message of `large` bytes or more is shown
    /// as a [`Received::Part`] while the rest is missing; no byte is shown twice in vain.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_or_part(&mut self, large: usize) -> Result<Option<Received<'_>>, ClientError> {
        let found = self.find(large)?;
        Ok(found.map(|next| self.lend(next)))
    }

    /// Lends what [`find`](Self::find) has just found.
    #[inline]
    pub(super) fn lend(&mut self, next: Next) -> Received<'_> {
        match next {
            Next::Whole(place) => Received::Message(&mut self.bytes[place]),
            Next::Assembled => Received::Message(self.fragments.message()),
            Next::Part(place) => Received::Part(&self.bytes[place]),
            Next::AssembledPart => Received::Part(self.fragments.so_far()),
            Next::Ping(place) => Received::Ping(&self.bytes[place]),
            Next::Pong => Received::Pong,
        }
    }

    /// The next thing to hand out; [`next_or_part`](Self::next_or_part) without the loan.
    #[inline]
    pub(super) fn find(&mut self, large: usize) -> Result<Option<Next>, ClientError> {
        loop {
            let unread = &self.bytes[self.start..];
            let Some(header) = Header::parse(unread, self.limit)? else {
                self.needed = 0;
                return Ok(None);
            };
            let whole = header.length + header.payload;
            if unread.len() < whole {
                self.needed = whole;
                return self.part(&header, large);
            }
            let place = self.start + header.length..self.start + whole;
            self.start += whole;
            self.needed = 0;
            let checked = std::mem::take(&mut self.checked);
            let next = match (header.opcode, header.is_last) {
                (Opcode::Text, true) if !self.fragments.is_open() => {
                    let rest = &self.bytes[place.start + checked..place.end];
                    if utf8::whole(rest)? < rest.len() {
                        return Err(utf8::refused());
                    }
                    Some(Next::Whole(place))
                }
                (Opcode::Binary, true) if !self.fragments.is_open() => Some(Next::Whole(place)),
                (Opcode::Continuation, _) => {
                    let rest = place.start + checked..place.end;
                    self.rarely(&header, rest, large)?
                }
                _ => self.rarely(&header, place, large)?,
            };
            if next.is_some() {
                if matches!(next, Some(Next::Whole(_) | Next::Assembled)) {
                    self.shown = 0;
                }
                return Ok(next);
            }
        }
    }

    /// Takes a whole frame that is a fragment, or what is left of it, or a control message.
    fn rarely(
        &mut self,
        header: &Header,
        place: Range<usize>,
        large: usize,
    ) -> Result<Option<Next>, ClientError> {
        let payload = &self.bytes[place.clone()];
        let is_whole = match header.opcode {
            Opcode::Text | Opcode::Binary if self.fragments.is_open() => {
                return Err(protocol("a new message inside a fragmented one"));
            }
            Opcode::Text => self.fragments.begin(Kind::Text, payload).map(|()| false)?,
            Opcode::Binary => self
                .fragments
                .begin(Kind::Binary, payload)
                .map(|()| false)?,
            Opcode::Continuation => self.fragments.go_on(header.is_last, payload)?,
            Opcode::Ping => return Ok(Some(Next::Ping(place))),
            Opcode::Pong => return Ok(Some(Next::Pong)),
            Opcode::Close => return Err(closed(payload)),
        };
        let so_far = self.fragments.so_far().len();
        Ok(match is_whole {
            true => Some(Next::Assembled),
            false if so_far >= large && so_far > self.shown => {
                self.shown = so_far;
                Some(Next::AssembledPart)
            }
            false => None,
        })
    }

    /// Looks at a frame that is cut: text is checked as it comes, and shown if it is large.
    fn part(&mut self, header: &Header, large: usize) -> Result<Option<Next>, ClientError> {
        let begin = self.start + header.length;
        let known = match header.opcode {
            Opcode::Text | Opcode::Binary if self.fragments.is_open() => {
                return Err(protocol("a new message inside a fragmented one"));
            }
            Opcode::Text => {
                self.checked += utf8::whole(&self.bytes[begin + self.checked..])?;
                self.checked
            }
            Opcode::Binary => self.bytes.len() - begin,
            Opcode::Continuation if self.fragments.is_open() => {
                return self.fragment_part(begin, header.payload, large);
            }
            // Control messages are small.
            _ => return Ok(None),
        };
        if header.payload < large || known <= self.shown {
            return Ok(None);
        }
        self.shown = known;
        Ok(Some(Next::Part(begin..begin + known)))
    }

    /// Takes what has come of a fragment that is cut, and shows it if the message is large.
    fn fragment_part(
        &mut self,
        begin: usize,
        payload: usize,
        large: usize,
    ) -> Result<Option<Next>, ClientError> {
        let new = &self.bytes[begin + self.checked..];
        let missing = payload - self.checked - new.len();
        self.checked += new.len();
        self.fragments.grow(new, missing)?;
        let known = self.fragments.so_far().len();
        if known + missing < large || known <= self.shown {
            return Ok(None);
        }
        self.shown = known;
        Ok(Some(Next::AssembledPart))
    }
}
