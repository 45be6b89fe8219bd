//! Images whose levels stand best first on both sides, the asks behind the bids.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::{
    feed::{Decoded, Decoder, EarlyDecoder, FeedError},
    market::BookUpdate,
};
use memchr::{memchr, memmem};

/// Shows an image as soon as the levels that are wanted of it are there.
///
/// That takes a message that says all that matters before its levels, or on a connection where it
/// goes without saying. What the end of a message says then is only compared.
#[derive(Debug)]
pub(crate) struct BestFirst<D> {
    whole: D,
    /// A decoder of its own, whatever a decoder may remember.
    part: D,
    /// What the last side begins with.
    asks: &'static [u8],
    /// What a message ends in behind the last level.
    end: String,
    least: usize,
    found: Found,
    closed: Vec<u8>,
}

/// How far a message has been looked through.
#[derive(Debug)]
enum Found {
    /// The last side has not been met before this byte.
    Nothing(usize),
    /// So many levels of it end before this byte.
    Levels(usize, usize),
    /// All that can be gained by looking has been.
    Enough,
}

impl<D: Decoder> BestFirst<D> {
    /// Messages of `least` bytes or more, whose last side begins with `asks` and which end in `end`
    /// behind it; `make` makes the venue's decoder.
    pub(crate) fn new(
        make: impl Fn() -> D,
        least: usize,
        asks: &'static [u8],
        end: String,
    ) -> Self {
        Self {
            whole: make(),
            part: make(),
            asks,
            end,
            least,
            found: Found::Nothing(0),
            closed: Vec::new(),
        }
    }

    /// Where the last wanted level ends, once it has come.
    fn find(&mut self, so_far: &[u8], wanted: usize) -> Option<usize> {
        if let Found::Nothing(from) = self.found {
            let begin = memmem::find(&so_far[from..], self.asks);
            self.found = match begin {
                Some(begin) => Found::Levels(0, from + begin + self.asks.len()),
                // The beginning of what is looked for may be there already.
                None => Found::Nothing((so_far.len() + 1).saturating_sub(self.asks.len())),
            };
        }
        let Found::Levels(mut count, mut at) = self.found else {
            return None;
        };
        while count < wanted
            && let Some(end) = memchr(b']', &so_far[at..])
        {
            (count, at) = (count + 1, at + end + 1);
        }
        self.found = Found::Levels(count, at);
        (count == wanted).then_some(at)
    }
}

impl<D: Decoder> EarlyDecoder for BestFirst<D> {
    fn least(&self) -> usize {
        self.least
    }

    fn begin(&mut self) {
        self.found = Found::Nothing(0);
    }

    fn part(
        &mut self,
        so_far: &[u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) {
        let Some(end) = self.find(so_far, update.wanted) else {
            return;
        };
        self.found = Found::Enough;
        self.closed.clear();
        self.closed.extend_from_slice(&so_far[..end]);
        // Behind an escape a quote may be none, and what looks like a level be a name.
        if memchr(b'\\', &self.closed).is_some() {
            return;
        }
        self.closed.extend_from_slice(self.end.as_bytes());
        // What cannot be taken is nobody's fault before the message is whole.
        let _too_early = self.part.decode(&mut self.closed, update, apply);
    }

    fn finish(
        &mut self,
        _: &mut [u8],
        _: &mut BookUpdate,
        _: &mut dyn FnMut(&mut BookUpdate),
    ) -> Option<Result<Decoded, FeedError>> {
        None
    }
}

impl<D: Decoder> Decoder for BestFirst<D> {
    #[inline]
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        self.whole.decode(message, update, apply)
    }

    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        Some(self)
    }
}
