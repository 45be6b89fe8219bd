//! The venue's part of a book feed: bytes to [`BookUpdate`]s.

use super::EarlyDecoder;
use crate::market::{BookUpdate, NumberError};

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// Book updates; each was handed on.
    Book,
    /// Anything else.
    Other {
        /// The number of the message on its connection, where the venue counts those.
        connection_seq: Option<u64>,
    },
}

impl Decoded {
    /// A message that is no book update and carries no number.
    pub const OTHER: Self = Self::Other {
        connection_seq: None,
    };
}

/// Why a message could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The message does not have the venue's shape.
    #[error("{what} near byte {at}: {excerpt:?}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// The offset of the offending byte.
        at: usize,
        /// Up to 60 characters from there.
        excerpt: String,
    },
    /// A price or quantity that cannot be taken.
    #[error("{field} {text:?} is {error}")]
    Number {
        /// `price` or `quantity`.
        field: &'static str,
        /// The text as sent, at most 60 characters of it.
        text: String,
        /// What is wrong with it.
        error: NumberError,
    },
    /// A book nobody asked for.
    #[error("unexpected symbol {0:?}")]
    UnknownSymbol(String),
    /// The adapter's code panicked on the message.
    #[error("the adapter panicked: {0}")]
    Panicked(String),
}

impl FeedError {
    /// [`FeedError::Malformed`] with its excerpt cut out of the message.
    #[cold]
    pub fn malformed(what: &'static str, message: &[u8], at: usize) -> Self {
        let at = at.min(message.len());
        Self::Malformed {
            what,
            at,
            excerpt: excerpt(message.get(at..).unwrap_or_default()),
        }
    }

    /// [`FeedError::Number`] with the text cut to a bearable length.
    #[cold]
    pub fn number(field: &'static str, text: &[u8], error: NumberError) -> Self {
        Self::Number {
            field,
            text: excerpt(text),
            error,
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..60).unwrap_or(bytes)).into_owned()
}

/// Turns one venue's messages into book updates. Keeps no book and judges no sequence.
pub trait Decoder: Send {
    /// Decodes one message, which may be changed in place. For every book update in it, fills
    /// `update` (already cleared before the first) and calls `apply`; between two updates the
    /// decoder clears it.
    ///
    /// # Errors
    /// [`FeedError`] names what could not be understood. A decoder validates an update wholly
    /// before it calls `apply`.
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError>;

    /// What reads large messages while they arrive, if this venue has any that are worth it.
    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        None
    }
}

impl<D: Decoder + ?Sized> Decoder for Box<D> {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        (**self).decode(message, update, apply)
    }
    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        (**self).early()
    }
}
