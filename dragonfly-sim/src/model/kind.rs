//! What can happen to a book, and how often it did.

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident $name:literal)+) => {
        /// Something out of the catalogue that happens to a book, a view or a queue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Kind {
            $($(#[doc = $about])+ $kind,)+
        }

        impl Kind {
            /// Every kind.
            pub(super) const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name in results.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What it is.
            pub(super) const fn about(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($about),+),)+
                }
            }
        }
    };
}

kinds! {
    /// a snapshot that is awaited, and fits
    SnapshotInTime "snapshot-in-time"
    /// a snapshot that is older than the first delta kept for it
    SnapshotOld "snapshot-old"
    /// a snapshot in the middle of a kept delta
    SnapshotStraddled "snapshot-straddled"
    /// the second snapshot in a row that does not fit
    SnapshotNeverFits "snapshot-never-fits"
    /// a snapshot of a book that is complete
    SnapshotSecond "snapshot-second"
    /// a snapshot that is behind the book it is of
    SnapshotBehind "snapshot-behind"
    /// a snapshot that leaves levels out
    SnapshotPartial "snapshot-partial"
    /// kept deltas that are applied after their snapshot
    Replayed "replayed"
    /// a delta in sequence
    DeltaInSequence "delta-in-sequence"
    /// a delta that does not follow
    Gap "gap"
    /// a delta that has been there already
    Duplicate "duplicate"
    /// a delta from before
    Old "old"
    /// two deltas in the wrong order
    Reordered "reordered"
    /// a delta that begins before what is known and goes beyond
    Straddling "straddling"
    /// so many old numbers in a row that the count must have restarted
    Recount "recount"
    /// the number that marks a restart
    Restart "restart"
    /// an image that is sent again
    ImageAgain "image-again"
    /// an image that is not in order
    ImageUnsorted "image-unsorted"
    /// a checksum that does not match
    ChecksumWrong "checksum-wrong"
    /// the removal of a level that is not there
    DeleteUnknown "delete-unknown"
    /// a level of no quantity in a whole book
    ZeroSize "zero-size"
    /// a price that is known, written with another number of decimals
    Respelled "respelled"
    /// numbers with more decimals than any before them
    TickChange "tick-change"
    /// one price twice in a message
    LevelTwice "level-twice"
    /// more levels than the venue keeps
    Truncated "truncated"
    /// a book that is crossed
    Crossed "crossed"
    /// a crossed book that recovers
    Uncrossed "uncrossed"
    /// a live book that has got fewer levels than are shown
    FewLevels "few-levels"
    /// a live book whose side has become empty
    EmptySide "empty-side"
    /// more early deltas than are kept
    Overflow "overflow"
    /// a connection's count that leaves numbers out
    CountGap "count-gap"
    /// a connection's count that goes back
    CountBack "count-back"
    /// a connection's count that begins again lower
    CountRestart "count-restart"
    /// a connection that is made
    LinkUp "link-up"
    /// a connection that is lost
    LinkDown "link-down"
    /// a book that is refused
    Refused "refused"
    /// everything refused
    RefusedAll "refused-all"
    /// a refused book that is asked for again
    AskedAgain "asked-again"
    /// a book nothing is heard of for too long
    StaleBook "stale-book"
    /// a connection nothing is heard of for too long
    StaleLink "stale-link"
    /// a message that goes on growing before it is whole
    SlowMessage "slow-message"
    /// an image that took so long to arrive that it is out of date
    LateImage "late-image"
    /// a book that does not come in time
    SyncOverdue "sync-overdue"
    /// a book that stays crossed for too long
    CrossedOverdue "crossed-overdue"
    /// a book that asks too often and has to wait
    AskHeldBack "ask-held-back"
    /// time going by
    ClockAdvance "clock-advance"
    /// a message nobody understands
    BadMessage "bad-message"
    /// several of those in a row
    BadInARow "bad-in-a-row"
    /// a doubt that nothing dispels in time
    DoubtOverdue "doubt-overdue"
    /// a book nobody asked for
    UnknownSymbol "unknown-symbol"
    /// books that fail in one message, or one in a message that is bad itself
    FailedTogether "failed-together"
    /// an event that a newer one replaces at the edge
    Conflated "conflated"
    /// a view that a newer one replaces before anybody looks
    ViewLost "view-lost"
    /// a leg there is no room for
    LegTooMany "leg-too-many"
    /// a price that several legs have
    Tie "tie"
    /// a connection that is retried
    Retry "retry"
    /// a budget that is spent
    Spend "spend"
}

impl Kind {
    /// Whether it is a fault, and nothing that happens when all is well.
    pub(super) const fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::SnapshotInTime
                | Self::Replayed
                | Self::DeltaInSequence
                | Self::Truncated
                | Self::Uncrossed
                | Self::AskedAgain
                | Self::AskHeldBack
                | Self::ClockAdvance
                | Self::LinkUp
                | Self::Conflated
                | Self::ViewLost
                | Self::Tie
                | Self::Retry
                | Self::Spend
        )
    }
}

/// How often each kind happened.
#[derive(Clone, Debug)]
pub(super) struct Tally([u64; Kind::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; Kind::ALL.len()])
    }
}

impl Tally {
    /// It happened.
    pub(super) const fn note(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// How often it happened.
    pub(super) const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds another tally.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum += more;
        }
    }
}
