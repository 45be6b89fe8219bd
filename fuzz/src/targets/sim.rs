//! What the simulator reads.

use dragonfly_sim::{
    Recording,
    fault::Plan,
    ledger::{self, Record},
    oracle::{Limits, Oracle, View},
};

/// Reads `input` as a recording, and the same again behind it: twice as much of the same.
pub(super) fn recording(input: &[u8]) {
    let Ok(recording) = Recording::read("input", input) else {
        return;
    };
    let received = recording.received().count();
    assert!(received <= recording.lines().len());
    let twice = recording.followed_by(&recording);
    assert_eq!(twice.received().count(), 2 * received);
}

/// Reads `input` as a plan of faults.
pub(super) fn plan(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Plan::parse(text) {
        Ok(plan) => assert!(plan.faults.iter().all(|fault| fault.rate > 0.0)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Reads `input` as a ledger up to its first empty line and as views from there on, and has the
/// oracle judge them.
pub(super) fn ledger(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let ledger = parts.next().unwrap_or_default();
    let views = parts.next().unwrap_or_default();
    let Ok(records) = ledger::read::<Record>("ledger", ledger) else {
        return;
    };
    let mut again = Vec::new();
    for record in &records {
        ledger::write(&mut again, record).expect("memory takes everything");
    }
    let read = ledger::read::<Record>("again", &again[..]).expect("what was written can be read");
    assert_eq!(records, read);
    let mut oracle = Oracle::new(Limits::default());
    records.into_iter().for_each(|record| oracle.record(record));
    let views = ledger::read::<View>("views", views).unwrap_or_default();
    views.into_iter().for_each(|view| oracle.view(view));
    for violation in oracle.violations() {
        assert!(!violation.to_string().is_empty());
    }
}
