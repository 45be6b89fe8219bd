//! The generated sections as Markdown, and their place in a page.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    results::{Result, Results},
    targets::{self, Target, Verdict},
};

/// The lines between which a section is written anew.
pub(crate) fn markers(section: &str) -> (String, String) {
    (
        format!("<!-- generated: {section} -->"),
        format!("<!-- end of {section} -->"),
    )
}

/// The page with what stands between the markers of a section replaced.
pub(crate) fn replace(
    page: &str,
    section: &str,
    text: &str,
) -> std::result::Result<String, String> {
    let (begin, end) = markers(section);
    let (before, rest) = page
        .split_once(&begin)
        .ok_or_else(|| format!("no line {begin:?}"))?;
    let (_, after) = rest
        .split_once(&end)
        .ok_or_else(|| format!("no line {end:?} after {begin:?}"))?;
    Ok(format!("{before}{begin}\n{text}{end}{after}"))
}

/// Every group with every alternative, the project's own first, then the fastest first.
pub(crate) fn figures(results: &Results) -> String {
    let mut text = String::from(
        "| shape | alternative | ns | ratio | instructions |\n|---|---|---:|---:|---:|\n",
    );
    for (name, group) in &results.groups {
        let base = base(group);
        let mut first = Some(name.as_str());
        for (alternative, result) in in_order(group) {
            let ratio = base.and_then(|base| Some(result.ns? / base));
            // Writing to a string does not fail.
            let _ok = writeln!(
                text,
                "| {} | {alternative} | {} | {} | {} |",
                first.take().unwrap_or_default(),
                or_dash(result.ns.map(targets::number)),
                or_dash(ratio.map(|ratio| format!("{ratio:.2}"))),
                or_dash(result.instructions.map(|count| format!("{count:.0}"))),
            );
        }
    }
    text
}

/// What the others are compared with: `dragonfly`, or else the first that is ours.
fn base(group: &BTreeMap<String, Result>) -> Option<f64> {
    let ours = |(name, _): &(&String, &Result)| name.starts_with("dragonfly");
    let exact = group.get("dragonfly");
    exact
        .or_else(|| group.iter().find(ours).map(|(_, result)| result))?
        .ns
}

fn in_order(group: &BTreeMap<String, Result>) -> Vec<(&String, &Result)> {
    let mut order: Vec<_> = group.iter().collect();
    let rank = |(name, result): &(&String, &Result)| {
        let ns = result.ns.unwrap_or(f64::INFINITY);
        (!name.starts_with("dragonfly"), ns)
    };
    order.sort_by(|a, b| {
        let ((a_is_other, a), (b_is_other, b)) = (rank(a), rank(b));
        a_is_other.cmp(&b_is_other).then(a.total_cmp(&b))
    });
    order
}

/// Every target, and whether it is met.
pub(crate) fn targets(targets: &[Target], results: &Results) -> String {
    let mut text =
        String::from("| target | limit | measured | | reason |\n|---|---|---|---|---|\n");
    for target in targets {
        for verdict in targets::judge(target, results) {
            let Verdict { of, limit, .. } = &verdict;
            let (measured, state) = match (&verdict.measured, verdict.is_met) {
                (None, _) => ("not measured", "missing"),
                (Some(measured), true) => (measured.as_str(), "met"),
                (Some(measured), false) => (measured.as_str(), "**missed**"),
            };
            let reason = if state == "**missed**" {
                verdict.reason
            } else {
                ""
            };
            let _ok = writeln!(text, "| {of} | {limit} | {measured} | {state} | {reason} |");
        }
    }
    text
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
