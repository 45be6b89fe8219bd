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
    /// As the first feed has it.
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
        if now < state.closed_until {
            return Err(state.closed_until);
        }
        let budget = state.budget.get_or_insert(*budget);
        if budget.take(now) {
            return Ok(());
        }
        Err(budget.next_at(now))
    }

    /// Nobody passes before `until`.
    pub fn close(&self, until: Nanos) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed_until = state.closed_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_opens_for_all_at_the_latest_time_and_then_by_the_budget() {
        let budget = Budget::new(2, Nanos::from_secs(1));
        let gate = Gate::default();
        gate.close(Nanos::from_secs(9));
        gate.close(Nanos::from_secs(4));
        let opens = Err(Nanos::from_secs(9));
        assert_eq!(gate.admit(&budget, Nanos::from_secs(8)), opens);
        let at = |s| gate.admit(&budget, Nanos::from_secs(s));
        assert_eq!(
            [at(9), at(9), at(9)],
            [Ok(()), Ok(()), Err(Nanos::from_secs(10))]
        );
    }
}
