//! One case: its operations drawn, taken and compared, and the shortest list that still fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    Rule, Violation,
    book::State,
    generator::Generator,
    kind::Tally,
    setup::Setup,
    subject::{Plant, Subject},
    wire::{Op, Shape},
    world::World,
};

/// How many lists are tried at the most while a case is reduced.
const MOST_TRIES: usize = 4_000;

/// How many operations are shown of a list that is not reduced.
const LAST: usize = 20;

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) operations: u64,
    pub(super) updates: u64,
    pub(super) events: u64,
    pub(super) views: u64,
    pub(super) truths: u64,
    pub(super) tally: Tally,
    pub(super) digest: u64,
    pub(super) violation: Option<Violation>,
}

/// Runs a case until it fails or ends.
pub(super) fn run(case: u64, plant: Option<Plant>) -> Outcome {
    let setup = Setup::draw(case);
    let mut generator = Generator::new(case, &setup);
    let mut world = World::new(&setup);
    let mut subject = Subject::new(&setup, plant);
    let mut outcome = Outcome::default();
    for _ in 0..setup.ops {
        let op = generator.next(&world);
        let expected = world.step(&op);
        outcome.operations += 1;
        outcome.events += expected.events.len() as u64;
        outcome.views += 2 * expected.views.len() as u64;
        outcome.violation = guarded(|| subject.step(&op, &world, &expected))
            .or_else(|| truth(&op, &world, &generator, &mut outcome.truths));
        if outcome.violation.is_some() {
            break;
        }
    }
    outcome.updates = world.updates;
    outcome.tally = world.tally;
    outcome.tally.add(&generator.tally);
    outcome.digest = subject.digest;
    outcome
}

/// A live book of an honest venue is the venue's own at the same number. The product's book is the
/// model's by now, so that this is about both.
fn truth(op: &Op, world: &World, generator: &Generator, truths: &mut u64) -> Option<Violation> {
    let Op::Say { venue, updates, .. } = op else {
        return None;
    };
    for update in updates {
        let book = world.listeners[*venue].book(update.book);
        let Some(book) = book.filter(|book| book.state == State::Live) else {
            continue;
        };
        let at = (*venue, update.book);
        let Some((bids, asks)) = generator.truth(world, at, book.seq) else {
            continue;
        };
        *truths += 1;
        if *bids != book.bids || *asks != book.asks {
            let what = format!(
                "venue {venue} book {} at {}: bids {:?} asks {:?}, the venue has {:?} and {:?}",
                update.book, book.seq, book.bids.levels, book.asks.levels, bids.levels, asks.levels
            );
            return Some(Violation::new(Rule::Truth, what));
        }
    }
    None
}

/// A panic of the product is what it is: a violation.
fn guarded(step: impl FnOnce() -> Option<Violation>) -> Option<Violation> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Some(Violation::new(Rule::Panic, text.unwrap_or_default()))
    })
}

/// Takes a list of operations as it is; the first violation, and at which operation.
fn replay(setup: &Setup, ops: &[Op], plant: Option<Plant>) -> Option<(usize, Violation)> {
    let mut world = World::new(setup);
    let mut subject = Subject::new(setup, plant);
    ops.iter().enumerate().find_map(|(at, op)| {
        let expected = world.step(op);
        guarded(|| subject.step(op, &world, &expected)).map(|violation| (at, violation))
    })
}

/// The operations of a case up to one that fails.
fn draw(case: u64, setup: &Setup, plant: Option<Plant>) -> Vec<Op> {
    let mut truths = 0;
    let mut generator = Generator::new(case, setup);
    let mut world = World::new(setup);
    let mut subject = Subject::new(setup, plant);
    let mut ops = Vec::new();
    for _ in 0..setup.ops {
        let op = generator.next(&world);
        let expected = world.step(&op);
        let violation = guarded(|| subject.step(&op, &world, &expected))
            .or_else(|| truth(&op, &world, &generator, &mut truths));
        ops.push(op);
        if violation.is_some() {
            break;
        }
    }
    ops
}

