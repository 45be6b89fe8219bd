//! One book: what the venue said of it, and what a client's stream shows of it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Kind, Leg, Limits, Oracle, Rule, Shelf, View, Violation, decimal};
use crate::ledger::{Entry, Levels};

/// How many arrivals of a book are remembered.
const RECENT: usize = 64;

/// What one message said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) at: u64,
    pub(super) bids: Levels,
    pub(super) asks: Levels,
}

/// What is known of one stream of a book.
#[derive(Debug, Default)]
struct Stream {
    /// When a whole book last arrived in it.
    whole_at: Option<u64>,
    /// How many whole books arrived in it.
    wholes: u64,
    arrivals: u64,
    /// The newest update: its number, and when it arrived.
    head: (u64, u64),
}

/// All that a venue said of one book.
#[derive(Debug, Default)]
pub(super) struct Truth {
    said: HashMap<(u64, u64), Said>,
    streams: BTreeMap<u64, Stream>,
    socket: u32,
    heard: u64,
    /// When the last messages arrived, oldest first.
    recent: VecDeque<u64>,
}

/// What a client's stream shows of one leg.
#[derive(Debug, Default)]
pub(super) struct Shown {
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

impl Truth {
    /// Takes an entry; an error when it contradicts an earlier one.
    pub(super) fn take(&mut self, entry: Entry) -> Result<(), Violation> {
        let Entry {
            at, seq, is_whole, ..
        } = entry;
        (self.socket, self.heard) = (entry.socket, at);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        let stream = self.streams.entry(entry.stream).or_default();
        stream.arrivals += 1;
        if is_whole {
            stream.whole_at = Some(at);
            stream.wholes += 1;
        }
        // A client begins with a whole book; changes that come before it are of no use to it.
        if is_whole || stream.whole_at.is_some() && seq > stream.head.0 {
            stream.head = (seq, at);
        }
        let known = self.said.get(&(entry.stream, seq));
        if let Some(known) = known {
            if (&known.bids, &known.asks) == (&entry.bids, &entry.asks) {
                return Ok(());
            }
            let book = format!("{} {}", entry.venue, entry.symbol);
            let what = format!(
                "the ledger says two things of stream {}, seq {seq}",
                entry.stream
            );
            return Err(Violation::new(Rule::Failure, at, book, what));
        }
        let Entry { bids, asks, .. } = entry;
        self.said
            .insert((entry.stream, seq), Said { at, bids, asks });
        Ok(())
    }

    /// Whether the venue sends nothing but whole books.
    fn is_imaging(&self) -> bool {
        let is_whole = |stream: &Stream| stream.wholes == stream.arrivals;
        let is_many = |stream: &Stream| stream.wholes > 2;
        self.streams.values().all(is_whole) && self.streams.values().any(is_many)
    }

    /// When a message last arrived that was there at `at`, as far as is remembered.
    fn heard_by(&self, at: u64) -> Option<u64> {
        self.recent.iter().rev().copied().find(|heard| *heard <= at)
    }

    fn said(&self, stream: u64, seq: u64) -> Option<&Said> {
        self.said.get(&(stream, seq))
    }
}

impl Oracle {
    /// Rules (a), (c) and (e), of every leg of a view.
    pub(super) fn judge_legs(&mut self, view: &View) {
        for at in 0..view.legs.len() {
            for (rule, what) in self.judge_leg(view, at) {
                let leg = &view.legs[at];
                let what = format!(
                    "{} {} epoch {} seq {}: {what}",
                    leg.venue, leg.symbol, leg.epoch, leg.seq
                );
                self.violate(rule, view, what);
            }
        }
    }

