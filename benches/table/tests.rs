//! The tables of a small fixture.

use std::path::{Path, PathBuf};

use crate::{
    page,
    results::Results,
    targets::{self, Limit, Target, judge},
};

fn fixture(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("table/fixture")
        .join(part)
}

fn results() -> Results {
    let mut results = Results::default();
    results.add_times(&fixture("criterion")).unwrap();
    results.add_counts(&fixture("gungraun")).unwrap();
    results.add_figures(&fixture("figures")).unwrap();
    results
}

fn target(of: &'static str, limit: Limit) -> Target {
    Target {
        of,
        limit,
        reason: "the reason",
    }
}

/// The state column of a target.
fn outcome(of: &'static str, limit: Limit) -> Vec<(String, Option<String>, bool)> {
    let verdicts = judge(&target(of, limit), &results());
    let parts = |v: targets::Verdict| (v.of, v.measured, v.is_met);
    verdicts.into_iter().map(parts).collect()
}

fn one(of: &str, measured: &str, is_met: bool) -> Vec<(String, Option<String>, bool)> {
    vec![(of.to_owned(), Some(measured.to_owned()), is_met)]
}

#[test]
fn every_alternative_has_its_time_its_ratio_and_its_count() {
    assert_eq!(
        page::figures(&results()),
        "| shape | alternative | ns | ratio | instructions |\n\
         |---|---|---:|---:|---:|\n\
         | hop_spsc_u64 | dragonfly | 2.00 | 1.00 | 73 |\n\
         |  | rtrb | 1.90 | 0.95 | - |\n\
         |  | a/slow one | 250 | 125.00 | - |\n\
         | only_counted | dragonfly | - | - | 2 |\n"
    );
}

#[test]
fn the_lowest_of_several_runs_counts() {
    let mut results = results();
    results.add_times(&fixture("second_run")).unwrap();
    assert_eq!(results.groups["hop_spsc_u64"]["dragonfly"].ns, Some(1.5));
    assert_eq!(results.groups["hop_spsc_u64"]["rtrb"].ns, Some(1.9));
}

#[test]
fn a_target_is_met_or_missed_by_each_kind_of_limit() {
    assert_eq!(
        outcome("hop_*_u64", Limit::Ns(2.0)),
        one("hop_spsc_u64", "2.00 ns", true)
    );
    assert_eq!(
        outcome("hop_*", Limit::Ns(1.9)),
        one("hop_spsc_u64", "2.00 ns", false)
    );
    let best = one("hop_spsc_u64", "1.05 x rtrb", false);
    assert_eq!(outcome("hop_spsc_u64", Limit::Best), best);
    let share = one("hop_spsc_u64", "0.008 x a/slow one", true);
    assert_eq!(outcome("hop_*", Limit::Share(0.01, "a/slow one")), share);
    assert_eq!(
        outcome("hop_*/rtrb", Limit::Ns(1.9)),
        one("hop_spsc_u64", "1.90 ns", true)
    );
    assert_eq!(
        outcome("memory_mib", Limit::AtMost(12.0)),
        one("memory_mib", "12.5", false)
    );
    assert_eq!(
        outcome("memory_mib", Limit::AtLeast(12.0)),
        one("memory_mib", "12.5", true)
    );
}

#[test]
fn what_was_not_measured_is_said_to_be_missing() {
    let missing = |of: &str| vec![(of.to_owned(), None, false)];
    assert_eq!(outcome("no_such_*", Limit::Best), missing("no_such_*"));
    assert_eq!(
        outcome("no_figure", Limit::AtMost(1.0)),
        missing("no_figure")
    );
    assert_eq!(
        outcome("only_counted", Limit::Ns(1.0)),
        missing("only_counted")
    );
    let share = Limit::Share(0.1, "nobody");
    assert_eq!(outcome("hop_spsc_u64", share), missing("hop_spsc_u64"));
    assert_eq!(
        page::targets(
            &[
                target("no_such", Limit::Ns(1.0)),
                target("hop_*", Limit::Ns(1.0))
            ],
            &results()
        ),
        "| target | limit | measured | | reason |\n\
         |---|---|---|---|---|\n\
         | no_such | <= 1 ns | not measured | missing |  |\n\
         | hop_spsc_u64 | <= 1 ns | 2.00 ns | **missed** | the reason |\n"
    );
}

#[test]
fn a_section_is_replaced_and_the_rest_of_the_page_stays() {
    let (begin, end) = page::markers("figures");
    let text = format!("before\n{begin}\nold\n{end}\nafter\n");
    let new = format!("before\n{begin}\nnew\n{end}\nafter\n");
    assert_eq!(page::replace(&text, "figures", "new\n"), Ok(new));
    assert!(
        page::replace(&text, "targets", "")
            .unwrap_err()
            .contains("targets")
    );
}

#[test]
fn the_page_has_every_section() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let page = page.unwrap();
    for section in ["machine", "targets", "programs", "figures"] {
        page::replace(&page, section, "").unwrap();
    }
}

#[test]
fn an_unreadable_result_is_named() {
    let error = Results::default()
        .add_times(&fixture("broken"))
        .unwrap_err();
    assert!(error.to_string().contains("estimates.json"), "{error}");
}
