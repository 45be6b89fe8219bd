//! Draws the operations of a case: venues that go wrong in all ways of the catalogue.

mod hidden;

use std::collections::VecDeque;

use self::hidden::Hidden;
use super::{
    book::State,
    kind::{Kind, Tally},
    setup::{Numbers, Setup},
    side::Side,
    wire::{Op, Shape, Update},
    world::World,
};
use crate::random::Random;

/// Where operations come from; the same case has the same ones.
#[derive(Debug)]
pub(super) struct Generator {
    random: Random,
    books: Vec<Vec<Hidden>>,
    /// The connection's count of each venue.
    counts: Vec<u64>,
    /// What is to come before anything else.
    planned: VecDeque<Op>,
    /// What was done to updates that nobody can tell by looking at them.
    pub(super) tally: Tally,
}

impl Generator {
    pub(super) fn new(case: u64, setup: &Setup) -> Self {
        let books = setup.venues.iter().map(|rules| {
            let book = |_| Hidden::new(setup, rules);
            (0..rules.books).map(book).collect()
        });
        Self {
            random: Random::of(case, "operations"),
            books: books.collect(),
            counts: vec![1; setup.venues.len()],
            planned: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// What a book of a venue was at a number, where numbers tell that and the venue is honest.
    pub(super) fn truth(
        &self,
        world: &World,
        at: (usize, usize),
        seq: u64,
    ) -> Option<(&Side, &Side)> {
        let numbers = world.setup.venues[at.0].numbers;
        let tells = matches!(
            numbers,
            Numbers::Next { .. } | Numbers::Span | Numbers::Previous
        );
        let hidden = self.books[at.0].get(at.1)?;
        if tells && world.setup.is_honest {
            hidden.truth(seq)
        } else {
            None
        }
    }

    /// The next operation, after those the world has seen.
    pub(super) fn next(&mut self, world: &World) -> Op {
        if let Some(op) = self.planned.pop_front() {
            return op;
        }
        match self.random.below(1_000) {
            0..110 => self.wait(world),
            110..290 => Op::Drain,
            290..320 => Op::Look,
            320 => Op::Retry {
                first: self.random.between(1, 500_000_000),
                longest: self.random.between(500_000_000, 60_000_000_000),
                seed: self.random.next(),
            },
            321..323 => self.spend(),
            _ => {
                let venue = self.random.index(world.is_up.len());
                if world.is_up[venue] {
                    self.on_connection(venue, world)
                } else {
                    self.without_connection(venue)
                }
            }
        }
    }

    fn spend(&mut self) -> Op {
        let refill = self.random.between(1, 1_000_000_000);
        let waits = (0..self.random.between(5, 40))
            .map(|_| {
                self.random
                    .pick(&[0, 0, 1, refill - 1, refill, refill + 1, refill * 3], 0)
            })
            .collect();
        Op::Spend {
            burst: u32::try_from(self.random.below(6)).unwrap_or(0),
            refill,
            waits,
        }
    }

    /// Time goes by: a little, or up to something that is due, just before it or just after it.
    fn wait(&mut self, world: &World) -> Op {
        let due = world
            .listeners
            .iter()
            .filter_map(|listener| listener.due())
            .min();
        let ns = match (self.random.below(100), due) {
            (0..8, Some(due)) => {
                let ahead = due.saturating_sub(world.now);
                self.random
                    .pick(&[ahead, ahead + 1, ahead.saturating_sub(1)], ahead)
            }
            (8, _) => self.random.between(1, 40) * 1_000_000_000,
            (9..30, _) => self.random.between(1, 200) * 1_000_000,
            _ => self.random.between(0, 5_000_000),
        };
        Op::Wait { ns }
    }

    fn without_connection(&mut self, venue: usize) -> Op {
        if self.random.chance(1, 4) {
            return Op::Down { venue };
        }
        self.counts[venue] = self.random.between(1, 500);
        Op::Up { venue }
    }

    fn on_connection(&mut self, venue: usize, world: &World) -> Op {
        let book = self.random.index(self.books[venue].len());
        match self.random.below(1_000) {
            0..3 => Op::Down { venue },
            3..5 => {
                self.counts[venue] = self.random.between(1, 500);
                Op::Up { venue }
            }
            5..8 => Op::Refuse {
                venue,
                book: Some(book),
            },
            8..10 => Op::Refuse { venue, book: None },
            10..14 => {
                self.doubt(venue, world.setup.venues[venue].stale_after);
                Op::Garbage { venue }
            }
            14..30 => Op::Heartbeat {
                venue,
                count: self.count(venue, world),
            },
            30..36 => Op::Alive { venue },
            36..38 => {
                self.grow(venue, world.setup.venues[venue].stale_after);
                Op::Part { venue }
            }
            _ => self.say(venue, book, world),
        }
    }

    /// More garbage, or nothing but signs of life for longer than a doubt may last.
    fn doubt(&mut self, venue: usize, stale_after: u64) {
        let more = self.random.below(6);
        if self.random.chance(1, 2) {
            self.planned
                .extend((0..more).map(|_| Op::Garbage { venue }));
            return;
        }
        for _ in 0..more {
            let ns = stale_after / 3 + self.random.below(2);
            self.planned.extend([Op::Wait { ns }, Op::Alive { venue }]);
        }
    }

    /// A message that takes long to come, with signs of life between its fragments.
    fn grow(&mut self, venue: usize, stale_after: u64) {
        for _ in 0..self.random.below(12) {
            let ns = match self.random.below(8) {
                0 => stale_after - self.random.below(2),
                _ => stale_after / 3 + self.random.below(2),
            };
            self.planned.push_back(Op::Wait { ns });
            if self.random.chance(1, 4) {
                self.planned.push_back(Op::Alive { venue });
            }
            self.planned.push_back(Op::Part { venue });
        }
    }

    fn say(&mut self, venue: usize, book: usize, world: &World) -> Op {
        let mut updates = Vec::new();
        self.draw(venue, book, world, &mut updates);
        if self.random.chance(1, 15) {
            let other = self.random.index(self.books[venue].len());
            self.draw(venue, other, world, &mut updates);
        }
        if self.random.chance(1, 250) {
            let mut strange = Update::new(self.books[venue].len(), Shape::Snapshot);
            strange.last = 1;
            let at = self.random.index(updates.len() + 1);
            updates.insert(at, strange);
        }
        let count = self.count(venue, world);
        for update in &mut updates {
            update.count = count;
            if let Some(count) = count {
                update.last = count;
            }
        }
        Op::Say {
            venue,
            updates,
            is_broken: self.random.chance(1, 400),
        }
    }

    /// The number of the next message of a connection that has any.
    fn count(&mut self, venue: usize, world: &World) -> Option<u64> {
        if world.setup.venues[venue].numbers != Numbers::Connection {
            return None;
        }
        let count = &mut self.counts[venue];
        match self.random.below(1_000) {
            0..6 => *count += self.random.between(2, 5),
            6..10 => return Some(count.saturating_sub(self.random.below(6))),
            10..12 => *count = self.random.between(1, *count),
            12..14 => *count = 1,
            _ => *count += 1,
        }
        Some(*count)
    }

    /// What a venue says next of a book.
    fn draw(&mut self, venue: usize, book: usize, world: &World, updates: &mut Vec<Update>) {
        let rules = &world.setup.venues[venue];
        let state = world.listeners[venue].book(book).map(|book| book.state);
        let is_awaited = matches!(state, Some(State::Empty | State::Syncing | State::Gap));
        let Self {
            random,
            books,
            tally,
            ..
        } = self;
        let hidden = &mut books[venue][book];
        let mut update = if rules.images {
            hidden.image(random, rules)
        } else if is_awaited && random.chance(2, 5) || random.chance(1, 60) {
            let (update, is_partial) = hidden.snapshot(random, rules, is_awaited);
            if is_partial {
                tally.note(Kind::SnapshotPartial);
            }
            update
        } else {
            hidden.delta(random, rules)
        };
        update.book = book;
        if !rules.images && random.chance(1, 80) {
            // The next one comes before this one.
            let mut next = hidden.delta(random, rules);
            next.book = book;
            tally.note(Kind::Reordered);
            updates.push(next);
        }
        updates.push(update);
    }
}
