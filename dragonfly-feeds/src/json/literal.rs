//! Messages written exactly as expected: compared with the expected text instead of looked into.
//!
//! Everything here either passes what it names or answers `None`, with the cursor anywhere: then the
//! message is read again from its beginning in the general way. It is read as it came, its escapes
//! unresolved, so nothing here passes a backslash.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::market::Level;
use memchr::memchr;

use super::{Cursor, Decimals, simd};

impl<'a> Cursor<'a> {
    /// What has not been passed yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.message.get(self.at..).unwrap_or_default()
    }

    /// Whether the message has no backslash: for what has been read in the general way, before its
    /// escapes were resolved.
    #[cold]
    pub(crate) fn has_no_escape(&self) -> bool {
        memchr(b'\\', self.message).is_none()
    }

    /// Passes exactly `text`, whose length is known to the compiler.
    #[inline]
    pub(crate) fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let is_next = self.rest().first_chunk() == Some(text);
        self.at += N;
        is_next.then_some(())
    }

    /// Passes exactly `text`.
    #[inline]
    pub(crate) fn exactly(&mut self, text: &[u8]) -> Option<()> {
        let is_next = self.rest().starts_with(text);
        self.at += text.len();
        is_next.then_some(())
    }

    /// Passes a whole number of 1 to 19 digits, and stops at whatever follows the last of them.
    #[inline]
    pub(crate) fn digits(&mut self) -> Option<u64> {
        let (mut number, mut len) = (0_u64, 0);
        loop {
            let chunk = self.rest().get(len..)?.first_chunk()?;
            let (value, count) = leading_digits(u64::from_le_bytes(*chunk));
            len += count;
            // 19 digits are below 2^64.
            if len > 19 {
                return None;
            }
            number = number * POW10[count] + value;
            if count < 8 {
                break;
            }
        }
        self.at += len;
        (len > 0).then_some(number)
    }

    /// Passes the text of a string from behind its first quote up to and with its last.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let len = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        self.at += len + 1;
        let (text, end) = rest.split_at(len);
        (end.first() == Some(&b'"')).then_some(text)
    }

    /// Passes an array of levels from behind its first bracket up to and with its last one and `next`,
    /// in which the first colon or brace is its last byte. The best `wanted` levels are read, from
    /// `memo` where they are the same as the last time.
    #[inline]
    pub(crate) fn image<const N: usize>(
        &mut self,
        levels: &mut Vec<Level>,
        wanted: usize,
        memo: &mut Memo,
        next: &[u8; N],
    ) -> Option<()> {
        let is_closed = match memo.recall(self.rest(), levels, wanted) {
            Some((len, is_closed)) => {
                self.at += len;
                is_closed
            }
            None if memo.is_worth_it() => {
                let start = self.at;
                let is_closed = self.best([&mut *levels, memo.renew()], wanted)?;
                memo.keep(self.message.get(start..self.at)?, is_closed, wanted);
                is_closed
            }
            None => self.best([levels], wanted)?,
        };
        if !is_closed {
            // Within the rest there is neither a colon nor a brace: the next one is that of `next`.
            let rest = self.rest();
            if rest.first() != Some(&b',') {
                return None;
            }
            let found = simd::colon_or_brace(rest)?;
            self.at += (found + 1).checked_sub(N + 2)?;
            self.literal(b"]]")?;
        }
        self.literal(next)
    }

    /// Passes an array of levels from behind its first bracket up to and with its last one, and reads
    /// all of them.
    #[inline]
    pub(crate) fn changes(&mut self, levels: &mut Vec<Level>) -> Option<()> {
        levels.clear();
        if self.rest().first() == Some(&b']') {
            self.at += 1;
            return Some(());
        }
        let mut decimals = Decimals::default();
        loop {
            let before = levels.len();
            let into = [&mut *levels];
            self.at = simd::pairs(self.message, self.at, into, usize::MAX, &mut decimals);
            if levels.len() == before {
                levels.push(self.plain_pair()?.0);
            }
            match self.rest().first() {
                Some(b']') => {
                    self.at += 1;
                    return Some(());
                }
                Some(b',') => self.at += 1,
                _ => return None,
            }
        }
    }

    /// Passes the best `wanted` levels, and the end of the array if it has no more; true at the end. All
    /// of `into` get the same.
    #[inline]
    fn best<const N: usize>(
        &mut self,
        mut into: [&mut Vec<Level>; N],
        wanted: usize,
    ) -> Option<bool> {
        into.iter_mut().for_each(|levels| levels.clear());
        if self.rest().first() == Some(&b']') {
            self.at += 1;
            return Some(true);
        }
        let mut decimals = Decimals::default();
        while into[0].len() < wanted {
            let before = into[0].len();
            let places = into.each_mut().map(|levels| &mut **levels);
            self.at = simd::pairs(self.message, self.at, places, wanted, &mut decimals);
            if into[0].len() == before {
                let level = self.plain_pair()?.0;
                into.iter_mut().for_each(|levels| levels.push(level));
            }
            match self.rest().first() {
                Some(b']') => {
                    self.at += 1;
                    return Some(true);
                }
                Some(b',') if into[0].len() == wanted => {}
                Some(b',') => self.at += 1,
                _ => return None,
            }
        }
        Some(false)
    }
}

