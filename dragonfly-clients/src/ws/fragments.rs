//! Puts fragmented messages together, within one limit for the whole message.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within what was read, and lengths below the limit; tried at every cut of the bytes and by a fuzz target"
)]

use dragonfly_core::client::ClientError;

use super::{header::protocol, utf8};

/// How many fragments of a message may be empty: the limit of its length does not bound them.
const MAX_EMPTY: u32 = 1_000;

/// The message that is being put together, or was put together last.
#[derive(Debug)]
pub(super) struct Fragments {
    bytes: Vec<u8>,
    /// How many of the bytes are known to be whole characters, where that matters.
    checked: usize,
    /// How many of the fragments were empty.
    empty: u32,
    open: Option<Kind>,
    limit: usize,
}

/// What the first fragment said the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

impl Fragments {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            checked: 0,
            empty: 0,
            open: None,
            limit,
        }
    }

    /// Whether a message has begun and not ended.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the first fragment of a message.
    pub(super) fn begin(&mut self, kind: Kind, payload: &[u8]) -> Result<(), ClientError> {
        self.bytes.clear();
        (self.checked, self.empty) = (0, 0);
        self.open = Some(kind);
        self.append(kind, payload, 0)
    }

    /// Takes what has come of a further fragment, of which so many bytes are `missing`.
    pub(super) fn grow(&mut self, part: &[u8], missing: usize) -> Result<(), ClientError> {
        match self.open {
            Some(kind) => self.append(kind, part, missing),
            None => Ok(()),
        }
    }

    /// Takes a further fragment, or the rest of it; true when it was the last one.
    pub(super) fn go_on(&mut self, last: bool, payload: &[u8]) -> Result<bool, ClientError> {
        let Some(kind) = self.open else {
            return Err(protocol("a continuation of no message"));
        };
        self.append(kind, payload, 0)?;
        if !last {
            self.empty += u32::from(payload.is_empty());
            return if self.empty > MAX_EMPTY {
                Err(protocol("a message with more than 1000 empty fragments"))
            } else {
                Ok(false)
            };
        }
        self.open = None;
        if self.checked < self.bytes.len() {
            return Err(utf8::refused());
        }
        Ok(true)
    }

    /// The message put together last.
    pub(super) fn message(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// What there is of the message that is being put together, without a character that is cut.
    pub(super) fn so_far(&self) -> &[u8] {
        &self.bytes[..self.checked]
    }

    fn append(&mut self, kind: Kind, payload: &[u8], missing: usize) -> Result<(), ClientError> {
        if payload.len() + missing > self.limit - self.bytes.len() {
            return Err(ClientError::TooLarge { limit: self.limit });
        }
        self.bytes.extend_from_slice(payload);
        self.checked = match kind {
            Kind::Text => self.checked + utf8::whole(&self.bytes[self.checked..])?,
            Kind::Binary => self.bytes.len(),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_sum_of_its_fragments_and_the_next_one_starts_empty() {
        let mut fragments = Fragments::new(10);
        fragments.begin(Kind::Text, b"ab").unwrap();
        assert!(!fragments.go_on(false, b"").unwrap());
        assert!(fragments.go_on(true, b"cd").unwrap());
        assert_eq!(fragments.message(), b"abcd");
        fragments.begin(Kind::Binary, b"\xff").unwrap();
        assert!(fragments.go_on(true, b"\x00").unwrap());
        assert_eq!(fragments.message(), b"\xff\x00");
    }

    #[test]
    fn the_limit_is_that_of_the_whole_message() {
        let mut fragments = Fragments::new(10);
        fragments.begin(Kind::Text, b"12345").unwrap();
        assert!(!fragments.go_on(false, b"67890").unwrap());
        assert_eq!(
            fragments.go_on(true, b"x"),
            Err(ClientError::TooLarge { limit: 10 })
        );
    }

    #[test]
    fn a_character_may_be_cut_between_fragments_but_must_be_whole_in_the_end() {
        let mut fragments = Fragments::new(10);
        fragments.begin(Kind::Text, b"\xc3").unwrap();
        assert_eq!(fragments.so_far(), b"");
        assert!(fragments.go_on(true, b"\xa4").unwrap());
        fragments.begin(Kind::Text, b"\xc3").unwrap();
        assert!(matches!(
            fragments.go_on(true, b""),
            Err(ClientError::Protocol(_))
        ));
    }

    #[test]
    fn a_continuation_needs_a_beginning() {
        let mut fragments = Fragments::new(10);
        assert!(matches!(
            fragments.go_on(true, b"x"),
            Err(ClientError::Protocol(_))
        ));
    }
}
