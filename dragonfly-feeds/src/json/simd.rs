//! What the processor's wide registers do better than a loop over bytes.
//!
//! Everything here is a shortcut: it reads what venues send nearly always, stops before whatever
//! looks otherwise, and leaves that to the plain code, which reads everything. Both must give the
//! same levels and the same faults for the same bytes; the tests and the fuzz target `simd` compare
//! them.
//!
//! What the processor has is found out at run time, once a thread, so that a plain build uses it.
//! Other processors than x86-64 with AVX2 use the plain code alone.

#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "loads from memory and calls of code for other processors"
)]
mod avx2;

use std::cell::Cell;

use dragonfly_core::market::Level;

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
/// between them, until `levels` holds `wanted`. Returns where the last of them ends, which is `at`
/// where there was none.
#[inline]
pub(super) fn pairs(
    message: &[u8],
    at: usize,
    levels: &mut Vec<Level>,
    wanted: usize,
    decimals: &mut Decimals,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_wide() {
        return avx2::pairs(message, at, levels, wanted, decimals);
    }
    let _ = (message, levels, wanted, decimals);
    at
}
