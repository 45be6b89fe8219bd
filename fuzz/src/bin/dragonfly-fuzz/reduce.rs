//! Makes an input that breaks something smaller.

use dragonfly_fuzz::{Failure, Target, execute};

/// How many inputs are tried at the most.
const TRIALS: usize = 2_000;

/// The smallest input found that breaks `target` in the way `failure` does.
pub(crate) fn reduce(target: &Target, input: &[u8], failure: &Failure) -> Vec<u8> {
    let fails = |bytes: &[u8]| execute(target, bytes).is_err_and(|f| f.key() == failure.key());
    let mut bytes = input.to_vec();
    // What is too slow or too large gets less so with each cut: it is shown as it was.
    if !matches!(failure, Failure::Panic(_)) {
        return bytes;
    }
    let (mut size, mut trials) = (bytes.len() / 2, 0);
    while size > 0 {
        let mut at = 0;
        while at < bytes.len() && trials < TRIALS {
            trials += 1;
            let end = bytes.len().min(at + size);
            let less = [&bytes[..at], &bytes[end..]].concat();
            if fails(&less) {
                bytes = less;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    bytes
}
