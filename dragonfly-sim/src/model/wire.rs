//! What a venue says, in whole units and as text.

use std::fmt;

/// Units are counts of 1e-18.
pub(super) const SCALE: u8 = 18;

/// A level as it is written: with so many decimals, whether they are needed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) price: i128,
    pub(super) qty: i128,
    pub(super) price_decimals: u8,
    pub(super) qty_decimals: u8,
}

/// What a message says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Image,
    Snapshot,
    Delta,
}

/// One update of one book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    /// The place of the book at its venue; one past the last is a book nobody asked for.
    pub(super) book: usize,
    pub(super) shape: Shape,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) prev: Option<u64>,
    /// The number of the message on its connection.
    pub(super) count: Option<u64>,
    pub(super) checksum: Option<u32>,
    pub(super) window: Option<usize>,
    /// The venue's time stamp.
    pub(super) ts: Option<u64>,
    pub(super) bids: Vec<Level>,
    pub(super) asks: Vec<Level>,
}

impl Update {
    /// An update that says nothing yet.
    pub(super) const fn new(book: usize, shape: Shape) -> Self {
        Self {
            book,
            shape,
            first: 0,
            last: 0,
            prev: None,
            count: None,
            checksum: None,
            window: None,
            ts: None,
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }
}

/// Ten to the power of what is left of the scale after so many decimals.
pub(super) const fn unit(decimals: u8) -> i128 {
    10_i128.pow((SCALE - decimals) as u32)
}

/// How many decimals a number needs.
pub(super) const fn needed(units: i128) -> u8 {
    let mut decimals = SCALE;
    let mut rest = units;
    while decimals > 0 && rest % 10 == 0 {
        rest /= 10;
        decimals -= 1;
    }
    decimals
}

/// Writes a number that is not negative with so many decimals, digit by digit.
pub(super) fn spell(out: &mut Vec<u8>, units: i128, decimals: u8) {
    let mut rest = units / unit(decimals);
    let mut digits = [b'0'; 48];
    let (mut len, mut at) = (0, digits.len());
    // One digit before the point at the least.
    while rest > 0 || len <= decimals {
        if len == decimals && decimals > 0 {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        // A remainder by ten is a digit.
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        len += 1;
    }
    out.extend_from_slice(&digits[at..]);
}

fn number(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        None => out.push(b'-'),
        Some(number) => spell(out, i128::from(number) * unit(0), 0),
    }
    out.push(b' ');
}

fn side(out: &mut Vec<u8>, levels: &[Level]) {
    for (at, level) in levels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        spell(out, level.price, level.price_decimals);
        out.push(b' ');
        spell(out, level.qty, level.qty_decimals);
    }
}

impl Update {
    /// The update as a line: book, shape, first, last, previous, count, checksum, window and time
    /// stamp, then bids and asks.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        number(out, Some(self.book as u64));
        out.extend_from_slice(match self.shape {
            Shape::Image => b"image ",
            Shape::Snapshot => b"snapshot ",
            Shape::Delta => b"delta ",
        });
        let window = self.window.map(|window| window as u64);
        let checksum = self.checksum.map(u64::from);
        let (first, last) = (Some(self.first), Some(self.last));
        for field in [
            first, last, self.prev, self.count, checksum, window, self.ts,
        ] {
            number(out, field);
        }
        out.push(b';');
        side(out, &self.bids);
        out.push(b';');
        side(out, &self.asks);
        out.push(b'\n');
    }
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.shape {
            Shape::Image => "image",
            Shape::Snapshot => "snapshot",
            Shape::Delta => "delta",
        };
        write!(
            f,
            "{shape} of book {} {}..={}",
            self.book, self.first, self.last
        )?;
        for (name, value) in [
            ("prev", self.prev),
            ("count", self.count),
            ("checksum", self.checksum.map(u64::from)),
            ("window", self.window.map(|window| window as u64)),
        ] {
            if let Some(value) = value {
                write!(f, " {name} {value}")?;
            }
        }
        for (name, levels) in [("bids", &self.bids), ("asks", &self.asks)] {
            let mut text = Vec::new();
            side(&mut text, levels);
            write!(f, " {name} [{}]", String::from_utf8_lossy(&text))?;
        }
        Ok(())
    }
}

