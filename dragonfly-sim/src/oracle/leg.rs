//! One leg of a stream: what is shown of a book, held against what the venue said of it.

use super::{
    Kind, Leg, Limits, Oracle, Rule, Shelf, View, Violation, decimal,
    truth::{Said, Stream, Truth},
};
use crate::ledger::Levels;

/// What a published stream shows.
#[derive(Debug, Default)]
pub(super) struct Told {
    name: String,
    /// The sequence of its last view.
    pub(super) seq: Option<u64>,
    legs: Vec<Shown>,
}

/// What a published stream shows of one leg.
#[derive(Debug, Default)]
struct Shown {
    /// Where the truth of the leg is.
    book: usize,
    epoch: u32,
    seq: u64,
    is_live: bool,
    /// When this epoch was first shown.
    since: u64,
    candidates: Vec<u64>,
    /// Whether a view of this epoch has been compared with what was said.
    was_found: bool,
    /// A violation was found in this epoch: what follows from it is not held against it again.
    is_condemned: bool,
    is_reported: bool,
}

impl Told {
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn leg(&self, book: usize) -> Option<&Shown> {
        self.legs.iter().find(|shown| shown.book == book)
    }
}

impl Oracle {
    /// Rules (a), (c) and (e), of every leg of a view.
    pub(super) fn judge_legs(&mut self, view: &View, stream: usize) {
        for (at, leg) in view.legs.iter().enumerate() {
            let shown = self.find(stream, at, leg);
            for (rule, what) in self.judge_leg(view, at, stream, shown) {
                let what = format!(
                    "{} {} epoch {} seq {}: {what}",
                    leg.venue, leg.symbol, leg.epoch, leg.seq
                );
                self.violate(rule, view, what);
            }
        }
    }

    /// Where what the stream shows of a leg is kept: mostly where the view has the leg.
    fn find(&mut self, stream: usize, at: usize, leg: &Leg) -> usize {
        let Self { told, truths, .. } = self;
        let legs = &told[stream].legs;
        let is_it = |shown: &Shown| truths[shown.book].is_of(leg);
        if legs.get(at).is_some_and(is_it) {
            return at;
        }
        if let Some(at) = legs.iter().position(is_it) {
            return at;
        }
        let book = self.book(&leg.venue, &leg.symbol);
        let legs = &mut self.told[stream].legs;
        legs.push(Shown {
            book,
            ..Shown::default()
        });
        legs.len() - 1
    }

    fn judge_leg(
        &mut self,
        view: &View,
        at: usize,
        stream: usize,
        shown: usize,
    ) -> Vec<(Rule, String)> {
        let leg = &view.legs[at];
        let shown = &mut self.told[stream].legs[shown];
        let truth = &self.truths[shown.book];
        let mut found = Vec::new();
        if (leg.epoch, leg.seq) < (shown.epoch, shown.seq) {
            found.push((
                Rule::Order,
                format!("after epoch {} seq {}", shown.epoch, shown.seq),
            ));
        }
        if leg.epoch != shown.epoch {
            shown.begin(leg, view.at.saturating_sub(self.limits.view_delay), truth);
        }
        let was_live = shown.is_live;
        (shown.seq, shown.is_live) = (leg.seq, leg.is_live());
        // Whenever between then and now the leg turned stale, it had been heard of by then.
        let then = view.at.saturating_sub(self.limits.view_delay);
        let heard = truth
            .heard_by(then)
            .filter(|_| was_live && leg.state == "stale");
        if let Some(heard) = heard.filter(|heard| view.at < heard.saturating_add(self.limits.alive))
        {
            let ms = view.at.saturating_sub(heard) / 1_000_000;
            let what = format!("stale {ms} ms after a message of its own");
            found.push((Rule::Freshness, what));
        }
        if !leg.is_live() {
            shown.is_reported = false;
            return found;
        }
        self.judged.legs += 1;
        if shown.is_condemned {
            return found;
        }
        let fits = |stream: &u64| {
            let said = truth.said(*stream, leg.seq);
            said.is_some_and(|said| said.at <= view.at && agrees(said, view, at))
        };
        let mut before = Vec::new();
        if !shown.candidates.iter().all(fits) {
            before.clone_from(&shown.candidates);
            shown.candidates.retain(fits);
        }
        if shown.candidates.is_empty() && truth.is_imaging() {
            // An image is whole in itself: with the next one that is ahead of it a book may pass
            // over to the new count without beginning again.
            let after = before.last().map_or(0, |last| last + 1);
            let newer = truth.streams.range(after..).map(|(number, _)| *number);
            shown.candidates = newer.filter(fits).collect();
        }
        let Some(stream) = shown.candidates.last() else {
            shown.is_condemned = true;
            found.push((Rule::Truth, explain(truth, &before, view, at)));
            return found;
        };
        shown.was_found = true;
        let said = truth.said(*stream, leg.seq);
        if said.is_some_and(|said| is_crossed(&said.bids, &said.asks)) {
            found.push((Rule::Crossed, "the venue's own book is crossed".to_owned()));
        }
        found
    }

