//! The state machines alone: they do as the model says, the same case is the same list, and every
//! planted bug is found.

use dragonfly_sim::model::{self, Failure, ModelError, Options, Summary};

fn run(options: &Options) -> Summary {
    model::run(options, &|_| {}).unwrap()
}

fn say(failures: &[Failure]) -> String {
    failures
        .iter()
        .map(|failure| format!("\n{failure}"))
        .collect()
}

#[test]
fn the_state_machines_do_as_the_model_says_and_the_same_cases_are_the_same_lists() {
    let mut options = Options::new(0..12);
    let first = run(&options);
    assert!(first.failures.is_empty(), "{}", say(&first.failures));
    assert_eq!((first.cases, first.operations), (12, 12 * 1_500));
    assert!(first.updates > 8_000 && first.views > 8_000, "{first:?}");
    assert!(first.truths > 100, "{first:?}");
    options.threads = 1;
    assert_eq!(run(&options).digest, first.digest);
    options.cases = 12..13;
    assert_ne!(run(&options).digest, first.digest);
}

/// Cases that once failed, for the mistake that made them fail.
#[test]
fn what_was_found_once_is_not_found_again() {
    // A book whose new state is due before all that was due until then; several books that fail in
    // one message, or in one that is bad itself.
    for case in [6, 9, 12, 21, 19, 27] {
        let summary = run(&Options::new(case..case + 1));
        assert!(summary.failures.is_empty(), "{}", say(&summary.failures));
    }
}

#[test]
fn a_run_goes_on_until_there_are_enough_updates_and_covers_the_catalogue() {
    let mut options = Options::new(0..u64::MAX);
    options.updates = Some(10_000);
    let summary = run(&options);
    assert!(
        summary.updates >= 10_000 && summary.cases < 100,
        "{summary:?}"
    );
    // The rarest happen once in some ten cases.
    assert!(summary.missing().len() < 5, "{:?}", summary.missing());
}

#[test]
fn every_planted_bug_is_found_by_a_few_cases() {
    let mut missed = Vec::new();
    let mut options = Options::new(0..10);
    options.shrink = false;
    let count = model::hunt(&options, &mut |plant, failure| {
        if failure.is_none() {
            missed.push(plant);
        }
    });
    assert_eq!(missed, Vec::<&str>::new());
    assert_eq!(count.unwrap(), 0);
    assert!(model::plants().count() >= 25);
}

#[test]
fn a_failing_case_is_reduced_to_a_few_readable_lines_and_one_command() {
    let mut options = Options::new(0..10);
    options.plant = Some("plus-two".to_owned());
    let summary = run(&options);
    let failure = summary.failures.first().expect("the number after the next");
    let shown = failure.to_string();
    let command = format!(
        "dragonfly-sim model --case {} --plant plus-two",
        failure.case
    );
    assert!(shown.contains(&command), "{shown}");
    // A connection, a snapshot and the delta that does not follow, and little else.
    assert!(failure.lines.len() <= 8, "{shown}");
    assert!(shown.contains("snapshot of book"), "{shown}");
    options.cases = failure.case..failure.case + 1;
    let again = run(&options);
    assert_eq!(again.failures.first().map(ToString::to_string), Some(shown));
}

#[test]
fn wrong_options_are_named() {
    let mut options = Options::new(0..1);
    options.plant = Some("none".to_owned());
    let error = model::run(&options, &|_| {}).unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("unknown plant \"none\": choose among "),
        "{said}"
    );
    let error = model::run(&Options::new(3..3), &|_| {}).unwrap_err();
    assert!(matches!(error, ModelError::Cases(_)), "{error}");
}
