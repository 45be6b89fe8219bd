//! What the connections to one venue have in common: how often they may be made, and until when not.

use std::sync::{Arc, Mutex, PoisonError};

use dragonfly_core::{clock::Nanos, feed::Budget};

/// Lets the attempts to connect of several feeds pass one at a time, as their venue allows.
///
/// A venue counts the attempts of an address, and not of one connection: when it asks one feed to
/// wait, the others wait too. Clones share one state. For feeds of one flow: the times are of the
/// flow's clock.
///
/// ```
/// use dragonfly_clients::Gate;
/// use dragonfly_core::{clock::Nanos, feed::Budget};
///
/// let (gate, budget) = (Gate::default(), Budget::new(1, Nanos::from_secs(6)));
/// assert_eq!(gate.admit(&budget, Nanos(0)), Ok(()));
/// assert_eq!(gate.clone().admit(&budget, Nanos(0)), Err(Nanos::from_secs(6)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// That of the feed that asked first.
    budget: Option<Budget>,
    closed_until: Nanos,
}

impl Gate {
    /// Takes an attempt out of `budget`, or out of that of the feed that asked first.
    ///
    /// # Errors
    /// When to ask again.
    pub fn admit(&self, budget: &Budget, now: Nanos) -> Result<(), Nanos> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closed_until = state.closed_until;
        if now < closed_until {
            return Err(closed_until);
        }
        let budget = state.budget.get_or_insert_with(|| {
            let mut budget = *budget;
            if closed_until > Nanos(0) {
                budget.leave_one(closed_until);
            }
            budget
        });
        if budget.take(now) {
            return Ok(());
        }
        Err(budget.next_at(now))
    }

    /// Nobody passes before `until`, and from then on one at a time: a venue that has asked to be left
    /// alone is not met by all at once.
    pub fn close(&self, until: Nanos) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed_until = state.closed_until.max(until);
        let opens = state.closed_until;
        if let Some(budget) = &mut state.budget {
            budget.leave_one(opens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_opens_at_the_latest_time_and_then_for_one_after_the_other() {
        let budget = Budget::new(2, Nanos::from_secs(1));
        let gate = Gate::default();
        let at = |s| gate.admit(&budget, Nanos::from_secs(s));
        let next = |s| Err(Nanos::from_secs(s));
        assert_eq!([at(1), at(1), at(1)], [Ok(()), Ok(()), next(2)]);
        gate.close(Nanos::from_secs(9));
        gate.close(Nanos::from_secs(4));
        assert_eq!(at(8), next(9));
        let one_by_one = [Ok(()), next(10), Ok(()), next(11)];
        assert_eq!([at(9), at(9), at(10), at(10)], one_by_one);

        let gate = Gate::default();
        gate.close(Nanos::from_secs(9));
        let at = |s| gate.admit(&budget, Nanos::from_secs(s));
        let seen = [at(9), at(9), at(10), at(10)];
        assert_eq!(seen, one_by_one, "closed before anyone asked");
    }
}