/// One operation of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A message with updates; where it is broken, something nobody understands follows them.
    Say {
        venue: usize,
        updates: Vec<Update>,
        is_broken: bool,
    },
    /// A message that is no market data.
    Heartbeat { venue: usize, count: Option<u64> },
    /// A message nobody understands.
    Garbage { venue: usize },
    /// A sign of life that is no message.
    Alive { venue: usize },
    /// More of a message comes that is not whole yet; the next message is its end.
    Part { venue: usize },
    /// The connection is made, anew where there was one.
    Up { venue: usize },
    /// The connection is lost, or could not be made.
    Down { venue: usize },
    /// The venue refuses a book, or everything.
    Refuse { venue: usize, book: Option<usize> },
    /// Time goes by, in ns.
    Wait { ns: u64 },
    /// The aggregators take what has come.
    Drain,
    /// A client looks at the newest view.
    Look,
    /// A connection is tried again and again.
    Retry { first: u64, longest: u64, seed: u64 },
    /// Something that is rationed is asked for after each of these waits.
    Spend {
        burst: u32,
        refill: u64,
        waits: Vec<u64>,
    },
}

impl Op {
    /// The venue it is about.
    pub(super) const fn venue(&self) -> Option<usize> {
        match self {
            Self::Say { venue, .. }
            | Self::Heartbeat { venue, .. }
            | Self::Garbage { venue }
            | Self::Alive { venue }
            | Self::Part { venue }
            | Self::Up { venue }
            | Self::Down { venue }
            | Self::Refuse { venue, .. } => Some(*venue),
            _ => None,
        }
    }

    /// Its only update, where it is a message with one.
    pub(super) fn only_update(&mut self) -> Option<(usize, &mut Update)> {
        match self {
            Self::Say { venue, updates, .. } => match updates.as_mut_slice() {
                [only] => Some((*venue, only)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes out of a message the update or level of this place; false when there is none.
    pub(super) fn simplify(&mut self, choice: usize) -> bool {
        let Self::Say { updates, .. } = self else {
            return false;
        };
        if updates.len() > 1 && choice < updates.len() {
            updates.remove(choice);
            return true;
        }
        let mut at = if updates.len() > 1 {
            choice - updates.len()
        } else {
            choice
        };
        for update in updates {
            for side in [&mut update.bids, &mut update.asks] {
                if at < side.len() {
                    side.remove(at);
                    return true;
                }
                at -= side.len();
            }
        }
        false
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say {
                venue,
                updates,
                is_broken,
            } => {
                write!(f, "venue {venue} says")?;
                for (at, update) in updates.iter().enumerate() {
                    write!(f, "{} {update}", if at > 0 { " and" } else { "" })?;
                }
                f.write_str(if *is_broken { " and breaks off" } else { "" })
            }
            Self::Heartbeat { venue, count } => match count {
                Some(count) => write!(f, "venue {venue} sends a heartbeat, count {count}"),
                None => write!(f, "venue {venue} sends a heartbeat"),
            },
            Self::Garbage { venue } => write!(f, "venue {venue} sends garbage"),
            Self::Alive { venue } => write!(f, "venue {venue} sends a pong"),
            Self::Part { venue } => write!(f, "venue {venue} sends more of a message"),
            Self::Up { venue } => write!(f, "venue {venue} is connected"),
            Self::Down { venue } => write!(f, "venue {venue} is cut off"),
            Self::Refuse { venue, book } => match book {
                Some(book) => write!(f, "venue {venue} refuses book {book}"),
                None => write!(f, "venue {venue} refuses everything"),
            },
            Self::Wait { ns } => write!(f, "{ns} ns go by"),
            Self::Drain => f.write_str("the aggregators take what has come"),
            Self::Look => f.write_str("a client looks at the newest view"),
            Self::Retry {
                first,
                longest,
                seed,
            } => write!(
                f,
                "a connection is retried from {first} to {longest} ns, seed {seed}"
            ),
            Self::Spend {
                burst,
                refill,
                waits,
            } => write!(
                f,
                "a budget of {burst} and one every {refill} ns is asked after {waits:?} ns"
            ),
        }
    }
}

/// The most decimals the numbers of an update were written with.
pub(super) fn decimals(update: &Update) -> (u8, u8) {
    let most = |of: fn(&Level) -> u8| {
        let all = update.bids.iter().chain(&update.asks);
        all.map(of).max().unwrap_or(0)
    };
    (
        most(|level| level.price_decimals),
        most(|level| level.qty_decimals),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_with_the_decimals_asked_for() {
        let text = |units, decimals| {
            let mut out = Vec::new();
            spell(&mut out, units, decimals);
            String::from_utf8(out).unwrap()
        };
        let one = unit(0);
        assert_eq!(text(one, 0), "1");
        assert_eq!(text(one + one / 10, 1), "1.1");
        assert_eq!(text(one + one / 10, 3), "1.100");
        assert_eq!(text(5, 18), "0.000000000000000005");
        assert_eq!(text(0, 2), "0.00");
        assert_eq!(text(120 * one, 0), "120");
        assert_eq!((needed(one / 100), needed(one * 7), needed(3)), (2, 0, 18));
    }
}
