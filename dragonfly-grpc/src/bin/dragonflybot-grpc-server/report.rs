//! Logs when a venue's book enters or leaves the view.

use dragonfly_core::{
    market::{BookState, Cause, ConsolidatedBook},
    run::PARK,
    stage::{Cx, Host, Serve, Service, StageError, Work},
};

/// A service without clients: it tells the log.
#[derive(Debug, Default)]
pub(crate) struct Report {
    known: Vec<(BookState, Cause)>,
    is_closed: bool,
}

impl Report {
    fn compare(&mut self, view: &ConsolidatedBook) {
        for (index, (id, status)) in view.legs.iter().enumerate() {
            let now = (status.state, status.cause);
            match self.known.get_mut(index) {
                Some(known) if *known == now => continue,
                Some(known) => *known = now,
                None => self.known.push(now),
            }
            // Before a feed has tried anything there is nothing to say of it.
            if status.state == BookState::Empty {
                continue;
            }
            let live = view.legs.live();
            let of = view.legs.len();
            let (venue, symbol, state, cause) = (id.venue, id.symbol, status.state, status.cause);
            if state == BookState::Live {
                tracing::info!(%venue, %symbol, "live: {live} of {of} venues");
            } else {
                tracing::info!(%venue, %symbol, %state, %cause, "not live: {live} of {of} venues");
            }
        }
    }
}

impl Service for Report {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(if self.is_closed {
            Work::Done
        } else {
            Work::Idle
        })
    }

    fn close(&mut self) {
        self.is_closed = true;
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        "log".into()
    }
}

impl Serve<ConsolidatedBook> for Report {
    fn publish(&mut self, views: &[ConsolidatedBook]) {
        views.iter().for_each(|view| self.compare(view));
    }

    fn withdraw(&mut self) {}
}
