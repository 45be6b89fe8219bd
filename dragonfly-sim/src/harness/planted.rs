//! Bugs planted on purpose at the seams of the harness, to show that they would be found.
//!
//! Nothing of this is in the product: a plant changes the rules a feed is given, or stands between
//! two of the product's parts and does to what passes what a bug in either would do.

mod decoder;
mod listener;

use dragonfly_core::{
    clock::Nanos,
    feed::Decoder,
    market::{BookRules, SequenceRule},
};

use super::source::Ears;
use crate::oracle::View;

macro_rules! plants {
    ($($(#[doc = $about:literal])+ $plant:ident $name:literal)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Plant {
            $($(#[doc = $about])+ $plant,)+
        }

        impl Plant {
            /// Every plant.
            pub(crate) const ALL: &[Self] = &[$(Self::$plant),+];

            /// Its name on the command line.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$plant => $name,)+
                }
            }
        }
    };
}

plants! {
    /// A hole in the numbers of a book is not looked for.
    NoGapCheck "no-gap-check"
    /// A hole in the numbers of a connection is not looked for.
    NoConnectionCheck "no-connection-check"
    /// The number after the next one is taken for the next.
    PlusTwo "plus-two"
    /// The checksum is not looked at.
    NoChecksum "no-checksum"
    /// Silence is not noticed.
    NoSilence "no-silence"
    /// Silence is noticed of a whole connection only.
    SocketSilence "socket-silence"
    /// Silence is measured by the wall clock.
    WallClock "wall-clock"
    /// A book is not cut to the depth that was subscribed to.
    NoTruncation "no-truncation"
    /// Bids and asks are exchanged.
    SwappedSides "swapped-sides"
    /// A level of no quantity stays.
    KeptZero "kept-zero"
    /// Numbers go through floating point.
    Float "float"
    /// A second snapshot is merged into the book.
    MergedSnapshot "merged-snapshot"
    /// A new snapshot does not clear what was there before.
    NotCleared "not-cleared"
    /// Of several changes the last is forgotten.
    LastForgotten "last-forgotten"
    /// Of a change only the bids are taken.
    OneSide "one-side"
    /// A leg with a gap stays in the view.
    KeptOnGap "kept-on-gap"
    /// A silent leg stays in the view.
    KeptOnStale "kept-on-stale"
    /// A leg that lost its connection stays in the view.
    KeptOnDown "kept-on-down"
    /// A crossed leg stays in the view.
    KeptOnCrossed "kept-on-crossed"
    /// A book that has to be asked for again is not.
    NoRenewal "no-renewal"
    /// A connection that has to be made anew is not.
    NoReconnect "no-reconnect"
    /// What is shown is the book before the last change.
    LateByOne "late-by-one"
    /// A restart of the book is not counted.
    NoEpoch "no-epoch"
    /// When the first queue is full the newest event is dropped.
    DropsNewest "drops-newest"
    /// Of equal prices the smaller quantity comes first.
    TiesReversed "ties-reversed"
    /// The wait that a venue asks for is not kept.
    NoRetryAfter "no-retry-after"
    /// Before each attempt to connect the wait is the same.
    NoJitter "no-jitter"
    /// The address of a venue is looked up once.
    DnsCached "dns-cached"
}

impl Plant {
    /// The plant of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|plant| plant.name() == name)
    }

    /// Whether the address of a venue is looked up once.
    pub(super) fn keeps_address(self) -> bool {
        self == Self::DnsCached
    }

    /// What it does to the rules of a venue.
    pub(super) fn spoil_rules(self, rules: &mut BookRules) {
        match self {
            Self::NoGapCheck if matches!(rules.sequence, SequenceRule::Next { .. }) => {
                rules.sequence = SequenceRule::Increasing;
            }
            Self::NoConnectionCheck if rules.sequence == SequenceRule::Connection => {
                rules.sequence = SequenceRule::Increasing;
            }
            Self::NoChecksum => rules.checksum = None,
            Self::NoSilence => {
                rules.stale_after = Nanos::from_secs(3_600);
                rules.renew_after = None;
            }
            Self::SocketSilence => {
                rules.heartbeats_count = true;
                rules.renew_after = None;
            }
            _ => {}
        }
    }

    /// What it does to the updates of a venue.
    pub(super) fn spoil_decoder(self, decoder: Box<dyn Decoder>) -> Box<dyn Decoder> {
        Box::new(decoder::Spoiled::new(self, decoder))
    }

    /// What it does to the events of a feed.
    pub(super) fn spoil_listener(self, listener: Ears) -> Ears {
        Box::new(listener::Spoiled::new(self, listener))
    }

    /// What it does to a view.
    pub(super) fn spoil_view(self, mut view: View) -> View {
        if self != Self::TiesReversed {
            return view;
        }
        for side in [&mut view.bids, &mut view.asks] {
            for at in 1..side.len() {
                if side[at - 1].price == side[at].price {
                    side.swap(at - 1, at);
                }
            }
        }
        view
    }
}