const POW10: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// The value of the digits that eight bytes, the first of them lowest, begin with, and how many they
/// are.
///
/// After D. Lemire, "Quickly parsing eight digits" (2018).
#[inline]
fn leading_digits(bytes: u64) -> (u64, usize) {
    let values = bytes ^ 0x3030_3030_3030_3030;
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let v = values << (64 - 8 * count);
    let v = v.wrapping_mul(10 * 0x100 + 1) >> 8;
    let v = (v & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 * 0x1_0000 + 1) >> 16;
    let v = (v & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32;
    (v, count)
}

/// The text of some levels and what it reads as. Images that differ below their best levels only, or
/// on their other side, need not be read again.
///
/// What it gives depends on the text alone, so it cannot be out of date.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    text: Vec<u8>,
    levels: Vec<Level>,
    wanted: usize,
    /// The text ends with the end of the array.
    is_closed: bool,
    /// How many texts in a row have been others than the one before, or may have been.
    changes: u8,
}

/// After so many changes in a row a text is remembered only now and then: remembering costs an eighth of
/// reading.
const BUSY: u8 = 8;

impl Memo {
    /// When `rest` begins with the text, gives its levels, its length and whether the array ends there.
    #[inline]
    fn recall(
        &mut self,
        rest: &[u8],
        levels: &mut Vec<Level>,
        wanted: usize,
    ) -> Option<(usize, bool)> {
        if self.wanted != wanted || self.text.is_empty() || !rest.starts_with(&self.text) {
            return None;
        }
        self.changes = 0;
        levels.clear();
        levels.extend_from_slice(&self.levels);
        Some((self.text.len(), self.is_closed))
    }

    /// Whether the text that comes is to be remembered; forgets the one before.
    #[inline]
    fn is_worth_it(&mut self) -> bool {
        self.text.clear();
        self.changes = self.changes.wrapping_add(1);
        self.changes < BUSY || self.changes.is_multiple_of(BUSY)
    }

    /// Forgets the text; gives the place for other levels, empty.
    #[inline]
    fn renew(&mut self) -> &mut Vec<Level> {
        self.text.clear();
        self.levels.clear();
        &mut self.levels
    }

    /// Remembers the text of the levels that have been put into their place.
    #[inline]
    fn keep(&mut self, text: &[u8], is_closed: bool, wanted: usize) {
        if self.text.capacity() < text.len() {
            // The next one may be somewhat longer, and nothing is to be allocated for it.
            self.text.reserve(2 * text.len());
        }
        self.text.extend_from_slice(text);
        (self.wanted, self.is_closed) = (wanted, is_closed);
    }
}
