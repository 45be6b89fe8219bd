//! A tape: a recording prepared for playing, and the player that decides what is due when.
//!
//! Preparing happens once, when the simulator starts: messages are sorted into *streams* (what a
//! client can subscribe to), re-expressed where the venue's protocol has changed since, and shared
//! by all connections. Playing does no I/O and reads no clock.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use dragonfly_core::clock::{Nanos, UtcNanos};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Pace {
    /// At the recorded pace times this factor: 1 as recorded, 2 twice as fast. Above 0, finite.
    Speed(f64),
    /// As fast as the client reads: nothing waits.
    AsFast,
}

impl Default for Pace {
    fn default() -> Self {
        Self::Speed(1.0)
    }
}

impl Pace {
    /// The time `recorded` takes when played.
    fn stretch(self, recorded: Nanos) -> Nanos {
        match self {
            Self::Speed(factor) => {
                let seconds = recorded.as_duration().as_secs_f64() / factor;
                std::time::Duration::try_from_secs_f64(seconds).map_or(Nanos(u64::MAX), Nanos::from)
            }
            Self::AsFast => recorded,
        }
    }
}

/// One message on a tape.
#[derive(Debug)]
pub(crate) struct Item {
    /// Recorded time since the tape's first item.
    pub(crate) at: Nanos,
    /// Which stream it belongs to.
    pub(crate) stream: usize,
    /// The whole message.
    pub(crate) text: Arc<str>,
    /// A part of `text` whose meaning is the dialect's own.
    pub(crate) span: Range<usize>,
}

/// A recording prepared for playing.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    start: Option<UtcNanos>,
    streams: Vec<String>,
    items: Vec<Item>,
}

impl Tape {
    /// Appends a message of `stream`.
    pub(crate) fn push(&mut self, at: UtcNanos, stream: &str, text: Arc<str>, span: Range<usize>) {
        let start = *self.start.get_or_insert(at);
        let stream = self.stream(stream).unwrap_or_else(|| {
            self.streams.push(stream.to_owned());
            self.streams.len() - 1
        });
        // Receive clocks may step back; a tape does not.
        let before = self.items.last().map_or(Nanos(0), |item| item.at);
        self.items.push(Item {
            at: before.max(Nanos(at.0.saturating_sub(start.0))),
            stream,
            text,
            span,
        });
    }

    /// The number of the stream of this name.
    pub(crate) fn stream(&self, name: &str) -> Option<usize> {
        self.streams.iter().position(|known| known == name)
    }

    /// The names of all streams; a stream's number is its place.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (usize, &str)> {
        self.streams.iter().map(String::as_str).enumerate()
    }

    /// Whether there is nothing to play.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn next_of(&self, streams: &BTreeSet<usize>, from: usize) -> Option<usize> {
        let rest = self.items.get(from..)?;
        rest.iter()
            .position(|item| streams.contains(&item.stream))
            .map(|found| from + found)
    }
}

/// The streams of one subscription request, played from their first message on.
#[derive(Debug)]
struct Group {
    streams: BTreeSet<usize>,
    /// The next item to play.
    cursor: usize,
    /// When the group was started.
    started: Nanos,
    /// Recorded time of its first item.
    origin: Nanos,
}

/// One connection's place on a tape.
///
/// A subscription starts its streams at their first recorded message, whenever it comes: a client
/// that subscribes late, or again after a gap, gets a snapshot first, as it does from the venue.
#[derive(Debug)]
pub(crate) struct Player {
    tape: Arc<Tape>,
    pace: Pace,
    groups: Vec<Group>,
    ended: bool,
}

impl Player {
    pub(crate) fn new(tape: Arc<Tape>, pace: Pace) -> Self {
        Self {
            tape,
            pace,
            groups: Vec::new(),
            ended: false,
        }
    }

    /// Starts `streams`; those already playing go on undisturbed.
    pub(crate) fn play(&mut self, streams: impl IntoIterator<Item = usize>, now: Nanos) {
        let streams: BTreeSet<usize> = streams
            .into_iter()
            .filter(|stream| {
                !self
                    .groups
                    .iter()
                    .any(|group| group.streams.contains(stream))
            })
            .collect();
        let Some(cursor) = self.tape.next_of(&streams, 0) else {
            return;
        };
        self.groups.push(Group {
            streams,
            cursor,
            started: now,
            origin: self.tape.items.get(cursor).map_or(Nanos(0), |item| item.at),
        });
    }

