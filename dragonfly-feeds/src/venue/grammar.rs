//! What the venues' decoders have in common: from bytes to a grammar and back to an error.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

mod known;

pub(super) use known::Known;

use dragonfly_core::{
    clock::UtcNanos,
    feed::{Decoded, Decoder, FeedError},
    market::{BookUpdate, Instrument, Symbol},
};

use crate::json::{Cursor, Fault, Parse, unescape};

/// What takes a finished update.
pub(super) type Apply<'a> = &'a mut dyn FnMut(&mut BookUpdate);

/// How one venue's messages read, once their escapes are resolved.
pub(super) trait Grammar: Send {
    /// Reads a message that is written exactly as the venue writes it nearly always, before its escapes
    /// are resolved. `None`, with nothing applied, leaves it to [`parse`](Self::parse), which must read
    /// the same in every message that is read here.
    #[inline]
    fn expected(&mut self, _: &[u8], _: &mut BookUpdate, _: Apply<'_>) -> Option<Decoded> {
        None
    }

    /// As [`Decoder::decode`].
    fn parse(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Parse<Decoded>;
}

/// Makes a decoder of a grammar.
#[derive(Debug)]
pub(super) struct Json<G>(pub(super) G);

impl<G: Grammar> Decoder for Json<G> {
    #[inline]
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Result<Decoded, FeedError> {
        if let Some(decoded) = self.0.expected(message, update, apply) {
            return Ok(decoded);
        }
        update.clear();
        unescape(message);
        let parsed = self.0.parse(message, update, apply);
        parsed.map_err(|fault| fault.into_error(message))
    }
}

/// A value that may have to be read after the rest of the message, because only a later key says
/// what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Later<'a> {
    /// It has not been met.
    #[default]
    Missing,
    /// It has been passed unread and begins here.
    Passed(Cursor<'a>),
    /// It has been read, and began here; it has so many elements.
    Read(Cursor<'a>, usize),
}

/// Reads the elements of an array of updates one by one into `update`, which is left holding the
/// last of them, and applies none: the rest of the message may still be wrong.
#[inline]
pub(super) fn read_elements<'a>(
    c: &mut Cursor<'a>,
    update: &mut BookUpdate,
    mut read: impl FnMut(&mut Cursor<'a>, &mut BookUpdate) -> Parse<()>,
) -> Parse<usize> {
    let mut count = 0;
    c.array(|c| {
        count += 1;
        update.clear();
        read(c, update)
    })?;
    Ok(count)
}

impl<'a> Later<'a> {
    /// Reads what has been passed: where it begins, and how many elements it has.
    #[inline]
    pub(super) fn read(
        self,
        update: &mut BookUpdate,
        read: impl FnMut(&mut Cursor<'a>, &mut BookUpdate) -> Parse<()>,
    ) -> Parse<Option<(Cursor<'a>, usize)>> {
        Ok(match self {
            Self::Missing => None,
            Self::Passed(start) => Some((start, read_elements(&mut { start }, update, read)?)),
            Self::Read(start, count) => Some((start, count)),
        })
    }
}

/// Applies the `count` elements of an array of updates that begins at `c` and has been read without
/// a fault, in a message that has proved right; `finish` adds what the message says about all of
/// them. A single element is in `update` still; several are read again.
#[inline]
pub(super) fn apply_elements<'a>(
    mut c: Cursor<'a>,
    count: usize,
    update: &mut BookUpdate,
    mut read: impl FnMut(&mut Cursor<'a>, &mut BookUpdate) -> Parse<()>,
    mut finish: impl FnMut(&mut BookUpdate),
    apply: Apply<'_>,
) -> Parse<()> {
    if count == 1 {
        finish(update);
        apply(update);
        return Ok(());
    }
    c.array(|c| {
        update.clear();
        read(c, update)?;
        finish(update);
        apply(update);
        Ok(())
    })
}

/// A message that is no object is nothing a venue here sends, and no update.
#[inline]
pub(super) fn is_other(c: &mut Cursor<'_>) -> Parse<bool> {
    if c.is_object() {
        return Ok(false);
    }
    c.skip()?;
    c.end()?;
    Ok(true)
}

/// A symbol as the venue writes it.
#[inline]
pub(super) fn symbol(text: &[u8], at: &Cursor<'_>) -> Parse<Symbol> {
    let text = str::from_utf8(text).ok().filter(|text| !text.is_empty());
    text.and_then(|text| Symbol::new(text).ok())
        .ok_or_else(|| at.fault("no symbol, or one of more than 39 bytes, in the message"))
}

/// A symbol of another source, cut where it does not fit.
pub(super) fn symbol_or_cut(text: &str) -> Symbol {
    let mut end = text.len().min(39);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Symbol::new(&text[..end]).unwrap_or_default()
}

/// The unified symbol of an instrument, or the native text where it could not be taken apart.
pub(super) fn unified(instrument: Option<Instrument>, native: &str) -> Symbol {
    instrument.map_or_else(|| symbol_or_cut(native), |instrument| instrument.symbol())
}

/// A time in milliseconds.
#[inline]
pub(super) fn millis(text: Option<&[u8]>) -> Option<UtcNanos> {
    text.and_then(crate::json::whole_number)
        .map(UtcNanos::from_millis)
}

/// An answer in the venue's own words.
pub(super) fn words(text: Option<&[u8]>) -> String {
    let text = text.unwrap_or(b"no reason given");
    String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned()
}

/// The fault of a message that lacks something.
#[cold]
pub(super) const fn lacks(what: &'static str, c: &Cursor<'_>) -> Fault {
    c.fault(what)
}
