//! What comes out of the client, and what is seen in it besides what the oracle judges.

use super::{desk, telling, world::World};
use crate::oracle::{Leg, Rule};

/// How often attempts to connect may have been waited for equally long, to the ns.
const MOST_EQUAL: usize = 3;

impl World<'_> {
    /// Steps the flow to its rest; false when it cannot go on.
    pub(super) fn let_the_client_work(&mut self) -> bool {
        if self.now < self.starved_until {
            return true;
        }
        let is_away = self.now < self.read + self.scenario.away;
        // It comes back on time, whether or not anything else happens then.
        self.back_at = is_away.then(|| self.read + self.scenario.away);
        if !is_away {
            self.read = self.now;
        }
        let now = self.now;
        let plant = self.scenario.plant;
        let (untouched, mut lost) = (&self.untouched, None);
        let (oracle, digest, witness) = (&mut self.oracle, &mut self.digest, &mut *self.witness);
        let teller = &mut self.teller;
        let mut see = |shown: &desk::Shown| {
            let view = teller.tell(shown, now);
            let spoiled = plant.map(|plant| plant.spoil_view(view.clone()));
            let view = spoiled.as_ref().unwrap_or(view);
            telling::mix(digest, view);
            witness.view(view);
            if !untouched.is_empty() && lost.is_none() {
                let is_lost = |leg: &&Leg| is_lost(leg) && untouched.contains(&&*leg.venue);
                lost = view.legs.iter().find(is_lost).cloned();
            }
            witness.note(now, &|| telling::words(view));
            oracle.judge(view);
        };
        let waiting = self.ports.iter().map(|port| port.line.get().inbox.len());
        let waiting = waiting.sum();
        let ran = match &mut self.client {
            Ok(client) => client.run(is_away, waiting, &mut see),
            Err(why) => Err(why.clone()),
        };
        if let Some(leg) = lost {
            let what = format!("{} is {} without a fault of its own", leg.symbol, leg.state);
            self.find(Rule::Recovery, &leg.venue, what);
        }
        if let Err(why) = ran {
            self.find(Rule::Failure, "client", why);
            return false;
        }
        true
    }

    /// Waits before attempts to connect are random: no two are the same.
    pub(super) fn judge_waits(&mut self) {
        self.waits.sort_unstable();
        let equal = self.waits.chunk_by(|a, b| a == b);
        let most = equal.max_by_key(|waits| waits.len()).unwrap_or_default();
        if let (Some(wait), true) = (most.first(), most.len() > MOST_EQUAL) {
            let what = format!("{} attempts to connect after {wait} ns each", most.len());
            self.find(Rule::Storm, "client", what);
        }
    }
}

/// Whether the leg is in a state that only a fault brings about.
fn is_lost(leg: &Leg) -> bool {
    matches!(leg.state.as_str(), "gap" | "crossed" | "closed" | "down")
}