    /// Stops `streams`.
    pub(crate) fn stop(&mut self, streams: &[usize]) {
        for group in &mut self.groups {
            group.streams.retain(|stream| !streams.contains(stream));
        }
        let tape = Arc::clone(&self.tape);
        self.groups
            .retain_mut(|group| group.seek(&tape, group.cursor));
    }

    /// When the next message is due; `None` when nothing is playing.
    pub(crate) fn due(&self) -> Option<Nanos> {
        let due = self.next_group().map(|(due, _)| due)?;
        Some(if self.pace == Pace::AsFast {
            Nanos(0)
        } else {
            due
        })
    }

    /// Takes the next message off the tape, due or not.
    pub(crate) fn take(&mut self) -> Option<(Arc<Tape>, usize)> {
        let (_, index) = self.next_group()?;
        let tape = Arc::clone(&self.tape);
        let group = self.groups.get_mut(index)?;
        let taken = group.cursor;
        if !group.seek(&tape, taken + 1) {
            self.groups.remove(index);
            self.ended = self.groups.is_empty();
        }
        Some((tape, taken))
    }

    /// Whether the last of what was playing has been played to its end.
    pub(crate) fn ended(&self) -> bool {
        self.ended && self.groups.is_empty()
    }

    fn next_group(&self) -> Option<(Nanos, usize)> {
        let due = |group: &Group| {
            let at = self
                .tape
                .items
                .get(group.cursor)
                .map_or(group.origin, |item| item.at);
            match self.pace {
                Pace::AsFast => at,
                paced => group.started + paced.stretch(at.since(group.origin)),
            }
        };
        let groups = self.groups.iter().enumerate();
        groups.map(|(index, group)| (due(group), index)).min()
    }
}

impl Group {
    /// Moves to the next item of its streams at or after `from`; false when there is none.
    fn seek(&mut self, tape: &Tape, from: usize) -> bool {
        let found = tape.next_of(&self.streams, from);
        self.cursor = found.unwrap_or(self.cursor);
        found.is_some()
    }
}

impl Tape {
    /// The item of this number.
    pub(crate) fn item(&self, index: usize) -> Option<&Item> {
        self.items.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape() -> Arc<Tape> {
        let mut tape = Tape::default();
        for (at, stream, text) in [
            (5, "a", "a0"),
            (6, "b", "b0"),
            (8, "a", "a1"),
            (9, "b", "b1"),
        ] {
            tape.push(UtcNanos(at), stream, text.into(), 0..0);
        }
        Arc::new(tape)
    }

    fn all(player: &mut Player) -> Vec<(u64, String)> {
        let mut played = Vec::new();
        while let Some(due) = player.due() {
            let (tape, index) = player.take().unwrap();
            played.push((due.0, tape.item(index).unwrap().text.to_string()));
        }
        played
    }

    #[test]
    fn a_late_subscription_starts_at_its_first_message_and_keeps_the_recorded_spacing() {
        let mut player = Player::new(tape(), Pace::Speed(0.5));
        player.play([0], Nanos(100));
        player.play([0, 1], Nanos(103));
        let played = all(&mut player);
        let expected = [(100, "a0"), (103, "b0"), (106, "a1"), (109, "b1")];
        assert_eq!(played, expected.map(|(due, text)| (due, text.to_owned())));
        assert!(player.ended());
    }

    #[test]
    fn unpaced_streams_interleave_as_recorded() {
        let mut player = Player::new(tape(), Pace::AsFast);
        player.play([1, 0], Nanos(1));
        let played: Vec<String> = all(&mut player).into_iter().map(|(_, text)| text).collect();
        assert_eq!(played, ["a0", "b0", "a1", "b1"]);
    }

    #[test]
    fn a_stopped_stream_is_silent_and_starts_over_when_asked_again() {
        let mut player = Player::new(tape(), Pace::AsFast);
        player.play([0], Nanos(0));
        player.take();
        player.stop(&[0]);
        assert_eq!(player.due(), None);
        assert!(!player.ended(), "stopping is not the end of the recording");
        player.play([0], Nanos(0));
        assert_eq!(all(&mut player).len(), 2);
    }
}
