//! What the measurements are held against. A new target is a line in [`TARGETS`].

use std::collections::BTreeMap;

use crate::results::{Result, Results};

/// By how much two times may differ and count as equal: less than what one run differs from the next.
const NOISE: f64 = 0.03;

/// One thing to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The group, `<group>/<alternative>` where it is not the alternative `dragonfly`, or the figure.
    /// A `*` stands for any letters; each group that fits is held against the target by itself.
    pub(crate) of: &'static str,
    pub(crate) limit: Limit,
    /// Why it is missed, as a profile shows; printed only then.
    pub(crate) reason: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// At most so many nanoseconds.
    Ns(f64),
    /// At most so many times what the named alternative of the same group takes.
    Share(f64, &'static str),
    /// Not slower than any other alternative of the same group.
    Best,
    /// A figure of a program: at most so much.
    AtMost(f64),
    /// A figure of a program: at least so much.
    AtLeast(f64),
}

const fn target(of: &'static str, limit: Limit, reason: &'static str) -> Target {
    Target { of, limit, reason }
}

/// What is known of hops from core to core.
const HOST: &str = "not found: from 0.9 to 1.4 between runs, with the cores that the host gives; a \
                    profile of one run explains none of the others";

/// All targets.
pub(crate) const TARGETS: &[Target] = &[
    target(
        "binance_depth20_top10",
        Limit::Share(0.12, "serde_json"),
        "",
    ),
    target(
        "binance_depth20_top10",
        Limit::Share(0.05, "gjson"),
        "this alternative stops after ten levels and keeps no text, so it is twice as fast as gjson is \
         usually used; what is left of ours is 20 pairs of numbers",
    ),
    target("bitstamp_100_top10", Limit::Ns(250.0), ""),
    target(
        "unchanged_top*",
        Limit::Ns(60.0),
        "the end of an array of 100 levels has to be looked for in 5.5 KB; that search alone is three \
         quarters of it",
    ),
    target(
        "pair_*",
        Limit::Ns(5.0),
        "27 cycles a pair, in 13 of which the scheduler of the integer units is full of instructions \
         that wait for a mask or a number to come out of the vector units",
    ),
    target("merge_2x10", Limit::Ns(60.0), ""),
    target("path_2_venues/decode_merge", Limit::Ns(500.0), ""),
    target("book_1000_*near_top", Limit::Ns(30.0), ""),
    target("hop_spsc_*", Limit::Best, ""),
    target("hop_mpsc_*", Limit::Best, ""),
    target("hop_spmc_*", Limit::Best, ""),
    target(
        "hop_mpmc_*",
        Limit::Best,
        "the copy of 1.3 KB is most of it for both; 1.01 in other runs, and no profile tells them apart",
    ),
    target("hop_latest_*", Limit::Best, ""),
    target(
        "hop_channel_*",
        Limit::Best,
        "the adapter is crossbeam-channel and one more move of the item, from the channel to where \
         it can be lent",
    ),
    target("ping_pong_spsc_*", Limit::Best, HOST),
    target("ping_pong_mpsc_*", Limit::Best, HOST),
    target("ping_pong_spmc_*", Limit::Best, HOST),
    target("ping_pong_mpmc_*", Limit::Best, HOST),
    target("ping_pong_latest_*", Limit::Share(1.0, "tokio_watch"), ""),
    target(
        "stream_*",
        Limit::Best,
        "how fast the reader looks decides: one that looks less often leaves the writer its cache line",
    ),
    target(
        "throughput_books_per_second_and_core",
        Limit::AtLeast(300_000.0),
        "",
    ),
    target("end_to_end_default_*_shown", Limit::AtLeast(1.0), ""),
    target("end_to_end_default_*_p50_us", Limit::AtMost(170.0), ""),
    target("end_to_end_default_*_p99_us", Limit::AtMost(265.0), ""),
    target("end_to_end_default_200_cores", Limit::AtMost(0.05), ""),
    target("end_to_end_spin_*_p50_us", Limit::AtMost(102.0), ""),
    target("fan_out_1000_over_*_p99_ms", Limit::AtMost(10.0), ""),
    target("memory_1000_instruments_mib", Limit::AtMost(64.0), ""),
    target("memory_growth_mib", Limit::AtMost(2.0), ""),
];

/// How one group or figure stands to a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) of: String,
    pub(crate) limit: String,
    /// What was measured; nothing where it was not.
    pub(crate) measured: Option<String>,
    pub(crate) is_met: bool,
    pub(crate) reason: &'static str,
}

/// Holds everything that was measured against a target.
pub(crate) fn judge(target: &Target, results: &Results) -> Vec<Verdict> {
    let verdict = |of: &str, outcome: Option<(String, bool)>| Verdict {
        of: of.to_owned(),
        limit: target.limit.to_string(),
        is_met: outcome.as_ref().is_some_and(|(_, is_met)| *is_met),
        measured: outcome.map(|(measured, _)| measured),
        reason: target.reason,
    };
    let verdicts: Vec<Verdict> = match target.limit {
        Limit::AtMost(most) => figures(target, results)
            .map(|(name, value)| verdict(name, Some((number(value), value <= most))))
            .collect(),
        Limit::AtLeast(least) => figures(target, results)
            .map(|(name, value)| verdict(name, Some((number(value), value >= least))))
            .collect(),
        _ => {
            let (pattern, ours) = target
                .of
                .split_once('/')
                .unwrap_or((target.of, "dragonfly"));
            let groups = results
                .groups
                .iter()
                .filter(|(name, _)| fits(name, pattern));
            groups
                .map(|(name, group)| verdict(name, against(group, ours, target.limit)))
                .collect()
        }
    };
    if verdicts.is_empty() {
        return vec![verdict(target.of, None)];
    }
    verdicts
}

fn figures<'a>(target: &Target, results: &'a Results) -> impl Iterator<Item = (&'a str, f64)> {
    let pattern = target.of;
    let figures = results.figures.iter();
    figures
        .filter(move |(name, _)| fits(name, pattern))
        .map(|(name, value)| (name.as_str(), *value))
}

/// One group against a limit: what to show, and whether it is met; nothing when a time is missing.
fn against(group: &BTreeMap<String, Result>, ours: &str, limit: Limit) -> Option<(String, bool)> {
    let ns = group.get(ours)?.ns?;
    Some(match limit {
        Limit::Ns(most) => (format!("{} ns", number(ns)), ns <= most),
        Limit::Share(most, peer) => {
            let share = ns / group.get(peer)?.ns?;
            (format!("{share:.3} x {peer}"), share <= most)
        }
        _ => {
            let others = group.iter().filter(|(name, _)| *name != ours);
            let times = others.filter_map(|(name, result)| Some((name, result.ns?)));
            let (peer, best) = times.min_by(|a, b| a.1.total_cmp(&b.1))?;
            let share = ns / best;
            (format!("{share:.2} x {peer}"), share <= 1.0 + NOISE)
        }
    })
}

/// Whether a name is of this pattern, in which one `*` stands for any letters.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, end)) => name
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
    }
}

/// Three digits, or all before the point.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ns(most) => write!(f, "<= {most} ns"),
            Self::Share(most, peer) => write!(f, "<= {most} x {peer}"),
            Self::Best => write!(f, "<= 1 x the best alternative"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
        }
    }
}
