//! Time as an argument: the two kinds of time stamp and the one place that reads a clock.
//!
//! Staleness, back-off and deadlines run on [`Nanos`], a monotonic count that a test moves by hand.
//! [`UtcNanos`] is wall-clock time that travels with an event and is never compared with a deadline.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Monotonic time: nanoseconds since the clock was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// A count of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// A count of whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// The time from `earlier` to `self`, zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// The same span as a [`Duration`].
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Nanos {
    fn from(d: Duration) -> Self {
        Self(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

/// Wall-clock time: nanoseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcNanos(pub u64);

impl UtcNanos {
    /// From milliseconds since the epoch; saturates.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From microseconds since the epoch; saturates.
    pub const fn from_micros(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }
}

impl fmt::Display for UtcNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

/// Both times of one moment: `mono` for deadlines, `utc` for stamping events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time.
    pub mono: Nanos,
    /// Wall-clock time.
    pub utc: UtcNanos,
}

/// A source of time: the machine's clocks, or one a test moves by hand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Clock {
    /// The machine's monotonic and wall clocks.
    Monotonic(Instant),
    /// A clock that stands still until it is moved.
    Manual(ManualClock),
}

impl Clock {
    /// The machine's clocks, counting from now.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn monotonic() -> Self {
        Self::Monotonic(Instant::now())
    }

    /// A clock moved by hand, starting at `utc` with a monotonic count of zero.
    pub fn manual(utc: UtcNanos) -> (Self, ManualClock) {
        let hand = ManualClock {
            mono: Arc::default(),
            utc: Arc::new(AtomicU64::new(utc.0)),
        };
        (Self::Manual(hand.clone()), hand)
    }

    /// The monotonic time.
    #[inline]
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn mono(&self) -> Nanos {
        match self {
            Self::Monotonic(start) => Nanos::from(Instant::now().duration_since(*start)),
            Self::Manual(hand) => Nanos(hand.mono.load(Ordering::Acquire)),
        }
    }

    /// The wall-clock time.
    #[inline]
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn utc(&self) -> UtcNanos {
        match self {
            Self::Monotonic(_) => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                UtcNanos(Nanos::from(since).0)
            }
            Self::Manual(hand) => UtcNanos(hand.utc.load(Ordering::Acquire)),
        }
    }

    /// Both times at once.
    #[inline]
    pub fn now(&self) -> Now {
        Now {
            mono: self.mono(),
            utc: self.utc(),
        }
    }
}

/// The hand of a [`Clock::Manual`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    mono: Arc<AtomicU64>,
    utc: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves both times forward.
    pub fn advance(&self, by: Nanos) {
        self.mono.fetch_add(by.0, Ordering::AcqRel);
        self.utc.fetch_add(by.0, Ordering::AcqRel);
    }

    /// Sets the wall clock alone, as a time server that corrects it would.
    pub fn set_utc(&self, utc: UtcNanos) {
        self.utc.store(utc.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_utc_steps_leave_monotonic_time_alone() {
        let (clock, hand) = Clock::manual(UtcNanos::from_millis(5));
        assert_eq!(
            clock.now(),
            Now {
                mono: Nanos(0),
                utc: UtcNanos(5_000_000)
            }
        );
        hand.advance(Nanos::from_millis(2));
        hand.set_utc(UtcNanos(1));
        assert_eq!(
            clock.now(),
            Now {
                mono: Nanos(2_000_000),
                utc: UtcNanos(1)
            }
        );
    }
}
