//! What the processor's wide registers do better than a loop over bytes.
//!
//! Everything here is a shortcut: it reads what venues send nearly always, stops before whatever
//! looks otherwise, and leaves that to the plain code, which reads everything. Both must give the
//! same levels and the same faults for the same bytes; the tests and the fuzz target `simd` compare
//! them.
//!
//! What the processor has is found out at run time, once a thread, so that a plain build uses it.
//! Other processors than x86-64 with AVX2 use the plain code alone.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions are those of matches within blocks that are there; held to the plain twin by tests and a fuzz target"
)]

#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "loads from memory and calls of code for other processors"
)]
mod avx2;

use std::cell::Cell;

use dragonfly_core::market::Level;
use memchr::memchr3;

use super::Decimals;

thread_local! {
    static CHOICE: Cell<Choice> = const { Cell::new(Choice::Open) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Not looked yet.
    Open,
    Plain,
    Avx2,
}

/// Runs `work` without the wide registers, on this thread; for comparing what comes out.
pub fn plainly<T>(work: impl FnOnce() -> T) -> T {
    /// Restores the choice also when `work` panics.
    struct Restore(Choice);
    impl Drop for Restore {
        fn drop(&mut self) {
            CHOICE.set(self.0);
        }
    }
    let _restore = Restore(CHOICE.replace(Choice::Plain));
    work()
}

/// Whether the wide registers are used on this thread.
#[inline]
pub fn is_wide() -> bool {
    match CHOICE.get() {
        Choice::Open => find_out(),
        choice => choice == Choice::Avx2,
    }
}

#[cold]
fn find_out() -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_wide = avx2::is_available();
    #[cfg(not(target_arch = "x86_64"))]
    let is_wide = false;
    CHOICE.set(if is_wide { Choice::Avx2 } else { Choice::Plain });
    is_wide
}

/// Reads as many levels `["price","qty"]` of plain numbers as stand at `at`, with nothing but a comma
/// between them, until there are `wanted`. Returns where the last of them ends, which is `at` where
/// there was none. All of `into` hold as many levels and get the same: writing them twice costs less
/// than copying what has just been written.
#[inline]
pub(super) fn pairs<const N: usize>(
    message: &[u8],
    at: usize,
    into: [&mut Vec<Level>; N],
    wanted: usize,
    decimals: &mut Decimals,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_wide() {
        return avx2::pairs(message, at, into, wanted, decimals);
    }
    let _ = (message, into, wanted, decimals);
    at
}

/// A short text that is compared at once.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: [u8; 32],
    len: usize,
}

impl Piece {
    /// Of at most 32 bytes, which the compiler checks.
    pub(crate) const fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let mut i = 0;
        while i < text.len() {
            bytes[i] = text[i];
            i += 1;
        }
        Self {
            bytes,
            len: text.len(),
        }
    }
}

/// How a venue writes a level as an object: `head [string behind] price between qty tail`.
#[derive(Debug)]
pub(crate) struct LevelShape<const N: usize> {
    /// What it begins with, for each side that is told by it.
    pub(crate) heads: [Piece; N],
    /// What follows a string of no interest that stands first, if one does; its last quote included.
    pub(crate) behind: Option<Piece>,
    /// What stands between price and quantity, beginning with what ends the price.
    pub(crate) between: Piece,
    /// What follows the quantity, at most four bytes, beginning with what ends it.
    pub(crate) tail: Piece,
}

/// Reads as many levels of the given shape as stand at `at`, with nothing but a comma between them,
/// each into the place of its head. Returns where the last of them ends, which is `at` where there was
/// none.
#[inline]
pub(super) fn objects<const N: usize>(
    message: &[u8],
    at: usize,
    shape: &LevelShape<N>,
    into: [&mut Vec<Level>; N],
    decimals: &mut Decimals,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_wide() {
        return avx2::objects(message, at, shape, into, decimals);
    }
    let _ = (message, shape, into, decimals);
    at
}

/// Where the first colon or closing brace is; `None` where there is none, or a backslash before it.
#[inline]
pub(super) fn colon_or_brace(text: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if is_wide()
        && let Some(found) = avx2::colon_or_brace(text)
    {
        return (text.get(found) != Some(&b'\\')).then_some(found);
    }
    let found = memchr3(b':', b'}', b'\\', text)?;
    (text.get(found) != Some(&b'\\')).then_some(found)
}
