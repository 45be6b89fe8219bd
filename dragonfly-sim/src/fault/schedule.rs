//! When the faults of a plan fall due, and the counters that prove that they fired.

use std::collections::VecDeque;

use super::{Fault, Kind, Place, Plan};
use crate::random::Random;

/// What is about to happen, for the scope of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) venue: &'a str,
    pub(crate) socket: u32,
    /// The instrument, where there is one.
    pub(crate) instrument: Option<&'a str>,
}

/// A plan on its way.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    times: VecDeque<u64>,
    /// Whether it is due and has found nothing to happen to yet.
    is_armed: bool,
    fired: u64,
    random: Random,
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
        let mut entry = Entry::new(fault, 0, seed);
        entry.times.clear();
        entry.is_armed = true;
        self.entries.push(entry);
    }

    /// When the next fault falls due, in ns.
    pub(crate) fn due(&self) -> Option<u64> {
        let next = |entry: &Entry| entry.times.front().copied();
        self.entries.iter().filter_map(next).min()
    }

    /// Arms what is due.
    pub(crate) fn arm(&mut self, now: u64) {
        for entry in &mut self.entries {
            while entry.times.front().is_some_and(|at| *at <= now) {
                entry.times.pop_front();
                // What finds nothing to happen to does not pile up.
                entry.is_armed = true;
            }
        }
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

    /// It happened.
    pub(crate) fn fire(&mut self, index: usize) {
        self.promise(index);
        self.keep(index);
    }

    /// It will happen.
    pub(crate) fn promise(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_armed = false;
        }
    }

    /// What was promised has happened.
    pub(crate) fn keep(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.fired += 1;
        }
    }

    /// Ends the faults: what is armed or still to come does not happen.
    pub(crate) fn end(&mut self) {
        for entry in &mut self.entries {
            entry.is_armed = false;
            entry.times.clear();
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
        // Of one kind there may be several; their scope tells them apart.
        let label = format!(
            "{} {:?} {:?} {:?}",
            fault.kind, fault.venue, fault.socket, fault.instrument
        );
        let mut random = Random::of(seed, &label);
        let from = fault.from_s.saturating_mul(1_000_000_000).min(span);
        let until = fault.until_s.saturating_mul(1_000_000_000).min(span);
        let minutes = (until - from) as f64 / 60e9;
        let count = (fault.rate * minutes).round().clamp(1.0, 100_000.0) as u64;
        let mut times: Vec<u64> = (0..count).map(|_| random.between(from, until)).collect();
        times.sort_unstable();
        Self {
            fault: fault.clone(),
            times: times.into(),
            is_armed: false,
            fired: 0,
            random,
        }
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