    /// What the view rests on: of each `Live` leg, the entries it may show. `None` when one of them
    /// has been found wrong already.
    pub(super) fn grounds(&self, view: &View, stream: usize) -> Option<Vec<(usize, Vec<&Said>)>> {
        let mut grounds = Vec::new();
        for (at, leg) in view
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.is_live())
        {
            let legs = &self.told[stream].legs;
            let is_it = |shown: &&Shown| self.truths[shown.book].is_of(leg);
            let shown = legs.get(at).filter(is_it);
            let shown = shown.or_else(|| legs.iter().find(is_it))?;
            let truth = &self.truths[shown.book];
            if shown.is_condemned {
                return None;
            }
            let said = shown.candidates.iter().rev();
            let said = said.filter_map(|stream| truth.said(*stream, leg.seq));
            grounds.push((at, said.collect()));
        }
        Some(grounds)
    }

    /// Rule (d), of every leg of every stream.
    pub(super) fn look(&mut self, now: u64) {
        let mut found = Vec::new();
        for told in &mut self.told {
            for shown in &mut told.legs {
                if !shown.is_live || shown.is_condemned || shown.is_reported {
                    continue;
                }
                let truth = &self.truths[shown.book];
                let heard = self.heard.get(&truth.socket).copied().unwrap_or(0);
                if let Some(what) = shown.is_overdue(now, truth, heard, &self.limits) {
                    shown.is_reported = true;
                    let what = format!(
                        "{} {} epoch {} seq {}: {what}",
                        truth.venue, truth.symbol, shown.epoch, shown.seq
                    );
                    found.push(Violation::new(Rule::Freshness, now, &*told.name, what));
                }
            }
        }
        found.sort_by(|a, b| (&a.stream, &a.what).cmp(&(&b.stream, &b.what)));
        self.violations.append(&mut found);
    }

    /// Whether the stream shows the leg `Live` and as the venue last said; if not, what it shows.
    ///
    /// # Errors
    /// What is shown instead.
    pub fn is_settled(&self, stream: &str, venue: &str, symbol: &str) -> Result<(), String> {
        self.is_settled_since(stream, venue, symbol, u64::MAX)
    }

    /// The same of a venue that never rests: whether the leg shows what the venue had said `by` then,
    /// or anything newer.
    ///
    /// # Errors
    /// What is shown instead.
    pub fn is_settled_since(
        &self,
        stream: &str,
        venue: &str,
        symbol: &str,
        by: u64,
    ) -> Result<(), String> {
        let book = self.books.get(venue).and_then(|of| of.get(symbol));
        let told = self.streams.get(stream).map(|at| &self.told[*at]);
        let shown = book.and_then(|book| told?.leg(*book));
        let Some(shown) = shown else {
            return Err("was never shown".to_owned());
        };
        let truth = &self.truths[shown.book];
        if !shown.is_live {
            return Err("is not live".to_owned());
        }
        let at = shown.candidates.last().copied().unwrap_or(0);
        let newest = truth
            .streams
            .iter()
            .rev()
            .find(|(_, s)| s.whole_at.is_some());
        let Some((newest, head)) = newest.map(|(number, s)| (*number, s.head_by(by))) else {
            return Err("is live without a book".to_owned());
        };
        let Some(head) = head.filter(|head| at != newest || head.0 > shown.seq) else {
            return Ok(());
        };
        let (Some(said), Some(last)) = (truth.said(at, shown.seq), truth.said(newest, head.0))
        else {
            return Err("shows what nobody said".to_owned());
        };
        if (&said.bids, &said.asks) == (&last.bids, &last.asks) {
            Ok(())
        } else {
            Err(format!(
                "shows seq {} of stream {at}, the newest is seq {} of stream {newest}",
                shown.seq, head.0
            ))
        }
    }
}

