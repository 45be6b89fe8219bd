//! A decoder that panics when its line wants it to: a bug in an adapter that shows once.

use dragonfly_core::{
    feed::{Decoded, Decoder, EarlyDecoder, FeedError},
    market::BookUpdate,
};

use super::line::Shared;

/// A decoder that may break.
pub(super) struct Fragile {
    decoder: Box<dyn Decoder>,
    line: Shared,
}

impl Fragile {
    pub(super) const fn new(decoder: Box<dyn Decoder>, line: Shared) -> Self {
        Self { decoder, line }
    }
}

impl Decoder for Fragile {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        if std::mem::take(&mut self.line.get().is_to_panic) {
            // Unwinds as a panic does, without the words on standard error.
            std::panic::resume_unwind(Box::new("a planted panic"));
        }
        self.decoder.decode(message, update, apply)
    }

    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        self.decoder.early()
    }
}
