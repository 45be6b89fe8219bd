//! The model of everything in a case: listeners, the edge, the first queue, the views and the slot
//! of the newest view.

use super::{
    book::Cause,
    kind::{Kind, Tally},
    listener::{Answer, Listener, Told},
    setup::Setup,
    views::Views,
    wire::Op,
};

/// Where the wall clock stands when a case begins, in ns.
pub(super) const BEGINNING: u64 = 1_700_000_000_000_000_000;

/// What an operation must lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expected {
    /// What listeners told, in order.
    pub(super) events: Vec<Told>,
    /// What they asked for.
    pub(super) answers: Vec<(usize, Answer)>,
    /// What the aggregators published, one after each event they took.
    pub(super) views: Vec<Views>,
    /// The number of the view a client sees, where it looks: none when there is nothing new.
    pub(super) seen: Option<Option<u64>>,
}

/// The model of a case.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) setup: Setup,
    /// Monotonic time in ns.
    pub(super) now: u64,
    pub(super) listeners: Vec<Listener>,
    pub(super) is_up: Vec<bool>,
    /// What was told before the first operation.
    beginning: Vec<Told>,
    /// Events in the first queue, and those that wait for room in it.
    queue: Vec<Told>,
    held: Vec<Told>,
    pub(super) conflated: u64,
    pub(super) views: Views,
    /// The newest view nobody has looked at.
    unseen: Option<u64>,
    pub(super) lost: u64,
    pub(super) tally: Tally,
    /// Updates that were offered.
    pub(super) updates: u64,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let listeners = setup.venues.iter().enumerate();
        let mut listeners: Vec<Listener> = listeners
            .map(|(at, rules)| Listener::new(at, rules.clone()))
            .collect();
        let told = listeners.iter_mut();
        Self {
            beginning: told
                .flat_map(|listener| std::mem::take(&mut listener.events))
                .collect(),
            now: 1_000_000_000,
            listeners,
            is_up: vec![false; setup.venues.len()],
            setup: setup.clone(),
            queue: Vec::new(),
            held: Vec::new(),
            conflated: 0,
            views: Views::default(),
            unseen: None,
            lost: 0,
            tally: Tally::default(),
            updates: 0,
        }
    }

    /// What follows from an operation.
    pub(super) fn step(&mut self, op: &Op) -> Expected {
        let mut expected = Expected {
            events: std::mem::take(&mut self.beginning),
            ..Expected::default()
        };
        match op {
            Op::Wait { ns } => {
                self.tally.note(Kind::ClockAdvance);
                self.now += ns;
                self.deadlines(&mut expected);
            }
            Op::Drain => self.drain(&mut expected),
            Op::Look => expected.seen = Some(self.unseen.take()),
            Op::Retry { .. } => self.tally.note(Kind::Retry),
            Op::Spend { .. } => self.tally.note(Kind::Spend),
            _ => self.connection(op, &mut expected),
        }
        self.collect(&mut expected);
        expected
    }

    /// What happens on a connection; nothing arrives on one that is down.
    fn connection(&mut self, op: &Op, expected: &mut Expected) {
        let now = self.now;
        let tally = &mut self.tally;
        let Some(venue) = op.venue() else { return };
        let listener = &mut self.listeners[venue];
        let was_up = self.is_up[venue];
        let answers = match op {
            Op::Up { .. } => {
                if was_up {
                    listener.down(Cause::Disconnected, now, tally);
                }
                self.is_up[venue] = true;
                return listener.up(now, tally);
            }
            Op::Down { .. } => {
                self.is_up[venue] = false;
                return listener.down(Cause::Disconnected, now, tally);
            }
            _ if !was_up => return,
            Op::Say {
                updates, is_broken, ..
            } => {
                self.updates += updates.len() as u64;
                listener.message(updates, *is_broken, now, tally)
            }
            Op::Heartbeat { count, .. } => vec![listener.heartbeat(*count, now, tally)],
            Op::Garbage { .. } => listener.message(&[], true, now, tally),
            Op::Alive { .. } => return listener.alive(now),
            Op::Part { .. } => return listener.part(now, tally),
            Op::Refuse { book, .. } => return listener.refused(*book, now, tally),
            _ => return,
        };
        for answer in answers {
            self.answer(venue, answer, expected);
        }
    }

    /// A connection that has to be made anew is given up at once.
    fn answer(&mut self, venue: usize, answer: Answer, expected: &mut Expected) {
        expected.answers.push((venue, answer));
        if let Answer::Reconnect(cause) = answer {
            self.is_up[venue] = false;
            self.listeners[venue].down(cause, self.now, &mut self.tally);
        }
    }

    fn deadlines(&mut self, expected: &mut Expected) {
        for venue in 0..self.listeners.len() {
            while let Some(answer) = self.listeners[venue].act(self.now, &mut self.tally) {
                self.answer(venue, answer, expected);
            }
            // What a deadline leads to stands before what the next venue tells.
            expected.events.append(&mut self.listeners[venue].events);
        }
    }

    /// Takes what the listeners told to the edge.
    fn collect(&mut self, expected: &mut Expected) {
        for listener in &mut self.listeners {
            expected.events.append(&mut listener.events);
        }
        for told in &expected.events {
            if self.held.is_empty() && self.queue.len() < self.setup.queue {
                self.queue.push(told.clone());
                continue;
            }
            let key = (told.venue, told.book);
            match self
                .held
                .iter_mut()
                .find(|held| (held.venue, held.book) == key)
            {
                Some(older) => {
                    self.tally.note(Kind::Conflated);
                    self.conflated += 1;
                    *older = told.clone();
                }
                None => self.held.push(told.clone()),
            }
        }
    }

    /// The aggregators take what is in the queue; then what was held moves up.
    fn drain(&mut self, expected: &mut Expected) {
        for told in std::mem::take(&mut self.queue) {
            if !self.views.take(&told, &self.setup, &mut self.tally) {
                continue;
            }
            expected.views.push(self.views.clone());
            if self.unseen.replace(self.views.seq).is_some() {
                self.tally.note(Kind::ViewLost);
                self.lost += 1;
            }
        }
        while self.queue.len() < self.setup.queue && !self.held.is_empty() {
            self.queue.push(self.held.remove(0));
        }
    }
}
