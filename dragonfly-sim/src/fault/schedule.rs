//! When the faults of a plan fall due, and the counters that prove that they fired.

use std::collections::VecDeque;

use super::{Fault, Kind, Place, Plan};
use crate::{exchange::Listing, random::Random};

/// What is about to happen, for the scope of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) venue: &'a str,
    pub(crate) socket: u32,
    /// The instrument, where there is one.
    pub(crate) instrument: Option<&'a str>,
}

const SECOND: u64 = 1_000_000_000;
/// How many times of a fault are drawn at once: a day of 6,000 a minute has millions.
const MOST_TIMES: u64 = 10_000;

/// A plan on its way.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    /// When it falls due next, in ns, soonest first.
    times: VecDeque<u64>,
    /// When it falls due after those.
    later: Later,
    /// When it may no longer begin, in ns.
    until: u64,
    /// Whether it is due and has found nothing to happen to yet.
    is_armed: bool,
    /// Whether it has brought about what it waits for.
    is_provoked: bool,
    /// Whether it will happen.
    is_promised: bool,
    fired: u64,
    random: Random,
}

/// Times that are drawn one part after the other, each part out of the seed and its number alone.
#[derive(Debug)]
struct Later {
    seed: u64,
    label: String,
    from: u64,
    to: u64,
    count: u64,
    parts: u64,
    /// The number of the next part.
    next: u64,
}

impl Schedule {
    /// Spreads the faults over a run's first `span` ns.
    pub(crate) fn new(plan: &Plan, span: u64, seed: u64) -> Self {
        let entries = plan
            .faults
            .iter()
            .map(|fault| Entry::new(fault, span, seed));
        Self {
            entries: entries.collect(),
        }
    }

    /// Adds a fault that is due now, and once.
    pub(crate) fn add(&mut self, fault: &Fault, seed: u64) {
        let whenever = Fault {
            from_s: 0,
            until_s: u64::MAX,
            ..fault.clone()
        };
        let mut entry = Entry::new(&whenever, 0, seed);
        entry.stop();
        entry.is_armed = true;
        self.entries.push(entry);
    }

    /// When the next fault falls due, or may no longer begin, in ns.
    pub(crate) fn due(&self) -> Option<u64> {
        let next = |entry: &Entry| {
            let end = entry.is_armed.then_some(entry.until.saturating_add(1));
            let end = end.filter(|_| entry.until < u64::MAX && !entry.is_provoked);
            entry.times.front().copied().into_iter().chain(end).min()
        };
        self.entries.iter().filter_map(next).min()
    }

    /// Arms what is due, and disarms what has found nothing to happen to in its time.
    pub(crate) fn arm(&mut self, now: u64) {
        for entry in &mut self.entries {
            while entry.times.front().is_some_and(|at| *at <= now) {
                entry.times.pop_front();
                // What finds nothing to happen to does not pile up.
                entry.is_armed = true;
                if entry.times.is_empty() {
                    entry.times = entry.later.draw();
                }
            }
            if now > entry.until {
                entry.stop();
                entry.is_armed &= entry.is_provoked;
            }
        }
    }