/// The shortest list found that breaks the same rule, in words, and what it breaks.
pub(super) fn explain(
    case: u64,
    plant: Option<Plant>,
    violation: Violation,
    shrinks: bool,
) -> (Vec<String>, Violation) {
    let setup = Setup::draw(case);
    let ops = draw(case, &setup, plant);
    if !shrinks || replay(&setup, &ops, plant).is_none() {
        // What the venue knows is no part of a list, so this one stays as it is.
        let last = ops.iter().rev().take(LAST).rev();
        let mut lines = vec![format!("{} operations, of which the last:", ops.len())];
        lines.extend(last.map(ToString::to_string));
        return (lines, violation);
    }
    let mut search = Search {
        setup: &setup,
        plant,
        rule: violation.rule,
        ops,
        violation,
        tries: 0,
    };
    search.remove_operations();
    search.remove_levels();
    search.split_messages();
    search.join_updates();
    search.remove_operations();
    let mut lines = vec![format!(
        "views of {} levels, a queue of {}",
        setup.shown, setup.queue
    )];
    for (at, rules) in setup.venues.iter().enumerate() {
        if search.ops.iter().any(|op| op.venue() == Some(at)) {
            lines.push(format!("venue {at}: {rules:?}"));
        }
    }
    lines.extend(search.ops.iter().map(ToString::to_string));
    (lines, search.violation)
}

/// A list on its way to a shorter one.
struct Search<'a> {
    setup: &'a Setup,
    plant: Option<Plant>,
    rule: Rule,
    ops: Vec<Op>,
    violation: Violation,
    tries: usize,
}

impl Search<'_> {
    /// Takes another list over if it breaks the same rule.
    fn try_list(&mut self, mut ops: Vec<Op>) -> bool {
        if self.tries == MOST_TRIES {
            return false;
        }
        self.tries += 1;
        match replay(self.setup, &ops, self.plant) {
            Some((at, violation)) if violation.rule == self.rule => {
                ops.truncate(at + 1);
                (self.ops, self.violation) = (ops, violation);
                true
            }
            _ => false,
        }
    }

    /// Takes out ever smaller parts, from the end of the list on, until no single operation can be
    /// spared.
    fn remove_operations(&mut self) {
        let mut part = self.ops.len().div_ceil(2);
        while part > 0 {
            let mut end = self.ops.len();
            let mut has_removed = false;
            while end > 0 {
                let begin = end.saturating_sub(part);
                let mut fewer = self.ops.clone();
                fewer.drain(begin..end);
                has_removed |= self.try_list(fewer);
                end = begin.min(self.ops.len());
            }
            if part > 1 || !has_removed {
                part /= 2;
            }
        }
    }

    /// Makes a message of each update.
    fn split_messages(&mut self) {
        for at in (0..self.ops.len()).rev() {
            let mut split = self.ops.clone();
            let Some(Op::Say {
                venue,
                updates,
                is_broken: false,
            }) = split.get(at).cloned()
            else {
                continue;
            };
            let alone = updates.into_iter().map(|update| Op::Say {
                venue,
                updates: vec![update],
                is_broken: false,
            });
            split.splice(at..=at, alone);
            self.try_list(split);
        }
    }

    /// Takes out updates whose number the one before them takes over: of a chain that leads to the
    /// failure little is left.
    fn join_updates(&mut self) {
        for at in (1..self.ops.len()).rev() {
            let mut fewer = self.ops.clone();
            if at >= fewer.len() {
                continue;
            }
            let mut removed = fewer.remove(at);
            let Some((venue, update)) = removed.only_update() else {
                continue;
            };
            let before = fewer[..at].iter_mut().rev().filter_map(Op::only_update);
            let mut alike =
                before.filter(|(of, before)| (*of, before.book) == (venue, update.book));
            if let Some((_, before)) = alike.next() {
                before.last = update.last;
                if before.shape == Shape::Snapshot {
                    before.first = update.last;
                }
                self.try_list(fewer);
            }
        }
    }

    /// Takes updates and levels out of the messages that are left.
    fn remove_levels(&mut self) {
        for at in (0..self.ops.len()).rev() {
            for choice in 0.. {
                let Some(Op::Say { .. }) = self.ops.get(at) else {
                    break;
                };
                let mut simpler = self.ops.clone();
                if !simpler[at].simplify(choice) {
                    break;
                }
                // What comes after a removed item takes its place: the same choice once more.
                while self.try_list(simpler.clone()) && simpler[at].simplify(choice) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comparison with what the venue has can fail: for this the venues only pretend.
    #[test]
    fn a_venue_that_says_what_is_wrong_is_found_out() {
        let pretends = |case| {
            let mut setup = Setup::draw(case);
            setup.is_honest = false;
            let mut generator = Generator::new(case, &setup);
            setup.is_honest = true;
            let mut world = World::new(&setup);
            (0..setup.ops).find_map(|_| {
                let op = generator.next(&world);
                world.step(&op);
                truth(&op, &world, &generator, &mut 0)
            })
        };
        let found = (0..20).find_map(pretends);
        assert_eq!(found.map(|violation| violation.rule), Some(Rule::Truth));
    }
}
