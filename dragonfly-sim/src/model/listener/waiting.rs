//! What a listener waits for and how long, also while a message arrives slowly.

use super::{
    super::{
        book::{Cause, State},
        kind::{Kind, Tally},
    },
    Answer, Kept, Listener,
};

impl Listener {
    /// More of a message has come that is not whole.
    pub(in super::super) fn part(&mut self, now: u64, tally: &mut Tally) {
        let since = match self.growing {
            Some((since, _)) => {
                tally.note(Kind::SlowMessage);
                since
            }
            None => now,
        };
        self.growing = Some((since, now));
    }

    /// Whether the message that ends now took so long that a whole book in it is out of date.
    pub(super) fn is_late(&self, now: u64) -> bool {
        self.growing
            .is_some_and(|(began, _)| began + self.rules.stale_after <= now)
    }

    /// A message has come. As long as it took nothing that is awaited could come.
    pub(super) fn whole(&mut self, now: u64) {
        self.heard = Some(now);
        let Some((began, _)) = self.growing.take() else {
            return;
        };
        let waiting = |kept: &&mut Kept| kept.book.state != State::Live;
        for kept in self.books.iter_mut().filter(waiting) {
            kept.touched += now - began.max(kept.touched);
            kept.since += now - began.max(kept.since);
        }
    }

    /// When something is to be done about a book. One that waits for what can only come behind the
    /// message under way waits on.
    fn book_due_now(&self, kept: &Kept) -> Option<u64> {
        let can_come = self.growing.is_none() || kept.book.state == State::Live;
        can_come.then(|| self.book_due(kept)).flatten()
    }

    /// When the next thing is to be done.
    pub(in super::super) fn due(&self) -> Option<u64> {
        let heard = self.heard?;
        let books = self.books.iter().filter_map(|kept| self.book_due_now(kept));
        let has_live = self.books().any(|book| book.state == State::Live);
        let withdrawn = (self.growing.is_none() || has_live).then_some(heard);
        let given_up = self.growing.map_or(heard, |(_, grown)| grown);
        let silences = withdrawn.into_iter().chain([given_up]);
        books
            .chain(silences.map(|at| at + self.rules.stale_after))
            .min()
    }

    /// Does one thing that is due.
    pub(in super::super) fn act(&mut self, now: u64, tally: &mut Tally) -> Option<Answer> {
        let heard = self.heard?;
        let is_silence = |at: u64| at + self.rules.stale_after <= now;
        let (is_quiet, grown) = (is_silence(heard), self.growing.map(|(_, grown)| grown));
        let is_dead = is_quiet && grown.is_none_or(is_silence);
        if is_quiet {
            for at in 0..self.books.len() {
                if self.books[at].book.state == State::Live {
                    self.fall_silent(at);
                    self.begin(at, now);
                    self.tell(at);
                }
            }
        }
        if is_dead {
            tally.note(Kind::StaleLink);
            self.heard = None;
            return Some(Answer::Reconnect(Cause::Silent));
        }
        let is_due = |kept: &Kept| self.book_due_now(kept).is_some_and(|due| due <= now);
        let at = self.books.iter().position(is_due)?;
        let answer = self.overdue(at, now, tally);
        self.tell(at);
        Some(answer)
    }
}