    /// Whether a fault that has not fired yet still may.
    pub(crate) fn is_waited_for(&self) -> bool {
        let is_to_come =
            |entry: &Entry| entry.is_armed || entry.is_promised || !entry.times.is_empty();
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.fired == 0 && is_to_come(entry))
    }

    /// The fault has brought about what it waits for.
    pub(crate) fn provoke(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_provoked = true;
        }
    }

    /// Whether the fault has brought about what it waits for.
    pub(crate) fn is_provoked(&self, index: usize) -> bool {
        self.entries.get(index).is_some_and(|e| e.is_provoked)
    }

    /// The faults that are armed and take place there.
    pub(crate) fn armed(&self, place: Place) -> Vec<usize> {
        let is_armed =
            |(_, entry): &(usize, &Entry)| entry.is_armed && entry.fault.kind.place() == place;
        let armed = self.entries.iter().enumerate().filter(is_armed);
        armed.map(|(index, _)| index).collect()
    }

    /// Whether anything is armed that takes place there.
    pub(crate) fn has_armed(&self, place: Place) -> bool {
        let is_armed = |entry: &Entry| entry.is_armed && entry.fault.kind.place() == place;
        self.entries.iter().any(is_armed)
    }

    /// A fault of the plan, with its own random numbers.
    pub(crate) fn get(&mut self, index: usize) -> Option<(&Fault, &mut Random)> {
        let entry = self.entries.get_mut(index)?;
        Some((&entry.fault, &mut entry.random))
    }

    /// Whether the fault may happen to the target.
    pub(crate) fn fits(&self, index: usize, target: &Target<'_>) -> bool {
        self.entries
            .get(index)
            .is_some_and(|entry| entry.fits(target))
    }

    /// The listings of a venue that the fault, if there is one, may happen to on a connection.
    pub(crate) fn fitting(
        &self,
        index: Option<usize>,
        venue: &str,
        socket: u32,
        listings: &[Listing],
    ) -> Vec<usize> {
        let Some(index) = index else {
            return Vec::new();
        };
        let fits = |listing: &Listing| {
            let target = Target {
                venue,
                socket,
                instrument: Some(&listing.native),
            };
            self.fits(index, &target)
        };
        let fitting = listings.iter().enumerate().filter(|(_, l)| fits(l));
        fitting.map(|(at, _)| at).collect()
    }

    /// It happened.
    pub(crate) fn fire(&mut self, index: usize) {
        self.promise(index);
        self.keep(index);
    }

    /// It will happen.
    pub(crate) fn promise(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            (entry.is_armed, entry.is_provoked) = (false, false);
            entry.is_promised = true;
        }
    }

    /// What was promised has happened.
    pub(crate) fn keep(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_promised = false;
            entry.fired += 1;
        }
    }

    /// Ends the faults: what is armed or still to come does not happen.
    pub(crate) fn end(&mut self) {
        for entry in &mut self.entries {
            (entry.is_armed, entry.is_provoked) = (false, false);
            entry.is_promised = false;
            entry.stop();
        }
    }

    /// How often each fault of the plan has fired.
    pub(crate) fn counts(&self) -> Vec<(Kind, u64)> {
        let count = |entry: &Entry| (entry.fault.kind, entry.fired);
        self.entries.iter().map(count).collect()
    }
}

impl Entry {
    fn new(fault: &Fault, span: u64, seed: u64) -> Self {
        // Of one kind there may be several; their scope tells them apart, or else their order.
        let mut label = format!(
            "{} {:?} {:?} {:?}",
            fault.kind, fault.venue, fault.socket, fault.instrument
        );
        if fault.twin > 0 {
            label += &format!(" {}", fault.twin);
        }
        let mut random = Random::of(seed, &label);
        let from = fault.from_s.saturating_mul(SECOND);
        let until = fault.until_s.saturating_mul(SECOND);
        // The rest of its time is for what finds nothing to happen to at once.
        let to = span.min(from.saturating_add(until.saturating_sub(from) / 4 * 3));
        let minutes = until.min(span).saturating_sub(from) as f64 / 60e9;
        let count = (fault.rate * minutes).round().max(1.0) as u64;
        let mut later = Later {
            seed,
            label,
            from,
            to: to.max(from),
            count: if from <= to { count } else { 0 },
            parts: count.div_ceil(MOST_TIMES),
            next: 0,
        };
        Self {
            fault: fault.clone(),
            times: later.first(&mut random),
            later,
            until,
            is_armed: false,
            is_provoked: false,
            is_promised: false,
            fired: 0,
            random,
        }
    }

    /// It falls due no more.
    fn stop(&mut self) {
        self.times.clear();
        self.later.next = self.later.parts;
    }

    fn fits(&self, target: &Target<'_>) -> bool {
        let fault = &self.fault;
        fault.kind.fits(target.venue)
            && fault
                .venue
                .as_deref()
                .is_none_or(|venue| venue == target.venue)
            && fault.socket.is_none_or(|socket| socket == target.socket)
            && fault
                .instrument
                .as_deref()
                .is_none_or(|instrument| target.instrument == Some(instrument))
    }
}

impl Later {
    /// The first part, out of the fault's own random numbers.
    fn first(&mut self, random: &mut Random) -> VecDeque<u64> {
        self.part(random)
    }

    /// The next part; nothing after the last.
    fn draw(&mut self) -> VecDeque<u64> {
        let mut random = Random::of(self.seed, &format!("{} part {}", self.label, self.next));
        self.part(&mut random)
    }

