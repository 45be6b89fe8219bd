//! Simulated worlds: the flow of the product stands them, the same seed is the same world, and every
//! fault of the catalogue happens where a plan wants it.

use std::sync::atomic::{AtomicU64, Ordering};

use dragonfly_sim::{
    fault::{Fault, Kind, Plan},
    fuzz::{self, Failure, FuzzError, Options, Summary},
};

fn run(options: &Options) -> Summary {
    fuzz::fuzz(options, &|_| {}).unwrap()
}

fn plan(kind: Kind, venue: &str) -> Plan {
    let mut fault = Fault::new(kind, 6.0);
    fault.venue = Some(venue.to_owned());
    let mut plan = Plan::default();
    plan.faults.push(fault);
    plan
}

fn say(failures: &[Failure]) -> String {
    let mut text = String::new();
    for failure in failures {
        let first = failure.violations.first().unwrap();
        text += &format!("\nseed {} with {:?}: {first}", failure.seed, failure.faults);
    }
    text
}

#[test]
fn the_flow_stands_a_few_worlds_and_the_same_seeds_are_the_same_worlds() {
    let mut options = Options::new(1..3);
    options.venues = vec!["bybit".to_owned(), "kraken".to_owned()];
    let first = run(&options);
    assert!(first.failures.is_empty(), "{}", say(&first.failures));
    assert_eq!(first.seeds, 2);
    assert!(first.judged.entries > 1_000 && first.judged.legs > 1_000);
    options.threads = 1;
    assert_eq!(run(&options).digest, first.digest);
    options.seeds = 3..4;
    assert_ne!(run(&options).digest, first.digest);
}

/// The first of the worlds of each mistake; `dragonfly-sim fuzz --regressions` runs all.
#[test]
fn what_was_found_once_is_not_found_again() {
    let list = fuzz::regressions().unwrap();
    assert!(list.len() >= 5);
    for regression in list {
        let mut options = regression.options;
        options.seeds.end = options.seeds.start + 1;
        let summary = run(&options);
        let found = &regression.found;
        assert!(
            summary.failures.is_empty(),
            "{found}{}",
            say(&summary.failures)
        );
        assert!(summary.fired.values().all(|count| *count > 0), "{found}");
    }
}

#[test]
fn each_commit_has_a_window_of_its_own_and_a_run_can_end_by_time() {
    assert_eq!(fuzz::window("00000000ff1234", 5), Some(255..260));
    assert_ne!(
        fuzz::window("0d7d2f9aa1c7", 5),
        fuzz::window("0d7d2f9aa2c7", 5)
    );
    for wrong in ["", "0d7d2f9a", "0d7d2f9aax", "+d7d2f9aa1"] {
        assert_eq!(fuzz::window(wrong, 5), None, "{wrong}");
    }
    let mut options = Options::new(1..1_000_000);
    options.venues = vec!["kraken".to_owned()];
    options.threads = 1;
    let begun = AtomicU64::new(0);
    let goes_on = || begun.fetch_add(1, Ordering::Relaxed) < 2;
    let summary = fuzz::fuzz_while(&options, &goes_on, &|_| {}).unwrap();
    assert_eq!(summary.seeds, 2, "the seeds after the second are not begun");
}

/// What can keep other faults from finding anything to happen to.
const LASTING: [Kind; 5] = [
    Kind::Delisted,
    Kind::Renamed,
    Kind::Refused,
    Kind::Frozen,
    Kind::Lifetime,
];

#[test]
fn every_fault_fires_at_every_venue_it_can_happen_at() {
    let venues = [
        "binance",
        "bitstamp",
        "bybit",
        "coinbase-advanced",
        "kraken",
    ];
    let kinds = Kind::ALL.iter().filter(|kind| !kind.needs_sockets());
    let mut plans: Vec<(&str, Plan)> = Vec::new();
    for (number, kind) in kinds.enumerate() {
        // One venue a kind here, another for the next: all pairs are for longer runs.
        let fits = |venue: &&str| kind.fits(venue);
        let fitting: Vec<&str> = venues.into_iter().filter(fits).collect();
        let venue = fitting[number % fitting.len()];
        let mut alone = plan(*kind, venue);
        let is_open =
            |plan: &Plan| plan.faults.len() < 5 && !LASTING.contains(&plan.faults[0].kind);
        let open = plans
            .iter_mut()
            .find(|(at, plan)| *at == venue && is_open(plan));
        match open {
            Some((_, plan)) if !LASTING.contains(kind) => plan.faults.append(&mut alone.faults),
            _ => plans.push((venue, alone)),
        }
    }
    for (venue, plan) in plans {
        let kinds: Vec<Kind> = plan.faults.iter().map(|fault| fault.kind).collect();
        let mut options = Options::new(1..2);
        options.venues = vec![venue.to_owned()];
        options.plan = Some(plan);
        options.shrink = false;
        let summary = run(&options);
        assert!(
            summary.failures.is_empty(),
            "{kinds:?} at {venue}: {}",
            say(&summary.failures)
        );
        for kind in kinds {
            assert!(summary.fired[&kind] > 0, "{kind} never fired at {venue}");
        }
    }
}

#[test]
fn a_fault_that_cannot_fire_fails_the_run() {
    let mut options = Options::new(1..2);
    options.venues = vec!["bybit".to_owned()];
    options.plan = Some(plan(Kind::Gap, "kraken"));
    let summary = run(&options);
    // Nothing of the plan could happen, as its venue is not there: that is no failure of the flow,
    // and no silence either.
    assert_eq!(summary.fired[&Kind::Gap], 0);
    assert!(
        say(&summary.failures).contains("gap never fired"),
        "{}",
        say(&summary.failures)
    );
}

#[test]
fn a_planted_bug_is_found_with_the_fault_it_takes() {
    let mut options = Options::new(0..8);
    options.venues = vec!["kraken".to_owned()];
    options.plan = Some(plan(Kind::Gap, "kraken"));
    options.plant = Some("no-checksum".to_owned());
    let summary = run(&options);
    let failure = summary
        .failures
        .first()
        .expect("a lost update that no checksum shows");
    assert_eq!(failure.faults, ["gap at kraken"]);
    assert!(
        failure
            .command(&options, Some("gap.toml"))
            .ends_with("--plan gap.toml --plant no-checksum --keep 0")
    );
    options.plan = Some(Plan::default());
    let summary = run(&options);
    assert!(summary.failures.is_empty(), "without the fault all is well");
}

#[test]
fn wrong_options_are_named() {
    let refused = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::new(0..1);
        change(&mut options);
        fuzz::fuzz(&options, &|_| {}).unwrap_err()
    };
    let error = refused(&|options| options.venues = vec!["mtgox".to_owned()]);
    assert!(
        error
            .to_string()
            .starts_with("unknown venue \"mtgox\": choose among binance, ")
    );
    let error = refused(&|options| options.plant = Some("none".to_owned()));
    assert!(
        error
            .to_string()
            .starts_with("unknown plant \"none\": choose among ")
    );
    let error = refused(&|options| options.seeds = 3..3);
    assert!(matches!(error, FuzzError::Seeds(_)), "{error}");
}
