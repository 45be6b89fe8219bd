//! Waits between attempts, and budgets: the product's against what is documented.

use dragonfly_core::{
    clock::Nanos,
    feed::{Backoff, Budget},
};

use super::{
    super::{Rule, Violation},
    Plant,
};

/// How many waits are drawn.
const WAITS: usize = 64;

/// Full jitter: each wait lies between nothing and a ceiling that doubles, and they are spread over
/// all of that.
pub(super) fn retry(
    first: u64,
    longest: u64,
    seed: u64,
    plant: Option<Plant>,
) -> Option<Violation> {
    let mut backoff = Backoff::between(Nanos(first), Nanos(longest), seed);
    let mut ceiling = first;
    let mut parts = 0;
    let wrong = |what: String| Some(Violation::new(Rule::Retry, what));
    for attempt in 0..WAITS {
        let mut wait = backoff.next_wait().0;
        if plant == Some(Plant::NoJitter) {
            wait = ceiling;
        }
        if wait > ceiling {
            return wrong(format!(
                "wait {attempt} is {wait} ns, the ceiling is {ceiling} ns"
            ));
        }
        parts += u128::from(wait) * 1_000 / u128::from(ceiling.max(1));
        ceiling = ceiling.saturating_mul(2).min(longest);
    }
    let mean = parts / WAITS as u128;
    // The mean of 64 is within 0.2 of a half but for one time in tens of millions.
    if first >= 1_000 && !(300..=700).contains(&mean) {
        return wrong(format!(
            "{WAITS} waits are {mean} thousandths of their ceilings on average"
        ));
    }
    backoff.reset();
    let wait = backoff.next_wait().0;
    (wait > first)
        .then(|| format!("the first wait after a success is {wait} ns, the ceiling is {first} ns"))
        .and_then(wrong)
}

/// A burst at once and one more for each refill: credit is counted here in ns.
pub(super) fn spend(
    burst: u32,
    refill: u64,
    waits: &[u64],
    plant: Option<Plant>,
) -> Option<Violation> {
    let given = if plant == Some(Plant::OverBudget) {
        burst.max(1) + 1
    } else {
        burst
    };
    let mut budget = Budget::new(given, Nanos(refill));
    let full = u64::from(burst.max(1)) * refill;
    let (mut credit, mut now) = (full, 10_000_000_000);
    for (at, wait) in waits.iter().enumerate() {
        now += wait;
        credit = (credit + wait).min(full);
        let expected = credit >= refill;
        let next = budget.next_at(Nanos(now)).0;
        let allowed = budget.take(Nanos(now));
        if allowed != expected {
            let what = format!("request {at} is allowed: {allowed}, expected {expected}");
            return Some(Violation::new(Rule::Budget, what));
        }
        if next - now != refill.saturating_sub(credit) {
            let what = format!(
                "request {at} may come in {} ns, expected {}",
                next - now,
                refill - credit
            );
            return Some(Violation::new(Rule::Budget, what));
        }
        if expected {
            credit -= refill;
        }
    }
    None
}