    fn part(&mut self, random: &mut Random) -> VecDeque<u64> {
        if self.next >= self.parts {
            return VecDeque::new();
        }
        let share = |of: u64, part: u64| {
            let share = u128::from(of) * u128::from(part) / u128::from(self.parts);
            u64::try_from(share).unwrap_or(of)
        };
        let (this, next) = (self.next, self.next + 1);
        let [low, high] = [this, next].map(|part| self.from + share(self.to - self.from, part));
        let count = share(self.count, next) - share(self.count, this);
        let mut times: Vec<u64> = (0..count).map(|_| random.between(low, high)).collect();
        times.sort_unstable();
        self.next = next;
        times.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When faults fall due, in ns.
    fn times(schedule: &mut Schedule) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(at) = schedule.due() {
            times.push(at);
            schedule.arm(at);
            for index in 0..schedule.entries.len() {
                schedule.promise(index);
            }
        }
        times
    }

    fn of(faults: &[Fault], span_s: u64) -> Schedule {
        let mut plan = Plan {
            faults: faults.to_vec(),
        };
        plan.tell_twins();
        Schedule::new(&plan, span_s * SECOND, 1)
    }

    #[test]
    fn a_fault_keeps_to_its_window_and_has_the_end_of_it_to_find_something() {
        let mut fault = Fault::new(Kind::Cut, 20.0);
        (fault.from_s, fault.until_s) = (10, 70);
        let mut schedule = of(std::slice::from_ref(&fault), 1_000);
        let times = times(&mut schedule);
        assert_eq!(times.len(), 20);
        assert!(times.iter().all(|at| (10..56).contains(&(at / SECOND))));

        let mut schedule = of(std::slice::from_ref(&fault), 1_000);
        schedule.arm(69 * SECOND);
        assert_eq!(schedule.armed(Place::Line), [0]);
        let end = schedule.due().unwrap();
        assert_eq!(end, 70 * SECOND + 1);
        schedule.arm(end);
        assert_eq!(schedule.armed(Place::Line), [0; 0]);
        assert_eq!((schedule.due(), schedule.is_waited_for()), (None, false));
        assert_eq!(schedule.counts(), [(Kind::Cut, 0)]);

        fault.until_s = u64::MAX;
        let mut schedule = of(&[fault], 5);
        assert_eq!(schedule.due(), None, "its time comes after all of theirs");
        schedule.arm(u64::MAX);
        assert_eq!(schedule.armed(Place::Line), [0; 0]);
    }

    #[test]
    fn what_has_been_promised_or_provoked_in_time_comes_about() {
        let mut fault = Fault::new(Kind::LostRequest, 1.0);
        fault.until_s = 10;
        let mut schedule = of(&[fault], 60);
        schedule.arm(9 * SECOND);
        schedule.provoke(0);
        schedule.arm(30 * SECOND);
        assert_eq!(schedule.armed(Place::Request), [0]);
        schedule.promise(0);
        assert!(schedule.is_waited_for());
        schedule.keep(0);
        assert!(!schedule.is_waited_for() && !schedule.is_provoked(0));
    }

    #[test]
    fn a_rate_is_kept_over_a_day() {
        for (rate, hours) in [(200.0, 24), (6_000.0, 2)] {
            let span_s = hours * 3_600;
            let mut schedule = of(&[Fault::new(Kind::Gap, rate)], span_s);
            let mut entry = schedule.entries.remove(0);
            let (mut count, mut last) = (0, 0);
            while !entry.times.is_empty() {
                assert!(entry.times.len() as u64 <= MOST_TIMES);
                count += entry.times.len();
                assert!(entry.times[0] >= last, "one part comes after the other");
                last = entry.times[entry.times.len() - 1];
                entry.times = entry.later.draw();
            }
            assert_eq!(count as f64, rate * 60.0 * hours as f64);
            assert!((span_s - 60..=span_s).contains(&(last / SECOND)));
        }
    }

    #[test]
    fn faults_of_one_kind_have_times_of_their_own_whatever_else_is_in_the_plan() {
        let cut = Fault::new(Kind::Cut, 1.0);
        let alone = times(&mut of(std::slice::from_ref(&cut), 60));
        let gap = Fault::new(Kind::Gap, 1.0);
        let mut plan = Plan {
            faults: vec![cut.clone(), gap, cut],
        };
        plan.tell_twins();
        let due = |plan: &Plan, at: usize| {
            let schedule = Schedule::new(plan, 60 * SECOND, 1);
            schedule.entries[at].times.clone()
        };
        let second = due(&plan, 2);
        assert_eq!(due(&plan, 0), alone);
        assert_ne!(due(&plan, 0), second);
        plan.faults.remove(0);
        assert_eq!(due(&plan, 1), second);
    }
}
