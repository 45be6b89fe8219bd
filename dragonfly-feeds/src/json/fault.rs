//! What is wrong with a message, small enough to be returned from every step of parsing.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::{feed::FeedError, market::NumberError};

/// The result of a step of parsing.
pub type Parse<T> = Result<T, Fault>;

/// What is wrong with a message and where. Becomes a [`FeedError`] with an excerpt once, at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    what: What,
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Shape(&'static str),
    Number {
        field: &'static str,
        len: usize,
        error: NumberError,
    },
}

impl Fault {
    /// The message does not have the expected shape at byte `at`; `what` says why.
    #[cold]
    pub const fn shape(what: &'static str, at: usize) -> Self {
        let what = What::Shape(what);
        Self { what, at }
    }

    /// The `len` bytes from `at` are no number that `field` can take.
    #[cold]
    pub const fn number(field: &'static str, at: usize, len: usize, error: NumberError) -> Self {
        let what = What::Number { field, len, error };
        Self { what, at }
    }

    /// The error with its excerpt of `message`.
    #[cold]
    pub fn into_error(self, message: &[u8]) -> FeedError {
        match self.what {
            What::Shape(what) => FeedError::malformed(what, message, self.at),
            What::Number { field, len, error } => {
                let text = message.get(self.at..self.at + len).unwrap_or_default();
                FeedError::number(field, text, error)
            }
        }
    }
}
