//! Inputs out of a corpus, each a function of a seed and a number.

use crate::Words;

/// The longest input, in bytes, but for entries of the corpus that are longer.
const MAX_INPUT: usize = 64 << 10;

/// How many changes are made to an input at the most.
const MAX_CHANGES: usize = 5;

/// Numbers at the edges of what number types hold, and beyond.
const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "1",
    "-1",
    "00",
    "0.0",
    "1e5",
    "1E-7",
    "1e400",
    "-1e-400",
    "127",
    "65536",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0.00000000000000000001",
    "99999999999999999999999999999999999999999",
    "1.",
];

/// Makes inputs: the entries of the corpus first, as they are, then changed ones without end.
#[derive(Debug)]
pub struct Mutator {
    entries: Vec<Vec<u8>>,
    words: Words,
    seed: u64,
}

impl Mutator {
    /// Over `entries`, of which there is at least an empty one, in the language of `words`.
    pub fn new(mut entries: Vec<Vec<u8>>, words: Words, seed: u64) -> Self {
        if entries.is_empty() {
            entries.push(Vec::new());
        }
        Self {
            entries,
            words,
            seed,
        }
    }

    /// Puts the input `number` into `into`.
    pub fn input(&self, number: u64, into: &mut Vec<u8>) {
        into.clear();
        if let Ok(at) = usize::try_from(number)
            && let Some(entry) = self.entries.get(at)
        {
            into.extend_from_slice(entry);
            return;
        }
        let mut dice = Dice::new(self.seed, number);
        match dice.below(32) {
            0 => self.words(&mut dice, into),
            1 => self.noise(&mut dice, into),
            _ => into.extend_from_slice(self.entry(&mut dice)),
        }
        for _ in 0..=dice.below(MAX_CHANGES) {
            self.change(&mut dice, into);
        }
        // Rarely an input is most of its corpus' longest entry over and over; it must end.
        let longest = self.entries.iter().map(Vec::len).max().unwrap_or(0);
        into.truncate(longest.max(MAX_INPUT));
    }

    fn entry(&self, dice: &mut Dice) -> &[u8] {
        &self.entries[dice.below(self.entries.len())]
    }

    /// Nothing but words of the language.
    fn words(&self, dice: &mut Dice, into: &mut Vec<u8>) {
        for _ in 0..dice.below(64) {
            self.word(dice, into);
        }
    }

    fn word(&self, dice: &mut Dice, into: &mut Vec<u8>) {
        if dice.below(4) == 0 {
            into.extend_from_slice(NUMBERS[dice.below(NUMBERS.len())].as_bytes());
        } else {
            self.words.put(dice.below(usize::MAX), into);
        }
    }

    fn noise(&self, dice: &mut Dice, into: &mut Vec<u8>) {
        // Behind the beginning of an entry, for what comes first often chooses what is tried.
        let entry = self.entry(dice);
        into.extend_from_slice(&entry[..dice.below(entry.len().min(8) + 1)]);
        for _ in 0..dice.below(200) {
            into.push(dice.byte());
        }
    }

    fn change(&self, dice: &mut Dice, bytes: &mut Vec<u8>) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(14) {
            0 => bytes.truncate(at),
            1 => {
                let other = self.entry(dice);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.below(other.len() + 1)..]);
            }
            2 => {
                let other = self.entry(dice);
                let part = dice.range(other.len(), 400);
                insert(bytes, at, &other[part]);
            }
            3..5 => {
                let mut word = Vec::new();
                self.word(dice, &mut word);
                insert(bytes, at, &word);
            }
            5 => {
                let part = dice.range(bytes.len(), 64);
                bytes.drain(part);
            }
            6 => {
                let part = dice.range(bytes.len(), 200);
                let copy = bytes[part].to_vec();
                let most = 1 << dice.below(10);
                let times = (1 + dice.below(most)).min(MAX_INPUT / copy.len().max(1));
                insert(bytes, at, &copy.repeat(times));
            }
            7 => {
                let nest = self.words.nest(dice.below(8));
                let most = 1 << dice.below(13);
                let depth = (1 + dice.below(most)).min(MAX_INPUT / nest.len());
                insert(bytes, at, &nest.repeat(depth));
            }
            8 | 9 => number(bytes, at, dice),
            10 => {
                let part = dice.range(bytes.len(), 200);
                let from = bytes[part].to_vec();
                let to = at.min(bytes.len().saturating_sub(from.len()));
                bytes[to..to + from.len()].copy_from_slice(&from);
            }
            11 if at < bytes.len() => {
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, dice.byte()][dice.below(6)]
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            _ => bytes.push(dice.byte()),
        }
    }
}

/// Puts another number, or other digits, in the place of the first number behind `at`.
fn number(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let is_part = |b: &u8| b.is_ascii_digit() || *b == b'.';
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let len = bytes[start..].iter().take_while(|b| is_part(b)).count();
    match dice.below(4) {
        0 => {
            let other = NUMBERS[dice.below(NUMBERS.len())].bytes();
            bytes.splice(start..start + len, other);
        }
        1 => {
            let digits: Vec<u8> = (0..=dice.below(24)).map(|_| dice.digit()).collect();
            insert(bytes, start, &digits);
        }
        2 => bytes[start + dice.below(len)] = b".-+e\""[dice.below(5)],
        _ => bytes[start + dice.below(len)] = dice.digit(),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    let at = at.min(bytes.len());
    bytes.splice(at..at, part.iter().copied());
}

/// Deterministic choices (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        let seed = dice.next();
        Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which counts as 1 where it is 0.
    fn below(&mut self, n: usize) -> usize {
        let drawn = self.next() % (n.max(1) as u64);
        usize::try_from(drawn).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn digit(&mut self) -> u8 {
        b'0' + self.byte() % 10
    }

    /// A part of `len` items, of at most `most` of them.
    fn range(&mut self, len: usize, most: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let count = self.below((len - start).min(most) + 1);
        start..start + count
    }
}