    fn judge_leg(&mut self, view: &View, at: usize) -> Vec<(Rule, String)> {
        let leg = &view.legs[at];
        let key = (leg.venue.clone(), leg.symbol.clone());
        let truth = self.truths.entry(key.clone()).or_default();
        let shown = self.shown.entry((view.stream.clone(), key)).or_default();
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
        if let Some(heard) = heard.filter(|heard| view.at < heard + self.limits.alive) {
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
        let before = shown.candidates.clone();
        let fits = |stream: &u64| {
            let said = truth.said(*stream, leg.seq);
            said.is_some_and(|said| said.at <= view.at && agrees(said, view, at))
        };
        shown.candidates.retain(fits);
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
    pub(super) fn grounds(&self, view: &View) -> Option<Vec<(usize, Vec<&Said>)>> {
        let mut grounds = Vec::new();
        for (at, leg) in view
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.is_live())
        {
            let key = (leg.venue.clone(), leg.symbol.clone());
            let truth = self.truths.get(&key)?;
            let shown = self.shown.get(&(view.stream.clone(), key))?;
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
        for ((stream, key), shown) in &mut self.shown {
            if !shown.is_live || shown.is_condemned || shown.is_reported {
                continue;
            }
            let Some(truth) = self.truths.get(key) else {
                continue;
            };
            let heard = self.heard.get(&truth.socket).copied().unwrap_or(0);
            if let Some(what) = shown.is_overdue(now, truth, heard, &key.0, &self.limits) {
                shown.is_reported = true;
                let what = format!(
                    "{} {} epoch {} seq {}: {what}",
                    key.0, key.1, shown.epoch, shown.seq
                );
                found.push(Violation::new(Rule::Freshness, now, stream.clone(), what));
            }
        }
        // The order of a hash map is not that of another run.
        found.sort_by(|a, b| (&a.stream, &a.what).cmp(&(&b.stream, &b.what)));
        self.violations.append(&mut found);
    }

    /// Whether the stream shows the leg `Live` and as the venue last said; if not, what it shows.
    ///
    /// # Errors
    /// What is shown instead.
    pub fn is_settled(&self, stream: &str, venue: &str, symbol: &str) -> Result<(), String> {
        let key = (venue.to_owned(), symbol.to_owned());
        let shown = self.shown.get(&(stream.to_owned(), key.clone()));
        let (Some(shown), Some(truth)) = (shown, self.truths.get(&key)) else {
            return Err("was never shown".to_owned());
        };
        if !shown.is_live {
            return Err("is not live".to_owned());
        }
        let at = shown.candidates.last().copied().unwrap_or(0);
        let newest = truth
            .streams
            .iter()
            .rev()
            .find(|(_, s)| s.whole_at.is_some());
        let Some((newest, head)) = newest.map(|(number, s)| (*number, s.head)) else {
            return Err("is live without a book".to_owned());
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

    fn is_overdue(
        &self,
        now: u64,
        truth: &Truth,
        heard: u64,
        venue: &str,
        limits: &Limits,
    ) -> Option<String> {
        let ms = |since: u64| now.saturating_sub(since) / 1_000_000;
        if now > heard + limits.silence {
            return Some(format!(
                "live after {} ms of silence on its connection",
                ms(heard)
            ));
        }
        let own = limits
            .image_silence
            .get(venue)
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
        let (seq, head_at) = truth.streams.get(at)?.head;
        let head = truth.said(*at, seq)?;
        let is_same = (&said.bids, &said.asks) == (&head.bids, &head.asks);
        if seq > self.seq && head_at + limits.lag < now && !is_same {
            return Some(format!("seq {seq} arrived {} ms ago", ms(head_at)));
        }
        let is_newer = |(number, stream): &(&u64, &Stream)| {
            let head = truth.said(**number, stream.head.0);
            let is_other = |head: &Said| (&head.bids, &head.asks) != (&said.bids, &said.asks);
            head.is_some_and(is_other)
                && stream.whole_at.is_some_and(|at| at + limits.lag < now)
                && stream.arrivals >= limits.recount_images
        };
        let newer = truth.streams.range(at + 1..).find(is_newer);
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
