//! A token bucket: what a venue allows a client to send, or how often to connect.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

use crate::clock::Nanos;

/// Allows `burst` at once and one more every `refill`. Holds no clock.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    refill: Nanos,
    burst: u32,
    /// When the bucket would be full again.
    full_at: Nanos,
}

impl Budget {
    /// `burst` at once, refilled by one every `refill`. A `burst` of zero counts as one.
    pub const fn new(burst: u32, refill: Nanos) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        Self {
            refill,
            burst,
            full_at: Nanos(0),
        }
    }

    /// No limit.
    pub const UNLIMITED: Self = Self::new(u32::MAX, Nanos(0));

    /// Takes one if there is one.
    pub fn take(&mut self, now: Nanos) -> bool {
        if self.next_at(now) > now {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.refill;
        true
    }

    /// Leaves one at the most at `now`; the next comes a `refill` after it is taken.
    pub fn leave_one(&mut self, now: Nanos) {
        self.full_at = self.full_at.max(now + self.ahead());
    }

    /// When the next one can be taken: `now` or later.
    pub fn next_at(&self, now: Nanos) -> Nanos {
        now.max(self.full_at - self.ahead())
    }

    /// How long all but one take to come back.
    const fn ahead(&self) -> Nanos {
        Nanos(self.refill.0.saturating_mul(self.burst as u64 - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_every_refill() {
        let mut budget = Budget::new(3, Nanos::from_millis(200));
        let t = Nanos::from_secs(1);
        assert_eq!(
            [
                budget.take(t),
                budget.take(t),
                budget.take(t),
                budget.take(t)
            ],
            [true, true, true, false]
        );
        assert_eq!(budget.next_at(t), t + Nanos::from_millis(200));
        assert!(!budget.take(t + Nanos::from_millis(199)));
        assert!(budget.take(t + Nanos::from_millis(200)));
        assert!(!budget.take(t + Nanos::from_millis(201)));
    }

    #[test]
    fn where_one_is_left_the_next_comes_a_refill_later() {
        let mut budget = Budget::new(3, Nanos::from_millis(200));
        let t = Nanos::from_secs(1);
        budget.leave_one(t);
        assert_eq!([budget.take(t), budget.take(t)], [true, false]);
        assert_eq!(budget.next_at(t), t + Nanos::from_millis(200));
        budget.leave_one(t);
        assert!(!budget.take(t), "none is given back");
    }
}