impl Shown {
    fn begin(&mut self, leg: &Leg, now: u64, truth: &Truth) {
        let since = self.since;
        // What the epoch before was known to be cannot begin again without another whole book.
        let last = match self.candidates[..] {
            [only] if self.was_found => Some(only),
            _ => None,
        };
        let is_new = |number: &&u64| {
            let stream = &truth.streams[*number];
            let is_other = last != Some(**number) || stream.wholes > 1;
            is_other && stream.whole_at.is_some_and(|at| at >= since)
        };
        self.candidates = truth.streams.keys().filter(is_new).copied().collect();
        (self.epoch, self.since) = (leg.epoch, now);
        (self.is_condemned, self.is_reported, self.was_found) = (false, false, false);
    }

    fn is_overdue(&self, now: u64, truth: &Truth, heard: u64, limits: &Limits) -> Option<String> {
        let ms = |since: u64| now.saturating_sub(since) / 1_000_000;
        if now > heard + limits.silence {
            return Some(format!(
                "live after {} ms of silence on its connection",
                ms(heard)
            ));
        }
        let own = limits
            .image_silence
            .get(&truth.venue)
            .copied()
            .unwrap_or(limits.own_silence);
        if now > truth.heard + own {
            return Some(format!(
                "live {} ms after the last message of its own",
                ms(truth.heard)
            ));
        }
        let at = self.candidates.last()?;
        let said = truth.said(*at, self.seq)?;
        // Not the newest of all: in a book that never rests that one has always just arrived.
        let due = truth
            .streams
            .get(at)?
            .head_by(now.checked_sub(limits.lag + 1)?);
        if let Some((seq, arrived)) = due
            && seq > self.seq
            && truth
                .said(*at, seq)
                .is_some_and(|due| (&said.bids, &said.asks) != (&due.bids, &due.asks))
        {
            return Some(format!("seq {seq} arrived {} ms ago", ms(arrived)));
        }
        let is_newer = |(number, stream): &(&u64, &Stream)| {
            let head = truth.said(**number, stream.head.0);
            let is_other = |head: &Said| (&head.bids, &head.asks) != (&said.bids, &said.asks);
            head.is_some_and(is_other)
                && stream
                    .whole_at
                    .is_some_and(|at| at.saturating_add(limits.lag) < now)
                && stream.arrivals >= limits.recount_images
        };
        let newer = truth.streams.range(at.saturating_add(1)..).find(is_newer);
        newer.map(|(_, stream)| {
            format!(
                "a new count began, {} updates arrived in it",
                stream.arrivals
            )
        })
    }
}

/// Whether what a view has of a leg is the head of what was said.
fn agrees(said: &Said, view: &View, leg: usize) -> bool {
    if view.kind == Kind::Aggregated {
        return true;
    }
    let is_head = |side: &[Shelf], said: &Levels| {
        let mut said = said.iter();
        let mut own = side.iter().filter(|shelf| shelf.leg == Some(leg));
        own.all(|shelf| {
            said.next().is_some_and(|(price, qty)| {
                decimal::same(&shelf.price, price) && decimal::same(&shelf.qty, qty)
            })
        })
    };
    is_head(&view.bids, &said.bids) && is_head(&view.asks, &said.asks)
}

fn is_crossed(bids: &Levels, asks: &Levels) -> bool {
    match (bids.first(), asks.first()) {
        (Some((bid, _)), Some((ask, _))) => decimal::compare(bid, ask).is_ge(),
        _ => false,
    }
}

/// Why no candidate fits.
fn explain(truth: &Truth, candidates: &[u64], view: &View, leg: usize) -> String {
    let seq = view.legs[leg].seq;
    let said = candidates
        .iter()
        .rev()
        .find_map(|stream| Some((stream, truth.said(*stream, seq)?)));
    let side = |side: &[Shelf]| {
        let own = side.iter().filter(|shelf| shelf.leg == Some(leg)).take(3);
        own.map(|shelf| format!("{} {}", shelf.price, shelf.qty))
            .collect::<Vec<_>>()
    };
    let shows = format!("shows {:?} | {:?}", side(&view.bids), side(&view.asks));
    let best = |levels: &Levels| {
        let best = levels.iter().take(3);
        best.map(|(price, qty)| format!("{price} {qty}"))
            .collect::<Vec<_>>()
    };
    match said {
        None => format!("{shows}; nothing of that number was said in streams {candidates:?}"),
        Some((stream, said)) => {
            let (bids, asks) = (best(&said.bids), best(&said.asks));
            format!("{shows}; in stream {stream} it was {bids:?} | {asks:?}")
        }
    }
}
