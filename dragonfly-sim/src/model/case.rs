//! One case: its operations drawn, taken and compared, and the shortest list that still fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    Rule, Violation,
    generator::Generator,
    kind::Tally,
    setup::Setup,
    subject::{Plant, Subject},
    wire::Op,
    world::World,
};

/// How many lists are tried at the most while a case is reduced.
const MOST_TRIES: usize = 4_000;

/// What came of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) operations: u64,
    pub(super) updates: u64,
    pub(super) events: u64,
    pub(super) views: u64,
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
        outcome.violation = guarded(|| subject.step(&op, &world, &expected));
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
    let mut generator = Generator::new(case, setup);
    let mut world = World::new(setup);
    let mut subject = Subject::new(setup, plant);
    let mut ops = Vec::new();
    for _ in 0..setup.ops {
        let op = generator.next(&world);
        let expected = world.step(&op);
        let violation = guarded(|| subject.step(&op, &world, &expected));
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
        return (vec![format!("{} operations", ops.len())], violation);
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
